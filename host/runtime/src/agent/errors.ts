// The platform's error texts that code (the SDKs among it) compares with, and what marks an error
// as the end of an agent's life.
import { stackOf } from "../faults/stack.ts";

/** Properties that the platform adds to errors which cross from an agent to its caller. */
export interface PlatformError extends Error {
  durableObjectReset?: boolean;
  retryable?: boolean;
  overloaded?: boolean;
  remote?: boolean;
}

export const STORAGE_FAILED =
  "Internal error in Durable Object storage caused object to be reset.";
export const BLOCKED_TOO_LONG =
  "A call to blockConcurrencyWhile() in a Durable Object waited for too long. " +
  "The call was canceled and the Durable Object was reset.";
export const EVENT_TOO_LONG = "Actor exceeded event execution time and was disconnected.";
export const STORAGE_GONE = "Durable Object storage is no longer accessible.";
export const OVERLOADED = "Durable Object is overloaded.";
export const NO_RESPONSE =
  "Incorrect type for Promise: the Promise did not resolve to 'Response'.";

/** What the callers of an agent get whose commit failed, for SQLite's reason. */
export function storageError(reason: string): PlatformError {
  if (/constraint/i.test(reason)) {
    return new Error("Durable Object was reset and rolled back to its last known good state because the application " +
                     `left the database in a state where constraints were violated: ${reason}`);
  }
  return Object.assign(new Error(STORAGE_FAILED, { cause: reason }), { retryable: true });
}

/** What a caller gets of an agent that has more to do than may wait there. Trying again makes it worse. */
export function overloaded(what: "requests" | "data"): PlatformError {
  return Object.assign(new Error(`${OVERLOADED} Too ${what === "data" ? "much data" : "many requests"} queued.`), { overloaded: true });
}

/** Errors by which a life ended on purpose: whoever sees one uncaught has nothing to report. */
const expected = new WeakSet<object>();

export function isExpectedReset(error: unknown): boolean {
  return typeof error === "object" && error !== null && expected.has(error);
}

const refusals = new WeakSet<object>();

/** What the callers of an agent get that may not run. The core has logged why. */
export function refusal(message: string): PlatformError {
  const error: PlatformError = new Error(message);
  refusals.add(error);
  return error;
}

export function isRefusal(error: unknown): boolean {
  return typeof error === "object" && error !== null && refusals.has(error);
}

/** The agent is awake on another host of its slot, or belongs there: `host` by its number, or 0 for the slot's next. */
export class Elsewhere extends Error {
  readonly host: number;
  constructor(host: number) {
    super("This agent is awake on another host of hearth's; ask again.");
    this.host = host;
    refusals.add(this);
  }
}

/** What the callers of an agent get that was reset, made from the reason given. */
export function resetError(reason: unknown, extra?: Partial<PlatformError>): PlatformError {
  let error: PlatformError;
  if (reason instanceof Error) {
    error = reason;
  } else {
    error = new Error(reason === undefined ? "Application called abort() to reset Durable Object."
                                           : String(reason));
  }
  try {
    Object.assign(error, { durableObjectReset: true }, extra);
  } catch {
    // A frozen error says what it says.
  }
  return error;
}

export function expectReset(error: object): void {
  expected.add(error);
}

/** Marks an error as one that came from another object, as the platform does on every boundary. */
export function markRemote(error: unknown): unknown {
  try {
    if (error instanceof Error && Object.isExtensible(error)) (error as PlatformError).remote = true;
  } catch {
    // A proxy that does not let itself be looked at.
  }
  return error;
}

/** An error's message, and its stack and causes in the user's own lines. */
export function describe(error: unknown): { message: string; stack?: string } {
  if (error instanceof Error) {
    const described: { message: string; stack?: string } = { message: error.message || error.name };
    const stack = stackOf(error);
    if (stack !== undefined) described.stack = stack;
    if (typeof error.cause === "string") described.message += ` (${error.cause})`;
    return described;
  }
  if (typeof error === "object" && error !== null) {
    try {
      return { message: JSON.stringify(error) ?? String(error) };
    } catch {
      return { message: Object.prototype.toString.call(error) };
    }
  }
  return { message: String(error) };
}
