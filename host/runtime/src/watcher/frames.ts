// A frame of a stack in the user's own file, by the source map beside the bundle.
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const maps = new Map<string, SourceMap | null>();

function mapOf(path: string): SourceMap | null {
  let map = maps.get(path);
  if (map === undefined) {
    try {
      map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, "utf8")) as SourceMapPayload);
    } catch {
      map = null; // a file without one is its own source
    }
    maps.set(path, map);
  }
  return map;
}

/** Lines and columns count from 0, as the inspector gives them. */
export function mapFrame(name: string, url: string, line: number, column: number): string {
  const called = name === "" ? "<anonymous>" : name;
  if (!url.startsWith("file://")) return `    at ${called} (${url}:${line + 1}:${column + 1})`;
  const path = fileURLToPath(url);
  const entry = mapOf(path)?.findEntry(line, column);
  if (entry !== undefined && "originalSource" in entry) {
    const source = entry.originalSource.startsWith("file://") ? fileURLToPath(entry.originalSource)
                                                              : resolve(dirname(path), entry.originalSource);
    return `    at ${called} (${source}:${entry.originalLine + 1}:${entry.originalColumn + 1})`;
  }
  return `    at ${called} (${path}:${line + 1}:${column + 1})`;
}
