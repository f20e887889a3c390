// Copies of facets' databases for ctx.facets.clone(): made beside the originals, whole and on the disk,
// before anything of what they replace is touched. Installed by renames, the log first: a file is there
// only with its log. Blocks for as long as the copying takes.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Addon } from "../addon.ts";

export interface Copy {
  install(path: string): void;
}

const NOTHING: Copy = { install: () => {} };
const SUFFIX = "-clone";

export function cloneFile(addon: Addon, path: string): Copy {
  const copy = path + SUFFIX;
  rmSync(`${copy}-wal`, { force: true });
  if (!addon.cloneDatabase(path, copy)) return NOTHING;
  for (const file of [copy, `${copy}-wal`]) if (existsSync(file)) sync(file);
  return {
    install(to) {
      if (existsSync(`${copy}-wal`)) renameSync(`${copy}-wal`, `${to}-wal`);
      renameSync(copy, to);
      sync(dirname(to));
    },
  };
}

/** A folder of facets, and theirs. */
export function cloneFolder(addon: Addon, path: string): Copy {
  if (!existsSync(path)) return NOTHING;
  const copies: [string, Copy][] = [];
  for (const name of readdirSync(path)) {
    if (name.endsWith(".sqlite")) copies.push([name, cloneFile(addon, join(path, name))]);
    if (name.endsWith(".facets")) copies.push([name, cloneFolder(addon, join(path, name))]);
  }
  return {
    install(to) {
      mkdirSync(to, { recursive: true });
      for (const [name, copy] of copies) copy.install(join(to, name));
      sync(dirname(to));
    },
  };
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
