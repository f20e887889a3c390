// Starts the thread that takes the stack of code which blocks this one (src/watcher/watcher.ts). It
// has its own memory limit, and this thread gives it a sign of life now and then.
import { Worker as Thread } from "node:worker_threads";
import type { WatcherData } from "../watcher/watcher.ts";

const PERIOD_MS_MAX = 1_000;

/** `limitMs`: how long the core lets a loop be blocked. */
export function watchLoop(limitMs: number, stateDirectory: string): void {
  const beats = new SharedArrayBuffer(4);
  const counter = new Int32Array(beats);
  const periodMs = Math.min(PERIOD_MS_MAX, Math.ceil(limitMs / 10));
  const workerData: WatcherData = {
    beats, periodMs,
    limitMs: Math.max(limitMs / 2, limitMs - 2 * PERIOD_MS_MAX),
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
