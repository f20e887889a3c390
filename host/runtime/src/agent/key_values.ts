// The key-value half of storage: limits, the platform's error texts, and values in V8's format.
// Shared by storage, storage.kv and transactions.
import type { ListOptions } from "../addon.ts";
import type { DatabaseSource } from "./sql.ts";
import { deserialize, serialize } from "./values.ts";

const KEY_BYTES_MAX = 2048;
const VALUE_BYTES_MAX = 2 * 1024 * 1024;
const KEYS_MAX = 128;

function checkKey(key: string): string {
  // At most three bytes a UTF-16 unit: short keys need not be measured.
  if (key.length * 3 > KEY_BYTES_MAX) {
    const size = Buffer.byteLength(key);
    if (size > KEY_BYTES_MAX) {
      throw new RangeError(`Keys cannot be larger than ${KEY_BYTES_MAX} bytes. A key of size ${size} was provided.`);
    }
  }
  return key;
}

function checkCount(count: number, what: "keys" | "pairs"): void {
  if (count <= KEYS_MAX) return;
  throw new RangeError(what === "keys"
    ? `Maximum number of keys is ${KEYS_MAX}. ${count} keys were provided.`
    : `Maximum number of key value pairs is ${KEYS_MAX}. ${count} pairs were provided.`);
}

function encode(value: unknown): Uint8Array {
  const bytes = serialize(value);
  if (bytes.length > VALUE_BYTES_MAX) {
    throw new RangeError(`Values cannot be larger than ${VALUE_BYTES_MAX} bytes. A value of size ${bytes.length} was provided.`);
  }
  return bytes;
}

export class KeyValues {
  readonly #source: DatabaseSource;

  constructor(source: DatabaseSource) {
    this.#source = source;
  }

  get(key: string): unknown {
    const bytes = this.#source.usable.get(checkKey(key));
    return bytes === undefined ? undefined : deserialize(bytes);
  }

  getMany(keys: string[]): Map<string, unknown> {
    checkCount(keys.length, "keys");
    const found = new Map<string, unknown>();
    for (const key of keys.map(String).sort()) {
      const value = this.get(key);
      if (value !== undefined) found.set(key, value);
    }
    return found;
  }

  put(key: string, value: unknown): void {
    if (value === undefined) throw new TypeError("put() called with undefined value.");
    this.store(key, value);
  }

  store(key: string, value: unknown): void {
    this.#source.usable.put(checkKey(key), encode(value));
  }

  /** All or none: every pair is checked and encoded before the first is written. */
  putMany(entries: Record<string, unknown>): void {
    const pairs = Object.entries(entries);
    checkCount(pairs.length, "pairs");
    const encoded: [string, Uint8Array][] = [];
    for (const [key, value] of pairs) {
      // As on the platform: undefined among several pairs is skipped.
      if (value !== undefined) encoded.push([checkKey(key), encode(value)]);
    }
    const database = this.#source.usable;
    for (const [key, bytes] of encoded) database.put(key, bytes);
  }

  delete(key: string): boolean {
    return this.#source.usable.delete(checkKey(key));
  }

  deleteMany(keys: string[]): number {
    checkCount(keys.length, "keys");
    let deleted = 0;
    for (const key of keys) if (this.delete(String(key))) deleted++;
    return deleted;
  }

  list(options: ListOptions = {}): Map<string, unknown> {
    const { start, startAfter, end, prefix, reverse, limit } = options ?? {};
    if (start !== undefined && startAfter !== undefined) {
      throw new TypeError("list() cannot be called with both start and startAfter values.");
    }
    if (limit !== undefined && !(limit > 0)) throw new TypeError("List limit must be positive.");
    const given: ListOptions = {};
    if (start !== undefined) given.start = String(start);
    if (startAfter !== undefined) given.startAfter = String(startAfter);
    if (end !== undefined) given.end = String(end);
    if (prefix !== undefined) given.prefix = String(prefix);
    if (reverse) given.reverse = true;
    if (limit !== undefined) given.limit = Math.floor(limit);
    const found = new Map<string, unknown>();
    for (const [key, bytes] of this.#source.usable.list(given)) found.set(key, deserialize(bytes));
    return found;
  }
}
