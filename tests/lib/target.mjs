// Starts a project on the target under test, hearth or (the control) workerd, and ends it with the
// checks that every test owes: a clean and timely exit, no error-level line in the log, no process
// left behind, no descriptor leaked by the core.
//   TARGET=workerd node --test tests/e2e/raw.test.mjs
// What else hearth is to be started with is in HEARTH_ARGS:
//   HEARTH_ARGS="--hosts 2" node --test tests/e2e/raw.test.mjs
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";

import { Child, alive, commandLine, descendants, descriptors, until } from "./process.mjs";
import { kHearth, kProjects } from "./paths.mjs";
import { startWorkerd } from "./workerd.mjs";

export const kTarget = process.env.TARGET ?? "hearth";
export const onHearth = kTarget === "hearth";
export const onWorkerd = kTarget === "workerd";
/** For `test(name, hearthOnly, …)`: what only hearth promises. */
export const hearthOnly = { skip: onHearth ? false : "hearth's own promise" };

const kArguments = (process.env.HEARTH_ARGS ?? "").split(" ").filter(Boolean);
const kReady = /(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost):(\d+))/;
// An error-level line of hearth's own; what user code says by console.error (after "›") is its business.
const kErrorLine = /^[\d:.]+ error\b(?! .{1,80}? › )|AddressSanitizer|LeakSanitizer|runtime error:|Assertion/;

/**
 * project: a folder under tests/projects, or an absolute path. Options: command ("serve" or "dev"),
 * state (a folder; else a fresh one that is removed at the end), args, vars, env, expectErrors
 * (patterns of error-level lines that the test means to cause), config (file name), binary (another
 * hearth), onSpawn (called just before the process starts).
 */
export async function start(project, options = {}) {
  const target = new Target(project, options);
  try {
    await target.start();
  } catch (error) {
    await target.discard();
    throw error;
  }
  return target;
}

/** The same, ended and checked when the test `t` ends. */
export async function startFor(t, project, options) {
  const target = await start(project, options);
  t.after(() => target.stop());
  return target;
}

class Target {
  #ownState;
  #baseline = 0;
  #stopped = false;
  /** What a test opened to this target, each with a close(); closed before the target is ended. */
  clients = [];

  constructor(project, options) {
    this.folder = isAbsolute(project) ? project : join(kProjects, project);
    this.options = options;
    this.config = join(this.folder, options.config ?? "wrangler.jsonc");
    this.#ownState = options.state === undefined;
    this.state = options.state ?? mkdtempSync(join(tmpdir(), "hearth-test-"));
  }

  async start(port = this.options.port ?? 0) {
    this.#stopped = false;
    if (this.#isWorkerd) {
      const { child, url, port: bound } = await startWorkerd({ ...this.options, config: this.config, state: this.state, port });
      Object.assign(this, { child, url, port: bound });
    } else {
      await this.#startHearth(port);
    }
    this.ws = this.url.replace(/^http/, "ws");
    this.host = this.url.slice("http://".length);
    this.pid = this.child.pid;
    this.#baseline = descriptors(this.pid).length;
  }

  async #startHearth(port) {
    const { command = "serve", args = [], vars = {}, env = {} } = this.options;
    this.options.onSpawn?.();
    this.child = new Child(
      this.options.binary ?? kHearth,
      [command, "-c", this.config, "--port", String(port), "--state", this.state,
        ...Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]),
        ...kArguments, ...args],
      { env: { ...process.env, NO_COLOR: "1", ...env } });
    const ready = await this.child.line(kReady, 30_000);
    this.url = ready[1];
    this.port = Number(ready[2]);
  }

  get #isWorkerd() {
    return (this.options.target ?? kTarget) === "workerd";
  }

  get output() {
    return this.child.output;
  }

  /** hearth's host processes: the children of the core that run Node.js with the host's script. */
  hosts() {
    return descendants(this.pid).filter((pid) => commandLine(pid).some((word) => /host\.mjs$/.test(word)));
  }

  /** The target and everything that it started. */
  processes() {
    return [this.pid, ...descendants(this.pid)];
  }

  /** kill -9 of all of it, as a power switch does to processes. */
  async kill() {
    const family = this.processes();
    this.child.killTree();
    await this.child.exited;
    await until(() => !family.some(alive), "killed processes are still there");
  }

  /** After kill() or stop({ keepState: true }): the same project, state and port again. */
  async restart() {
    await this.start(this.port);
  }

  /** Ends it and checks its end. */
  async stop({ signal = "SIGTERM", checkDescriptors = true, keepState = false } = {}) {
    if (this.#stopped) return undefined;
    this.#stopped = true;
    for (const client of this.clients.splice(0)) client.close();
    try {
      if (this.child.exit) {
        if (this.child.exit.signal === "SIGKILL") return undefined;
        throw new Error(`it had ended before it was stopped (${JSON.stringify(this.child.exit)}):\n${this.output}`);
      }
      if (this.#isWorkerd) return await this.child.end("SIGKILL"); // its end is not what is tested
      if (checkDescriptors) await this.#checkDescriptors();
      const end = await this.child.end(signal, 5_000);
      await this.#check(end);
      return end;
    } finally {
      if (!keepState) this.#remove();
    }
  }

  async discard() {
    this.#stopped = true;
    this.child?.killTree();
    this.#remove();
  }

  #remove() {
    if (this.#ownState) rmSync(this.state, { recursive: true, force: true });
  }

  async #checkDescriptors() {
    let seen = [];
    // A spare host that started since the beginning has a few of its own: a socket, its process, two pipes.
    await until(() => (seen = descriptors(this.pid)).length <= this.#baseline + 8,
      () => `the core leaks descriptors (${this.#baseline} at the start):\n${seen.join("\n")}`, 5_000);
  }

  async #check(end) {
    const problems = [];
    if (end.code !== 0) problems.push(`it exited with ${end.signal ?? end.code}`);
    // A spare that was starting is killed with the core: the kernel takes a moment to clear it away.
    await until(() => !end.family.some(alive), "", 1_000).catch(() => {});
    const left = end.family.filter(alive);
    if (left.length > 0) problems.push(`it left processes behind: ${left.map((pid) => `${pid} ${commandLine(pid).join(" ")}`)}`);
    for (const pid of left) process.kill(pid, "SIGKILL");
    const expected = this.options.expectErrors ?? [];
    for (const { text } of this.child.lines) {
      if (kErrorLine.test(text) && !expected.some((pattern) => pattern.test(text))) problems.push(`it logged: ${text}`);
    }
    if (problems.length > 0) throw new Error(`${problems.join("\n")}\nits output:\n${this.output}`);
  }
}
