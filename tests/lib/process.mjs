// A child process of a test: its output by lines, its descendants, its descriptors, and an end that
// is checked. Every process is ended by its own id, never by name.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const kOutputLinesMax = 20_000;

/** Processes that a test started and has not ended; whatever happens, they end with the test. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.killTree();
});

export class Child {
  #process;
  #partial = { stdout: "", stderr: "" };
  #watchers = new Set();
  lines = []; // {stream, text}
  exited;
  exit = null; // {code, signal} once it has ended

  constructor(command, args, options = {}) {
    this.#process = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    this.stdio = this.#process.stdio;
    this.pid = this.#process.pid;
    this.exited = new Promise((resolve) => {
      this.#process.once("error", (error) => this.#ended(resolve, { code: -1, signal: null, error }));
      this.#process.once("close", (code, signal) => this.#ended(resolve, { code, signal }));
    });
    running.add(this);
    for (const stream of ["stdout", "stderr"]) {
      this.#process[stream]?.setEncoding("utf8").on("data", (text) => this.#read(stream, text));
    }
  }

  get output() {
    return this.lines.map((line) => line.text).join("\n");
  }

  /** The first line, seen already or yet to come, that `pattern` matches. */
  line(pattern, timeoutMs = 20_000) {
    for (const { text } of this.lines) {
      const match = pattern.exec(text);
      if (match) return Promise.resolve(match);
    }
    return this.nextLine(pattern, timeoutMs);
  }

  /** The next line from now on that `pattern` matches. */
  nextLine(pattern, timeoutMs = 20_000) {
    if (this.exit) return Promise.reject(this.#failure(`ended before it printed ${pattern}`));
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
        settle(value);
      };
      const watcher = {
        line: (text) => {
          const match = pattern.exec(text);
          if (match) finish(resolve, match);
        },
        end: () => finish(reject, this.#failure(`ended before it printed ${pattern}`)),
      };
      const timer = setTimeout(
        () => finish(reject, this.#failure(`did not print ${pattern} within ${timeoutMs} ms`)), timeoutMs);
      this.#watchers.add(watcher);
    });
  }

  /** Calls `each` with every line from now on, also with those that are too many to be kept. */
  watch(each) {
    this.#watchers.add({ line: each, end() {} });
  }

  kill(signal = "SIGTERM") {
    if (!this.exit) process.kill(this.pid, signal);
  }

  killTree() {
    for (const pid of [this.pid, ...descendants(this.pid)]) {
      try { process.kill(pid, "SIGKILL"); } catch { /* it ended meanwhile */ }
    }
  }

  /** Asks for the end by `signal` and says how long it took; after `limitMs` it is killed and this fails. */
  async end(signal = "SIGTERM", limitMs = 5_000) {
    const family = descendants(this.pid);
    const start = performance.now();
    this.kill(signal);
    const timely = await Promise.race([this.exited.then(() => true), delay(limitMs, false, { ref: true })]);
    const elapsedMs = performance.now() - start;
    if (!timely) {
      this.killTree();
      await this.exited;
      throw this.#failure(`did not end within ${limitMs} ms of ${signal}`);
    }
    return { ...this.exit, elapsedMs, family };
  }

  #read(stream, text) {
    const parts = (this.#partial[stream] + text).split("\n");
    this.#partial[stream] = parts.pop();
    for (const part of parts) this.#line(stream, part);
  }

  #line(stream, text) {
    if (this.lines.length < kOutputLinesMax) this.lines.push({ stream, text });
    if (process.env.VERBOSE) process.stderr.write(`[${this.pid}] ${text}\n`);
    for (const watcher of [...this.#watchers]) watcher.line(text);
  }

  #ended(resolve, exit) {
    if (this.exit) return;
    for (const stream of ["stdout", "stderr"]) if (this.#partial[stream]) this.#read(stream, "\n");
    this.exit = exit;
    running.delete(this);
    for (const watcher of [...this.#watchers]) watcher.end();
    resolve(exit);
  }

  #failure(what) {
    const tail = this.lines.slice(-40).map((line) => `  | ${line.text}`).join("\n");
    const why = this.exit?.error ? ` (${this.exit.error.message})` : "";
    return new Error(`process ${this.pid} ${what}${why}; its output:\n${tail}`);
  }
}

/** Every living descendant of a process, children first. */
export function descendants(pid) {
  const parents = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = statOf(Number(entry));
    if (stat && stat.state !== "Z") parents.set(Number(entry), stat.parent);
  }
  const found = [];
  let frontier = new Set([pid]);
  while (frontier.size > 0) {
    const next = new Set();
    for (const [child, parent] of parents) if (frontier.has(parent)) next.add(child);
    found.push(...next);
    frontier = next;
  }
  return found;
}

/** State, parent and CPU ticks from /proc/PID/stat; null when the process is gone. */
export function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return {
      state: fields[0], parent: Number(fields[1]),
      ticks: Number(fields[11]) + Number(fields[12]), startTicks: Number(fields[19]),
    };
  } catch {
    return null;
  }
}

export const alive = (pid) => { const stat = statOf(pid); return stat !== null && stat.state !== "Z"; };

export function commandLine(pid) {
  try { return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean); } catch { return []; }
}

/** What each open descriptor of a process leads to. */
export function descriptors(pid) {
  const found = [];
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try { found.push(`${fd} -> ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`); } catch { /* closed meanwhile */ }
  }
  return found;
}

/** Waits for a condition that nothing announces; says what it last saw when it gives up. */
export async function until(condition, what, timeoutMs = 5_000) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`${typeof what === "function" ? what() : what}: not within ${timeoutMs} ms`);
    await delay(20);
  }
}
