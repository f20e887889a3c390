// The facts of a whole project: of the files that the bundle is made of, and of what lies beside them
// (pages that ask for agents, classes that nobody imports). Bounded in files and bytes; what other
// tools made, tests, and projects inside the project are left out.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";

import { factsOf, type Facts } from "./facts.ts";

const FILES_MAX = 2000;
const FILE_BYTES_MAX = 256 * 1024;
const SOURCE = /\.(?:[cm]?[jt]sx?)$/;
const TEST = /\.(?:test|spec)\.[cm]?[jt]sx?$/;
const SKIPPED = new Set(["node_modules", "dist", "build", "out", "coverage", "test", "tests", "__tests__", "public"]);
const CONFIGURATIONS = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
/** Files beside the bundle that say none of these need not be read closely. */
const OF_INTEREST = /useAgent|AgentClient|agentFetch|\bclass\b|interface\s+Env/;

export interface FileFacts extends Partial<Facts> {
  file: string;
  /** Part of the bundle. */
  input: boolean;
}

export function scanProject(root: string, inputs: readonly string[]): FileFacts[] {
  const own = new Set(inputs);
  const files = [...own, ...sources(root).filter((file) => !own.has(file))].slice(0, FILES_MAX);
  return files.flatMap((file) => {
    const input = own.has(file);
    const text = SOURCE.test(file) ? textOf(file) : null;
    if (text === null || (!input && !OF_INTEREST.test(text))) return [];
    return [{ file, input, ...factsOf(text) }];
  });
}

function textOf(file: string): string | null {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) return null;
    return readFileSync(file, "latin1");
  } catch {
    return null; // gone since it was listed
  }
}

function sources(root: string): string[] {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined && found.length < FILES_MAX; folder = folders.pop()) {
    if (folder !== root && CONFIGURATIONS.some((name) => existsSync(path.join(folder!, name)))) continue;
    let entries;
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      continue; // not ours to read
    }
    for (const entry of entries) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory() && !entry.name.startsWith(".") && !SKIPPED.has(entry.name)) folders.push(file);
      else if (entry.isFile() && SOURCE.test(entry.name) && !TEST.test(entry.name)) found.push(file);
    }
  }
  return found.sort();
}
