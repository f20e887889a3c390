// Code that ends its own process ends every agent in it, and leaves its callers with no error to read:
// the log says where it did so. Written at once, for nothing else is sent any more.
import { writeSync } from "node:fs";

import { whereOf } from "../faults/where.ts";

const STDERR = 2;

export function tellExit(): void {
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    const where = whereOf(new Error("process.exit"));
    try {
      writeSync(STDERR, `process.exit(${code ?? ""}) was called${where === undefined ? "" : ` (${where})`}: it ends every agent of this process\n`);
    } catch {
      // Nobody reads it.
    }
    return exit(code);
  };
}
