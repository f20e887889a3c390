// Code that ends its own process ends every agent in it, and leaves its callers with no error to read:
// the log says where it did so. Written at once, for nothing else is sent any more. While the code is
// loaded it is an error instead, for whoever asks gets that with its line, and a process that ends tells none.
import { writeSync } from "node:fs";

import { whereOf } from "../faults/where.ts";

const STDERR = 2;

/** `loading`: whether the code is being loaded. */
export function tellExit(loading: () => boolean): void {
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    const error = new Error(`process.exit(${code ?? ""}) was called while the code was loaded`);
    // A timer's callback is no part of it, and nobody would get what it throws.
    if (loading() && !/\bnode:internal\/timers\b/.test(error.stack ?? "")) throw error;
    const where = whereOf(error);
    try {
      writeSync(STDERR, `process.exit(${code ?? ""}) was called${where === undefined ? "" : ` (${where})`}: it ends every agent of this process\n`);
    } catch {
      // Nobody reads it.
    }
    return exit(code);
  };
}
