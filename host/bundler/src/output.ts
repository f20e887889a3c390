// The files of a build: named after their content, so that a host that still runs an earlier bundle
// keeps its own, and written whole before they get their name. The last three bundles stay.
import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { OutputFile } from "esbuild";

const BUNDLES_KEPT = 3;

export interface Written {
  bundle: string;
  unchanged: boolean;
}

/** The file with a name of its own for this content: `index-4f0c2a91b7d3.mjs`. */
export function hashedName(prefix: string, extension: string, contents: Iterable<Uint8Array | string>): string {
  const hash = createHash("sha256");
  for (const content of contents) hash.update(content);
  return `${prefix}-${hash.digest("hex").slice(0, 12)}${extension}`;
}

/**
 * Writes the outputs of a build. `entry` is the path esbuild gave the bundle; other files (assets
 * that rules emit, chunks, additional modules) keep the names that the bundle's text refers to.
 * `emitted` holds further assets by name; `extensions` gives back to an additional module (by its output) the extension of its source.
 */
export async function writeOutputs(files: readonly OutputFile[], entry: string, outdir: string,
                                   previous: string | null, extensions: ReadonlyMap<string, string>,
                                   emitted: ReadonlyMap<string, Uint8Array>): Promise<Written> {
  const code = files.find((file) => file.path === entry);
  const map = files.find((file) => file.path === `${entry}.map`);
  if (code === undefined || map === undefined) throw new Error(`esbuild made no ${entry}`);
  const folder = path.dirname(entry);
  const sources = absoluteSources(map.text, folder);
  const name = hashedName("index", ".mjs", [code.contents, sources]);
  const bundle = path.join(folder, name);
  await mkdir(folder, { recursive: true });
  for (const file of files) {
    if (file !== code && file !== map) await writeOther(file, files, extensions);
  }
  for (const [asset, contents] of emitted) await writeWhole(path.join(folder, asset), contents);
  await writeWhole(`${bundle}.map`, sources);
  await writeWhole(bundle, `${code.text}//# sourceMappingURL=${name}.map\n`);
  await removeOld(outdir);
  return { bundle, unchanged: bundle === previous };
}

/** A chunk or an additional module gets its map; an asset is written as it is. */
async function writeOther(file: OutputFile, files: readonly OutputFile[], extensions: ReadonlyMap<string, string>): Promise<void> {
  const target = (output: string) => output.replace(/\.mjs$/, extensions.get(output) ?? ".mjs");
  if (file.path.endsWith(".mjs.map")) {
    const code = file.path.slice(0, -".map".length);
    await replaceWhole(`${target(code)}.map`, absoluteSources(file.text, path.dirname(file.path)));
  } else if (files.some((other) => other.path === `${file.path}.map`)) {
    const shown = target(file.path);
    await replaceWhole(shown, `${file.text}//# sourceMappingURL=${path.basename(shown)}.map\n`);
  } else {
    await writeWhole(file.path, file.contents);
  }
}

/** The map with every source as an absolute path: stacks then show the user's own files. */
export function absoluteSources(mapText: string, folder: string): string {
  const map = JSON.parse(mapText) as { sources: string[]; sourceRoot?: string };
  delete map.sourceRoot;
  map.sources = map.sources.map((source) => (/^[\w-]{2,}:/.test(source) ? source : path.resolve(folder, source)));
  return JSON.stringify(map);
}

/** Writes a file that is named by its content: once is enough. */
async function writeWhole(file: string, content: Uint8Array | string): Promise<void> {
  const size = typeof content === "string" ? Buffer.byteLength(content) : content.byteLength;
  try {
    if ((await stat(file)).size === size) {
      // Its age says which build used it last.
      const now = new Date();
      await utimes(file, now, now);
      return;
    }
  } catch {
    // Not there yet.
  }
  await replaceWhole(file, content);
}

async function replaceWhole(file: string, content: Uint8Array | string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, file);
}

/** Drops bundles before the last three, and whatever no kept bundle has used since. */
async function removeOld(outdir: string): Promise<void> {
  const own = /^(?:index-[0-9a-f]{12}\.mjs(?:\.map)?|asset-[A-Za-z0-9]{8,12}-.*|.*\.\d+\.tmp)$/;
  const entries = (await readdir(outdir)).filter((name) => own.test(name));
  const ages = new Map<string, number>();
  for (const name of entries) {
    try {
      ages.set(name, (await stat(path.join(outdir, name))).mtimeMs);
    } catch {
      // Another bundler of the same folder was faster.
    }
  }
  const bundles = [...ages].filter(([name]) => name.endsWith(".mjs")).sort((a, b) => b[1] - a[1]);
  const oldest = bundles[BUNDLES_KEPT - 1]?.[1];
  if (oldest === undefined) return;
  const kept = new Set(bundles.slice(0, BUNDLES_KEPT).flatMap(([name]) => [name, `${name}.map`]));
  for (const [name, age] of ages) {
    // A build writes its assets and map just before its bundle.
    if (!kept.has(name) && age < oldest - 1000) await rm(path.join(outdir, name), { force: true });
    else if (!kept.has(name) && name.startsWith("index-")) await rm(path.join(outdir, name), { force: true });
  }
}
