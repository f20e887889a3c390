export type Packed = string;
export type HeadersInit = Headers | globalThis.Headers | Record<string, string> | Iterable<readonly [string, string]>;

export class Headers {
  constructor(_init?: HeadersInit | null) {}
  append(_name: string, _value: string): void { throw new Error("unwritten"); }
  delete(_name: string): void { throw new Error("unwritten"); }
  get(_name: string): string | null { throw new Error("unwritten"); }
  getAll(_name: string): string[] { throw new Error("unwritten"); }
  getSetCookie(): string[] { throw new Error("unwritten"); }
  has(_name: string): boolean { throw new Error("unwritten"); }
  set(_name: string, _value: string): void { throw new Error("unwritten"); }
  forEach(_callback: (value: string, name: string, parent: Headers) => void, _thisArg?: unknown): void { throw new Error("unwritten"); }
  entries(): IterableIterator<[string, string]> { throw new Error("unwritten"); }
  keys(): IterableIterator<string> { throw new Error("unwritten"); }
  values(): IterableIterator<string> { throw new Error("unwritten"); }
  [Symbol.iterator](): IterableIterator<[string, string]> { return this.entries(); }
}

/** Headers over the wire's form (`name\0value\0…`), not split until they are asked for. */
export function headersFromPacked(_packed: Packed, _immutable = false): Headers { throw new Error("unwritten"); }
/** The wire's form: names as they were given, one entry for each value. */
export function packHeaders(_headers: Headers): Packed { throw new Error("unwritten"); }
