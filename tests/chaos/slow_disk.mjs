// The slow disk of a run: slow_disk.c, compiled here, for the processes that are started with `env`.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../lib/folders.mjs";

export class SlowDisk {
  #delays;

  constructor() {
    const folder = temporaryFolder("hearth-slow-disk-");
    const library = join(folder, "slow_disk.so");
    execFileSync("cc", ["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, join(import.meta.dirname, "slow_disk.c"), "-ldl"], { timeout: 60_000 });
    this.#delays = join(folder, "delays");
    this.set(0, 0);
    this.env = { LD_PRELOAD: library, SLOW_DISK: this.#delays };
  }

  /** Milliseconds, of each sync and of each write. Written in place: the file is mapped. */
  set(syncMs, writeMs) {
    writeFileSync(this.#delays, Buffer.from(Uint32Array.of(syncMs * 1_000, writeMs * 1_000).buffer), { flag: this.env ? "r+" : "w" });
  }
}
