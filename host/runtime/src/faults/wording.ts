// What is said of an error beyond its own words: whose fault it is when it is not the code's (the disk,
// a database that is damaged), what to write when the words do not say it, and which place is meant when
// there is no stack. Errors that cannot even be read are told by ones that can.
import type { FaultCode } from "./catalogue.ts";

export interface Wording {
  code?: FaultCode;
  status?: number;
  message?: string;
  where?: string | undefined;
  fix?: string;
}

const wordings = new WeakMap<object, () => Wording>();
const CAUSES_MAX = 5;
const STORAGE = /\bSQLITE_(FULL|IOERR|CORRUPT|NOTADB|CANTOPEN|READONLY)(?:_\w+)?\b/;

/** What the runtime knows of an error that it throws itself; asked for when the error is told. */
export function worded<E extends Error>(error: E, wording: () => Wording): E {
  wordings.set(error, wording);
  return error;
}

/** The error, or one that says why it cannot be read: a getter or a proxy's trap that throws. */
export function readable(error: unknown): unknown {
  if ((typeof error !== "object" && typeof error !== "function") || error === null) return error;
  try {
    let at: unknown = error;
    for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth++) {
      void `${typeof at.message}${typeof at.stack}${typeof at.name}`;
      at = at.cause;
    }
    return error;
  } catch (trap) {
    return new Error("the code threw something that cannot be read, for reading it throws in its turn", { cause: plain(trap) });
  }
}

function plain(trap: unknown): unknown {
  try {
    return trap instanceof Error && typeof trap.stack === "string" ? trap : undefined;
  } catch {
    return undefined;
  }
}

export function wordingOf(error: unknown): Wording {
  if (!(error instanceof Error)) return thrownValue(error);
  return wordings.get(error)?.() ?? ofStorage(error) ?? {};
}

function thrownValue(value: unknown): Wording {
  const fix = "Throw an Error instead: throw new Error(\"...\"). It has a stack, so that the line can be told.";
  if (value === null || value === undefined) return { message: `${String(value)} was thrown, or a promise was rejected with nothing`, fix };
  return { fix };
}

/** Codes of SQLite that say something of the disk and the file, and nothing of the code. */
function ofStorage(error: Error): Wording | undefined {
  let kind: string | undefined;
  let at: unknown = error;
  for (let depth = 0; depth < CAUSES_MAX && kind === undefined && at !== undefined; depth++) {
    kind = STORAGE.exec(at instanceof Error ? at.message : String(at))?.[1];
    at = at instanceof Error ? at.cause : undefined;
  }
  if (kind === undefined) return undefined;
  const known = { code: "R418", status: 503 } as const;
  const said = error.message;
  switch (kind) {
    case "FULL":
      return { ...known, message: `the disk of the state directory is full, so nothing could be written: ${said}`,
        fix: "Make room on that disk. What was acknowledged is kept; the agent goes on by itself when there is room." };
    case "CORRUPT":
    case "NOTADB":
      return { ...known, message: `the agent's database is damaged: ${said}`,
        fix: "Stop hearth, keep a copy of the state directory, and bring the agent back from a backup: hearth state restore." };
    case "CANTOPEN":
    case "READONLY":
      return { ...known, message: `the agent's database cannot be opened or written: ${said}`,
        fix: "Look at the owner and the rights of the files under do/ in the state directory, and whether its disk is mounted read-only." };
    default:
      return { ...known, message: `the disk did not read or write as it should: ${said}`,
        fix: "Look at the machine's disk and at its log. What was acknowledged was written before." };
  }
}
