// Errors that the runtime itself throws for a fault of the catalogue: marked aside, so that code sees
// the platform's own error and nothing more.
import type { FaultCode } from "./catalogue.ts";

const codes = new WeakMap<object, FaultCode>();

/** Marks an error as the sign of a fault. */
export function coded<E extends Error>(error: E, code: FaultCode): E {
  codes.set(error, code);
  return error;
}

export function codeOf(error: unknown): FaultCode | undefined {
  return typeof error === "object" && error !== null ? codes.get(error) : undefined;
}
