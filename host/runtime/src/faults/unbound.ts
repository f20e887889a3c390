// R403: which binding it is that was undefined when the code used it. V8 says what was read of
// undefined and where; the name is in the user's own line. Looked up only when such an error is told.
import { readFileSync, statSync } from "node:fs";
import { placeOf } from "./where.ts";

const READ_OF_UNDEFINED = /^Cannot read properties of undefined \(reading '([^']*)'\)$/;
const OF_NAMESPACES = new Set(["idFromName", "idFromString", "newUniqueId", "getByName", "jurisdiction"]);
const OF_STRINGS = new Set(Object.getOwnPropertyNames(String.prototype));
const USE = /\benv(?:\s+as\s+[^()]*\))?\s*(?:(?:\?\.|!?\.)\s*([A-Za-z_$][\w$]*)|\[\s*["']([^"']+)["']\s*\])/g;
const FILE_BYTES_MAX = 1 << 20;
const KEPT_MAX = 64;

export interface Unbound {
  /** The name that `env` lacks. */
  readonly binding: string;
  /** It was used as a string is: a variable or a secret is meant. */
  readonly text: boolean;
}

const found = new Map<string, string | undefined>();

/** What `env` lacks, if this error is the use of it. `bound` says what env has. */
export function unboundIn(error: unknown, bound: (name: string) => boolean): Unbound | undefined {
  if (!(error instanceof TypeError)) return undefined;
  const property = READ_OF_UNDEFINED.exec(error.message)?.[1];
  const place = property === undefined ? undefined : placeOf(error);
  if (place === undefined) return undefined;
  const key = `${property} ${place}`;
  if (!found.has(key)) {
    if (found.size >= KEPT_MAX) found.clear();
    found.set(key, nameAt(place, property!, bound));
  }
  const binding = found.get(key);
  return binding === undefined ? undefined : { binding, text: OF_STRINGS.has(property!) };
}

function nameAt(place: string, property: string, bound: (name: string) => boolean): string | undefined {
  const [, file, row] = /^(.*):(\d+):\d+$/.exec(place)!;
  let lines: string[];
  try {
    if (statSync(file!).size > FILE_BYTES_MAX) return undefined;
    lines = readFileSync(file!, "utf8").split("\n");
  } catch {
    return undefined;
  }
  const line = Number(row) - 1;
  // The line itself, and a call that goes on below or began above.
  for (const text of [lines[line] ?? "", lines.slice(Math.max(0, line - 2), line + 3).join("\n")]) {
    for (const [, dotted, quoted] of text.matchAll(USE)) {
      const name = dotted ?? quoted!;
      if (!bound(name)) return name;
    }
  }
  if (!OF_NAMESPACES.has(property)) return undefined;
  // const { Room } = env; … Room.idFromName(…)
  const name = new RegExp(`([A-Za-z_$][\\w$]*)\\s*!?\\.\\s*${property}\\b`).exec(lines[line] ?? "")?.[1];
  if (name === undefined || bound(name)) return undefined;
  const taken = new RegExp(`\\{[^{}]*\\b${name.replaceAll("$", "\\$")}\\b[^{}]*\\}\\s*(?::[^=]*)?=\\s*(?:this\\.)?env\\b`);
  return taken.test(lines.join("\n")) ? name : undefined;
}
