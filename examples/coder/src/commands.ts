// Runs one shell command in the workspace, within a time and an output limit.
import { spawn } from "node:child_process";

export const kCommandSecondsMax = 60;
const kOutputBytesMax = 32 * 1024;

export interface CommandResult {
  exitCode: number | null;
  /** Standard output and error as they came, cut in the middle when too long. */
  output: string;
  timedOut: boolean;
  milliseconds: number;
}

export function runCommand(
  command: string,
  folder: string,
  options: { seconds?: number; signal?: AbortSignal } = {},
): Promise<CommandResult> {
  const seconds = Math.min(options.seconds ?? kCommandSecondsMax, kCommandSecondsMax);
  const started = performance.now();
  return new Promise((done, failed) => {
    // A process group of its own, so that the limit ends everything that the command started. The
    // environment leaves keys behind: a command gets what a shell needs and no secret.
    const child = spawn("bash", ["-c", command], {
      cwd: folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: "C.UTF-8", CI: "1", NO_COLOR: "1" },
    });
    const head: Buffer[] = [];
    let tail = Buffer.alloc(0);
    let headBytes = 0;
    let dropped = 0;
    const collect = (chunk: Buffer): void => {
      const room = Math.max(0, kOutputBytesMax / 2 - headBytes);
      if (room > 0) {
        head.push(chunk.subarray(0, room));
        headBytes += Math.min(room, chunk.length);
        chunk = chunk.subarray(room);
      }
      const both = Buffer.concat([tail, chunk]);
      dropped += Math.max(0, both.length - kOutputBytesMax / 2);
      tail = both.subarray(-kOutputBytesMax / 2);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    let timedOut = false;
    const end = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It ended by itself in between.
      }
    };
    const timer = setTimeout(() => {
      timedOut = true;
      end();
    }, seconds * 1000);
    options.signal?.addEventListener("abort", end, { once: true });
    child.once("error", (error) => {
      clearTimeout(timer);
      failed(error);
    });
    child.once("close", (exitCode) => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", end);
      const cut = dropped > 0 ? `\n… ${dropped} bytes left out …\n` : "";
      done({
        exitCode,
        output: Buffer.concat(head).toString() + cut + tail.toString(),
        timedOut,
        milliseconds: Math.round(performance.now() - started),
      });
    });
  });
}
