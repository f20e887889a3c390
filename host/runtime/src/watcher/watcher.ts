// A thread beside the host's own: when the host's event loop has not turned for most of the time that
// the core allows, it takes the JavaScript stack of what blocks it, through the inspector, and leaves
// it where the core looks when it ends the host (R409). It never ends anything itself.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { workerData } from "node:worker_threads";

import { mapFrame } from "./frames.ts";

export interface WatcherData {
  /** Counts the turns of the watched loop. */
  beats: SharedArrayBuffer;
  periodMs: number;
  limitMs: number;
  file: string;
}

interface CallFrame {
  callFrameId: string;
  functionName: string;
  location: { scriptId: string; lineNumber: number; columnNumber?: number };
}

const ANSWER_MS = 500;
const FRAMES_MAX = 30;

const { beats, periodMs, limitMs, file } = workerData as WatcherData;
const counter = new Int32Array(beats);
let seen = -1;
let since = performance.now();
let last = since;
let told = false;

function look(): void {
  const now = performance.now();
  const beat = Atomics.load(counter, 0);
  // A machine that slept, or a process that was stopped, has stopped this thread too.
  const slept = now - last > 3 * periodMs + 500;
  last = now;
  if (beat !== seen || slept) {
    seen = beat;
    since = now;
    if (told) rmSync(file, { force: true }); // of what went on after all
    told = false;
  } else if (!told && now - since >= limitMs) {
    told = true;
    takeStack();
  }
}

function takeStack(): void {
  const session = new Session();
  const finish = (stack: string): void => {
    clearTimeout(timer);
    session.disconnect();
    writeFileSync(`${file}.new`, JSON.stringify({ stack }));
    renameSync(`${file}.new`, file);
  };
  const timer = setTimeout(() => finish("    at native code: a synchronous call that has not returned, such as execSync"), ANSWER_MS);
  session.connectToMainThread();
  const urls = new Map<string, string>(); // by script: frames do not tell
  session.on("Debugger.scriptParsed", ({ params }) => urls.set(params.scriptId, params.url));
  session.on("Debugger.paused", ({ params }) => {
    const frames = (params.callFrames as CallFrame[]).slice(0, FRAMES_MAX);
    // The core is told whose code it is (src/agent/marks.ts).
    if (frames[0] !== undefined) {
      session.post("Debugger.evaluateOnCallFrame", { callFrameId: frames[0].callFrameId, expression: 'globalThis[Symbol.for("hearth.mark")]()', silent: true });
    }
    session.post("Debugger.resume");
    finish(frames.map(({ functionName, location }) =>
      mapFrame(functionName, urls.get(location.scriptId) ?? "", location.lineNumber, location.columnNumber ?? 0)).join("\n"));
  });
  session.post("Debugger.enable");
  session.post("Debugger.pause");
}

setInterval(look, periodMs);
