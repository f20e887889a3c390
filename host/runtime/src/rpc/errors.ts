// Errors as they cross from one side of a call to the other: the same built-in class, name, message,
// stack and own properties (retryable, overloaded, durableObjectReset, code, cause …), and `remote`,
// which says that it was thrown elsewhere.

import { coded } from "../faults/coded.ts";
import { isLasting, markLasting } from "../faults/repeats.ts";

const CONSTRUCTORS: Record<string, ErrorConstructor> = {
  Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError,
};

/** An error taken apart, with nothing in it that is not plain data. */
export interface ErrorParts {
  /** The nearest built-in class: "TypeError", "AggregateError", "DOMException" … */
  type: string;
  name: string;
  message: string;
  stack: string | undefined;
  /** Own enumerable properties, and cause and errors, copied for the other side. */
  properties: [string, unknown][];
  /** It is known to come again every time (faults/repeats.ts). */
  lasting?: true;
}

function typeOf(error: Error): string {
  if (error instanceof DOMException) return "DOMException";
  if (error instanceof AggregateError) return "AggregateError";
  for (const name in CONSTRUCTORS) {
    if (name !== "Error" && error instanceof CONSTRUCTORS[name]!) return name;
  }
  return "Error";
}

const SKIPPED = new Set(["stack", "message"]);
const SKIPPED_DOM = new Set(["stack", "message", "name", "code"]);

/** Takes an error apart. What `copy` refuses is left out: an error must arrive. */
export function takeError(error: Error, copy: (value: unknown) => unknown): ErrorParts {
  const properties: [string, unknown][] = [];
  const add = (key: string, value: unknown): void => {
    try {
      properties.push([key, copy(value)]);
    } catch {
      // Better without this property than without the error.
    }
  };
  const type = typeOf(error);
  const members = error as unknown as Record<string, unknown>;
  const skipped = type === "DOMException" ? SKIPPED_DOM : SKIPPED;
  for (const key of Object.keys(error)) if (!skipped.has(key)) add(key, members[key]);
  for (const key of ["cause", "errors"]) {
    if (Object.hasOwn(error, key) && !Object.keys(error).includes(key)) add(key, members[key]);
  }
  const stack = typeof error.stack === "string" ? error.stack : undefined;
  const parts: ErrorParts = { type, name: String(error.name), message: String(error.message), stack, properties };
  if (isLasting(error)) parts.lasting = true;
  return parts;
}

export function makeError(parts: ErrorParts): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  let error: Error;
  try {
    if (parts.type === "DOMException") error = new DOMException(parts.message, parts.name);
    else if (parts.type === "AggregateError") error = new AggregateError([], parts.message);
    else error = new (Object.hasOwn(CONSTRUCTORS, parts.type) ? CONSTRUCTORS[parts.type]! : Error)(parts.message);
  } finally {
    Error.stackTraceLimit = limit;
  }
  for (const [key, value] of parts.properties) {
    const enumerable = key !== "cause" && key !== "errors";
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable });
  }
  if (error.name !== parts.name) {
    Object.defineProperty(error, "name", { value: parts.name, writable: true, configurable: true });
  }
  if (parts.stack !== undefined) {
    Object.defineProperty(error, "stack", { value: parts.stack, writable: true, configurable: true });
  }
  if (parts.lasting) markLasting(error);
  return error;
}

/** Marks what was thrown as thrown elsewhere. `agent`: the id of the object that threw it, if one did. */
export function markRemote(thrown: unknown, agent: string | null): unknown {
  if (typeof thrown !== "object" || thrown === null) return thrown;
  try {
    Object.assign(thrown, { remote: true });
    if (agent !== null && !(thrown instanceof DOMException)) Object.assign(thrown, { durableObjectId: agent });
  } catch {
    // A frozen error says what it says.
  }
  return thrown;
}

/** What everybody gets who waited for a host that is gone. */
export function connectionLost(): Error {
  return coded(Object.assign(new Error("Network connection lost."), { retryable: true }), "R413");
}

export function dataCloneError(message: string): DOMException {
  return new DOMException(message, "DataCloneError");
}
