// Where a handler or a class stands in the user's own files, for faults that leave no stack: an answer
// that is no Response, a thrown text. A function's text is looked up in the bundle that it came from,
// and the bundle's source map leads from there. Looked for when a fault is told, never before.
import { readFileSync, readdirSync } from "node:fs";
import { findSourceMap } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { relativePlace } from "./where.ts";

const FILES_MAX = 64; // of one bundle
const PROTOTYPES_MAX = 16;
const AWAITS_MAX = 3;

let bundles: string[] = [];
let texts: { file: string; text: string }[] | null = null;
const known = new WeakMap<Function, string | undefined>();

/** The files that were loaded; what lies beside them belongs to them. */
export function setBundles(files: readonly string[]): void {
  bundles = [...files];
  texts = null;
}

/** `server.ts:12:3`: where the first of these methods begins that the user's own code has. */
export function placeOfMethod(owner: object | null | undefined, names: readonly string[]): string | undefined {
  return ownMethod(owner, names)?.where;
}

/** The same, with which method it is. */
export function ownMethod(owner: object | null | undefined, names: readonly string[]): { name: string; where: string } | undefined {
  try {
    let at = owner ?? null;
    for (let depth = 0; at !== null && depth < PROTOTYPES_MAX; depth++, at = Object.getPrototypeOf(at) as object | null) {
      for (const name of names) {
        const method: unknown = Object.getOwnPropertyDescriptor(at, name)?.value;
        if (typeof method !== "function") continue;
        const type = Object.getOwnPropertyDescriptor(at, "constructor")?.value as unknown;
        const where = find(method, typeof type === "function" ? type : null);
        if (where !== undefined) return { name, where };
      }
    }
  } catch {
    // An object that does not let itself be looked at.
  }
  return undefined;
}

/** Where a class or a function begins. */
export function placeOfFunction(value: Function): string | undefined {
  try {
    return find(value, null);
  } catch {
    return undefined;
  }
}

/** The user's own lines, a few at most, that wait while a module is loaded. */
export function topLevelAwaits(): string[] {
  const places = new Set<string>();
  try {
    for (const { file, text } of files()) {
      for (const { index } of text.matchAll(/^(?:(?:(?:export )?(?:const|let|var) [^\n=]*|[\w$.]+ )= )?await\b|^for await\b/gm)) {
        const place = original(file, text, index);
        if (place !== undefined) places.add(place);
        if (places.size >= AWAITS_MAX) return [...places];
      }
    }
  } catch {
    // The bundle cannot be read: then no place is known.
  }
  return [...places];
}

function find(method: Function, within: Function | null): string | undefined {
  if (known.has(method)) return known.get(method);
  const where = search(textOf(method), within === null ? "" : textOf(within));
  known.set(method, where);
  return where;
}

const textOf = (value: Function): string => Function.prototype.toString.call(value);

function search(text: string, around: string): string | undefined {
  if (text.endsWith("{ [native code] }")) return undefined;
  for (const { file, text: bundle } of files()) {
    const start = around === "" ? 0 : bundle.indexOf(around);
    const at = start < 0 ? -1 : bundle.indexOf(text, start);
    if (at >= 0) return original(file, bundle, at);
  }
  return undefined;
}

function files(): { file: string; text: string }[] {
  if (texts !== null) return texts;
  const folders = new Set(bundles.map((file) => dirname(file)));
  const modules = [...folders].flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith(".mjs")).map((name) => join(folder, name)));
  texts = [...new Set([...bundles, ...modules])].slice(0, FILES_MAX).map((file) => ({ file, text: readFileSync(file, "utf8") }));
  return texts;
}

function original(file: string, bundle: string, at: number): string | undefined {
  const line = bundle.slice(0, at).split("\n").length - 1;
  const column = at - (bundle.lastIndexOf("\n", at - 1) + 1);
  const entry = findSourceMap(file)?.findEntry(line, column);
  if (entry === undefined || !("originalSource" in entry)) return undefined;
  const source = entry.originalSource;
  const path = source.startsWith("file:") ? fileURLToPath(source) : source;
  if (path.includes("/node_modules/")) return undefined;
  return relativePlace(`${path}:${entry.originalLine + 1}:${entry.originalColumn + 1}`);
}
