// The project's own build command (`build.command` of the configuration): run by a shell before
// bundling, and again when something in the folders that it watches changes. A command that writes
// into its own folders is run once more for it, not without end. One that has failed is run again too
// when something changes beside the configuration or where it runs, such as the script itself.
import { spawn, type ChildProcess } from "node:child_process";
import { watch, type FSWatcher } from "node:fs";
import path from "node:path";

import type { BuildCommand } from "./job.ts";
import { plainFailure, type BuildReport } from "./report.ts";

const DEBOUNCE_MS = 30;
/** How long after the command's end the system may still tell of what it wrote. */
const SETTLE_MS = 60;
const OUTPUT_BYTES_MAX = 16 * 1024;

export class BuildCommandRunner {
  readonly #build: BuildCommand;
  readonly #root: string;
  readonly #watchers: FSWatcher[] = [];
  /** Only while it is broken. */
  readonly #menders: FSWatcher[] = [];
  #onChange: (() => void) | null = null;
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | null = null;
  #due = true;
  #running = false;
  #changedWhileRunning = false;
  /** The run at hand was caused by a change during the one before. */
  #repeated = false;
  #stopped = false;

  constructor(build: BuildCommand, root: string) {
    this.#build = build;
    this.#root = root;
  }

  /** Calls `changed` when the command is due again. */
  watch(changed: () => void): void {
    this.#onChange = changed;
    for (const folder of this.#build.watch) {
      try {
        const watcher = watch(folder, { recursive: true }, (_event, name) => this.#changed(name, changed));
        watcher.on("error", () => watcher.close());
        this.#watchers.push(watcher);
      } catch {
        // A folder that is not there has no changes; wrangler's default need not exist.
      }
    }
  }

  /** What a failed command leaves to report; null when it succeeded, or need not run. */
  async runIfDue(): Promise<BuildReport | null> {
    if (!this.#due) return null;
    const broken = await this.run();
    this.#due = broken !== null; // whatever changes next may have mended it
    if (this.#changedWhileRunning && !this.#repeated && broken === null) {
      this.#repeated = true;
      this.#due = true;
      return this.runIfDue();
    }
    this.#repeated = false;
    this.#watchForMending(broken !== null);
    return broken;
  }

  #watchForMending(broken: boolean): void {
    const changed = this.#onChange;
    if (!broken || changed === null) {
      for (const watcher of this.#menders.splice(0)) watcher.close();
      return;
    }
    if (this.#menders.length > 0 || this.#stopped) return;
    for (const folder of new Set([this.#root, this.#build.cwd])) {
      try {
        const watcher = watch(folder, (_event, name) => this.#changed(name, changed));
        watcher.on("error", () => watcher.close());
        this.#menders.push(watcher);
      } catch {
        // The folder may be what is missing.
      }
    }
  }

  async run(): Promise<BuildReport | null> {
    this.#running = true;
    this.#changedWhileRunning = false;
    const broken = await this.#execute();
    if (this.#watchers.length + this.#menders.length > 0) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    this.#running = false;
    return broken;
  }

  /** Ends the command and all that it has started. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of [...this.#watchers.splice(0), ...this.#menders.splice(0)]) watcher.close();
    if (this.#child?.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  #changed(name: string | null, changed: () => void): void {
    if (name !== null && name.split(path.sep).some((part) => part === "node_modules" || part === ".git" || part === ".hearth")) return;
    if (this.#running) {
      this.#changedWhileRunning = true;
      return;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#due = true;
      changed();
    }, DEBOUNCE_MS);
  }

  #execute(): Promise<BuildReport | null> {
    if (this.#stopped) return Promise.resolve(null);
    const { command, cwd } = this.#build;
    return new Promise((resolve) => {
      const child = spawn(command, { shell: true, cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
      this.#child = child;
      let output = "";
      const keep = (part: string): void => {
        output = (output + part).slice(-OUTPUT_BYTES_MAX);
      };
      child.stdout.setEncoding("utf8").on("data", keep);
      child.stderr.setEncoding("utf8").on("data", keep);
      child.on("error", (error) => resolve(this.#failure(error.message, output)));
      child.on("close", (code, signal) => {
        this.#child = null;
        resolve(code === 0 ? null : this.#failure(signal === null ? `ended with status ${code}` : `was ended by ${signal}`, output));
      });
    });
  }

  #failure(what: string, output: string): BuildReport {
    const where = path.relative(this.#root, this.#build.cwd) || ".";
    const report = plainFailure(`the build command "${this.#build.command}" (in ${where}) ${what}`);
    const at = this.#build.at;
    if (at !== undefined) Object.assign(report.errors![0]!, at);
    const lines = output.trimEnd().split("\n").filter((line) => line !== "");
    report.errors![0]!.notes = lines.map((text) => ({ text, file: null, line: null, column: null }));
    return report;
  }
}
