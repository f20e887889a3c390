// What one build says, as one JSON line (docs/wire.md, "The bundle job"): places are relative to the
// project's folder where they are inside it, lines and columns count from 1, and an error that has an
// obvious next step carries it as a note.
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import type { Message, Location } from "esbuild";

import { nearest } from "./nearest.ts";
import type { FileFacts } from "./scan/project.ts";
import { packageName } from "./plugins/native.ts";

export interface Diagnostic {
  text: string;
  file: string | null;
  line: number | null;
  column: number | null;
  lineText: string | null;
  notes: { text: string; file: string | null; line: number | null; column: number | null }[];
}

export interface BuildReport {
  ok: boolean;
  /** Absolute; the map is beside it with ".map" appended. */
  bundle?: string;
  /** The same file as the build before. */
  unchanged?: boolean;
  /** Names that the entry point exports. */
  exports?: string[];
  /** The project's own source files, absolute. */
  inputs?: string[];
  /** What the sources say that concerns the configuration, when the job asks for it. */
  scan?: FileFacts[];
  ms?: number;
  warnings?: Diagnostic[];
  errors?: Diagnostic[];
}

const ERRORS_MAX = 50;

/** A failure that esbuild did not word: one error without a place. */
export function plainFailure(text: string): BuildReport {
  return { ok: false, errors: [{ text, file: null, line: null, column: null, lineText: null, notes: [] }] };
}

export function diagnostics(messages: readonly Message[], root: string): Diagnostic[] {
  return messages.slice(0, ERRORS_MAX).map((message) => {
    const place = location(message.location, root);
    const added = advice(message, root);
    const notes = added.length > 0 ? added : message.notes.map((note) => ({
      text: note.text,
      file: location(note.location, root).file,
      line: location(note.location, root).line,
      column: location(note.location, root).column,
    }));
    return { text: message.text, ...place, notes };
  });
}

function location(place: Location | null, root: string) {
  if (place === null) return { file: null, line: null, column: null, lineText: null };
  const shown = path.isAbsolute(place.file) ? path.relative(root, place.file) : place.file;
  return {
    file: shown.startsWith("..") ? path.resolve(root, place.file) : shown,
    line: place.line,
    column: characterColumn(place),
    lineText: place.lineText.slice(0, 500),
  };
}

/** esbuild counts bytes from 0; people count characters from 1. */
function characterColumn(place: Location): number {
  return Buffer.from(place.lineText, "utf8").subarray(0, place.column).toString("utf8").length + 1;
}

const UNRESOLVED = /^Could not resolve "([^"]+)"/;

function advice(message: Message, root: string): Diagnostic["notes"] {
  const specifier = UNRESOLVED.exec(message.text)?.[1];
  if (specifier === undefined) return jsxAdvice(message.location);
  const note = specifier.startsWith(".") || path.isAbsolute(specifier)
    ? nearestFile(specifier, message.location, root)
    : packageNote(specifier, message, root);
  return note === null ? [] : [{ text: note, file: null, line: null, column: null }];
}

/** A tag in a file whose name promises none: TypeScript takes it for a comparison or a cast. */
function jsxAdvice(place: Location | null): Diagnostic["notes"] {
  const file = /^(.*)\.ts$/.exec(place?.file ?? "")?.[1];
  if (file === undefined || !/<(?:[A-Za-z][\w.]*(?:\s[^<>]*)?\/?)?>.*(?:<\/|\/>)|<[A-Za-z][\w.]*[^<>]*\/>/.test(place!.lineText)) return [];
  return [{ text: `If this is JSX, name the file ${path.basename(file)}.tsx.`, file: null, line: null, column: null }];
}

function nearestFile(specifier: string, place: Location | null, root: string): string | null {
  const importer = place === null ? root : path.dirname(path.resolve(root, place.file));
  const wanted = path.resolve(importer, specifier);
  const folder = path.dirname(wanted);
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return `The folder ${folder} does not exist.`;
  }
  const plain = new Map(entries.map((entry) => [entry.replace(/\.[^.]+$/, ""), entry]));
  const base = path.basename(wanted);
  const near = nearest(base, entries) ?? plain.get(nearest(base.replace(/\.[^.]+$/, ""), plain.keys()) ?? "");
  if (near === undefined || near === null) return `${folder} has no such file.`;
  const corrected = path.relative(importer, path.join(folder, near));
  return `Did you mean "${corrected.startsWith(".") ? corrected : `./${corrected}`}"?`;
}

const INSTALLERS: readonly [string, string][] = [
  ["pnpm-lock.yaml", "pnpm add"], ["yarn.lock", "yarn add"], ["bun.lock", "bun add"], ["bun.lockb", "bun add"],
];

function packageNote(specifier: string, message: Message, root: string): string | null {
  const name = packageName(specifier);
  if (!/^(?:@[\w.-]+\/)?[\w.-]+$/.test(name)) return null;
  const from = message.location === null ? root : path.dirname(path.resolve(root, message.location.file));
  for (let folder = from; ; folder = path.dirname(folder)) {
    // Installed, so it is the subpath or the condition that is missing: esbuild's own notes say more.
    if (existsSync(path.join(folder, "node_modules", name))) return null;
    if (folder === path.dirname(folder)) break;
  }
  const command = INSTALLERS.find(([lock]) => existsSync(path.join(root, lock)))?.[1] ?? "npm install";
  return `The package is not installed. Run: ${command} ${name}   (in ${root})`;
}
