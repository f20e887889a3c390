// How large a value may be that is sent by RPC: the platform's bound, wherever its receiver is. What may
// be near it is written as it would be for another host, to know; everything else is not looked at.
import { encode, MAX_VALUE_BYTES, type Table } from "./wire.ts";

export const WORTH_CHECKING = MAX_VALUE_BYTES;

/** Stubs, streams and HTTP objects count nothing: what they carry follows by itself. */
const nothing: Table = {
  describe(value) {
    const written = ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof Date || value instanceof RegExp ||
                    value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
    return written ? undefined : [];
  },
  restore: () => undefined,
};

/** Throws if the value takes more than 32 MiB. */
export function checkSize(value: unknown): void {
  encode(value, nothing, false);
}
