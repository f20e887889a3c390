// What a service manager with a health check does for a single process: starts it again at once when
// it ends, and ends it when it takes too much memory or has not answered for too long. workerd has
// nothing of the kind by itself.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

import { http } from "../lib/clients.mjs";

const kLookMs = 100;

const residentBytes = (pid) => {
  try { return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096; } catch { return 0; }
};

export class Keeper {
  #keeping = true;
  #done;
  starts = 0;

  constructor(target, { answerMs, memoryBytes }) {
    this.target = target;
    this.limits = { answerMs, memoryBytes };
    this.#done = Promise.all([this.#revive(), this.#weigh(), this.#probe()]);
    this.#done.catch(() => {});
  }

  async #revive() {
    while (this.#keeping) {
      await Promise.race([this.target.child.exited, delay(kLookMs)]);
      if (!this.target.child.exit || !this.#keeping) continue;
      await this.target.restart();
      this.starts++;
    }
  }

  async #weigh() {
    while (this.#keeping) {
      await delay(kLookMs);
      if (residentBytes(this.target.pid) > this.limits.memoryBytes) this.target.child.kill("SIGKILL");
    }
  }

  async #probe() {
    while (this.#keeping) {
      await delay(kLookMs);
      const { child } = this.target;
      const answered = await http(`${this.target.url}/health`, { timeoutMs: this.limits.answerMs }).then(() => true, (error) => !/no answer/.test(error.message));
      if (!answered && this.#keeping) child.kill("SIGKILL");
    }
  }

  async stop() {
    this.#keeping = false;
    await this.#done;
  }
}
