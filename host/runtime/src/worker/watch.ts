// Starts the thread that takes the stack of code which blocks this one (src/watcher/watcher.ts). It
// has its own memory limit, and this thread gives it a sign of life now and then.
import { Worker as Thread } from "node:worker_threads";
import type { WatcherData } from "../watcher/watcher.ts";

const PERIOD_MS_MAX = 1_000;
const PERIOD_MS_LEAST = 20;

/** What the core lets a loop do without turning: be blocked, use the CPU; 0: for ever. One of the two is given. */
export function watchLoop(blockedMs: number, cpuMs: number, stateDirectory: string): void {
  // A turn takes at least as long as it uses the CPU.
  const byCpu = cpuMs > 0 && (blockedMs === 0 || cpuMs < blockedMs);
  const limitMs = byCpu ? cpuMs : Math.max(blockedMs / 2, blockedMs - 2 * PERIOD_MS_MAX);
  const beats = new SharedArrayBuffer(4);
  const counter = new Int32Array(beats);
  const periodMs = Math.max(PERIOD_MS_LEAST, Math.min(PERIOD_MS_MAX, Math.ceil((byCpu ? cpuMs : blockedMs) / 10)));
  const workerData: WatcherData = {
    beats, periodMs, limitMs,
    file: `${stateDirectory}/cache/blocked-${process.pid}.json`,
  };
  const thread = new Thread(new URL("./watcher.mjs", import.meta.url), {
    workerData, env: {}, execArgv: [], stdin: false,
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 },
  });
  thread.unref();
  thread.on("error", () => {}); // without it a blocked host is ended all the same, with no stack
  setInterval(() => Atomics.add(counter, 0, 1), periodMs).unref();
}
