// The slow disk of a run, for the processes that are started with `env`: slow_disk.c, from the build.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../lib/folders.mjs";
import { kBuild } from "../lib/paths.mjs";

export class SlowDisk {
  #delays;

  constructor() {
    const library = join(kBuild, "tests/slow_disk.so");
    if (!existsSync(library)) throw new Error(`${library} is not there; ./dev build makes it, except with sanitizers`);
    this.#delays = join(temporaryFolder("hearth-slow-disk-"), "delays");
    this.set(0, 0);
    this.env = { LD_PRELOAD: library, SLOW_DISK: this.#delays };
  }

  /** Milliseconds, of each sync and of each write. Written in place: the file is mapped. */
  set(syncMs, writeMs) {
    writeFileSync(this.#delays, Buffer.from(Uint32Array.of(syncMs * 1_000, writeMs * 1_000).buffer), { flag: this.env ? "r+" : "w" });
  }
}
