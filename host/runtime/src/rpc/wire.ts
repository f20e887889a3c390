// Values between hosts: V8's serialization, with placeholders for what it cannot write (stubs, streams,
// HTTP objects, errors), each followed by a description that the session of the two hosts understands.
// Pure: what is described, and what is made of a description, is asked of the Table given.
import v8 from "node:v8";
import { type ErrorParts, dataCloneError, makeError, takeError } from "./errors.ts";

/** What a session does with values that are more than data. */
export interface Table {
  /** Plain data that says what the value is, or undefined if it is no business of the session's. */
  describe(value: object): unknown[] | undefined;
  restore(description: unknown[]): unknown;
}

export const MAX_VALUE_BYTES = 32 * 1024 * 1024;
const MAX_DEPTH = 4000;
const ERROR = "error";

const VIEW = 0;
const DESCRIBED = 1;
type ViewType = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;
const VIEW_TYPES: readonly ViewType[] = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView,
  ...("Float16Array" in globalThis ? [(globalThis as unknown as { Float16Array: ViewType }).Float16Array] : []),
] as readonly ViewType[];

interface RawSerializer {
  _setTreatArrayBufferViewsAsHostObjects(flag: boolean): void;
}

class Writer extends v8.Serializer {
  readonly #described: Map<object, unknown[]>;

  constructor(described: Map<object, unknown[]>) {
    super();
    this.#described = described;
    (this as unknown as RawSerializer)._setTreatArrayBufferViewsAsHostObjects(true);
  }
  _writeHostObject(object: object): void {
    const description = this.#described.get(object);
    if (description !== undefined) {
      this.writeUint32(DESCRIBED);
      this.writeValue(description);
      return;
    }
    if (!ArrayBuffer.isView(object)) {
      throw dataCloneError(`Could not serialize object of type "${object.constructor?.name ?? "Object"}".`);
    }
    const type = VIEW_TYPES.findIndex((candidate) => object instanceof candidate);
    if (type < 0) throw dataCloneError("This kind of view could not be cloned.");
    this.writeUint32(VIEW);
    this.writeUint32(type);
    this.writeUint32(object.byteOffset);
    this.writeUint32(object instanceof DataView ? object.byteLength : (object as Uint8Array).length);
    this.writeValue(object.buffer);
  }
}
Object.defineProperty(Writer.prototype, "_getDataCloneError", { value: dataCloneError });

class Reader extends v8.Deserializer {
  readonly #table: Table;

  constructor(bytes: Uint8Array, table: Table) {
    super(bytes);
    this.#table = table;
  }
  _readHostObject(): unknown {
    if (this.readUint32() === VIEW) {
      const type = VIEW_TYPES[this.readUint32()];
      const offset = this.readUint32();
      const length = this.readUint32();
      const buffer = this.readValue() as ArrayBuffer;
      if (type === undefined) throw new Error("A value from another host has an unknown view.");
      return new type(buffer, offset, length);
    }
    const description = this.readValue() as unknown[];
    return description[0] === ERROR ? makeError(description[1] as ErrorParts) : this.#table.restore(description);
  }
}

/** Replaces what is described by placeholders, in a copy. */
class Preparer {
  readonly described = new Map<object, unknown[]>();
  readonly #table: Table;
  readonly #memory = new Map<object, unknown>();
  #depth = 0;

  constructor(table: Table) {
    this.#table = table;
  }

  prepare(value: unknown): unknown {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
    const known = this.#memory.get(value);
    if (known !== undefined) return known;
    if (++this.#depth > MAX_DEPTH) throw new RangeError("Maximum call stack size exceeded");
    try {
      return this.#object(value);
    } finally {
      this.#depth--;
    }
  }

  #remember<T>(value: object, copy: T): T {
    this.#memory.set(value, copy);
    return copy;
  }

  #object(value: object): unknown {
    if (typeof value === "object") {
      if (Array.isArray(value)) return this.#members(value, this.#remember(value, new Array(value.length)));
      if (Object.getPrototypeOf(value) === Object.prototype) return this.#members(value, this.#remember(value, {}));
      if (value instanceof Map) {
        const copy = this.#remember(value, new Map());
        for (const [key, member] of value) copy.set(this.prepare(key), this.prepare(member));
        return copy;
      }
      if (value instanceof Set) {
        const copy = this.#remember(value, new Set());
        for (const member of value) copy.add(this.prepare(member));
        return copy;
      }
      if (value instanceof Error) {
        const parts = takeError(value, (member) => this.prepare(member));
        return this.#placeholder(value, [ERROR, parts]);
      }
    }
    const description = this.#table.describe(value);
    return description === undefined ? value : this.#placeholder(value, description);
  }

  #members(value: object, copy: object): object {
    for (const key of Object.keys(value)) {
      const member = this.prepare((value as Record<string, unknown>)[key]);
      Object.defineProperty(copy, key, { value: member, writable: true, enumerable: true, configurable: true });
    }
    return copy;
  }

  #placeholder(value: object, description: unknown[]): object {
    const placeholder = new Uint8Array(0);
    this.described.set(placeholder, description);
    return this.#remember(value, placeholder);
  }
}

/** Bytes of a message. `plain`: known to need no placeholders. */
export function encode(message: unknown, table: Table, plain: boolean): Uint8Array {
  let value = message;
  let described = new Map<object, unknown[]>();
  if (!plain) {
    const preparer = new Preparer(table);
    value = preparer.prepare(message);
    described = preparer.described;
  }
  const writer = new Writer(described);
  writer.writeHeader();
  writer.writeValue(value);
  const bytes = writer.releaseBuffer();
  if (bytes.byteLength > MAX_VALUE_BYTES) {
    throw new Error(
      "Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: " +
        `${bytes.byteLength} bytes.`);
  }
  return bytes;
}

export function decode(bytes: Uint8Array, table: Table): unknown {
  const reader = new Reader(bytes, table);
  reader.readHeader();
  return reader.readValue();
}
