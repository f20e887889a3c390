// What `serializeAttachment` keeps with a socket. The SDK reads it at every message and, when it
// broadcasts, once for every socket, so a plain tree (objects, arrays, primitives) is kept as a copy
// and copied again at each reading, which is far cheaper than V8's deserializer. Anything else (a Map,
// a Date, a cycle, the same object twice) is read from its bytes.
import { Deserializer, Serializer } from "node:v8";

export const attachmentMax = 16384;
const treeNodesMax = 200;
const notPlain: unique symbol = Symbol();

// Node's hook for the error of what cannot be cloned; called with the message.
class CloneSerializer extends Serializer {
  _getDataCloneError(message: string): Error { return new DOMException(message, "DataCloneError"); }
}

/** V8's structured serialization, in the format the platform stores. Throws DataCloneError. */
function serialize(value: unknown): Uint8Array {
  const serializer = new CloneSerializer();
  serializer.writeHeader();
  serializer.writeValue(value);
  return new Uint8Array(serializer.releaseBuffer());
}

function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new Deserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

/** A copy of a plain tree; `seen` bounds it and finds what occurs twice. */
function copyTree(value: unknown, seen: Set<object>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (seen.has(value) || seen.size >= treeNodesMax) return notPlain;
  seen.add(value);
  if (Array.isArray(value)) {
    if (Object.keys(value).length !== value.length) return notPlain;
    const copy: unknown[] = [];
    for (const item of value) {
      const inner = copyTree(item, seen);
      if (inner === notPlain) return notPlain;
      copy.push(inner);
    }
    return copy;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return notPlain;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (key === "__proto__") return notPlain;
    const inner = copyTree((value as Record<string, unknown>)[key], seen);
    if (inner === notPlain) return notPlain;
    copy[key] = inner;
  }
  return copy;
}

/** The same for a tree that is known to be plain. */
function copyPlain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyPlain);
  const copy: Record<string, unknown> = {};
  for (const key in value) copy[key] = copyPlain((value as Record<string, unknown>)[key]);
  return copy;
}

export class Attachment {
  readonly bytes: Uint8Array;
  #tree: unknown;

  private constructor(bytes: Uint8Array, tree: unknown) {
    this.bytes = bytes;
    this.#tree = tree;
  }

  /** Throws DataCloneError for what cannot be cloned, Error for what is too large. */
  static of(value: unknown): Attachment {
    const bytes = serialize(value);
    if (bytes.byteLength > attachmentMax) {
      throw new Error(`A WebSocket 'attachment' cannot be larger than ${attachmentMax} bytes. 'attachment' was ${bytes.byteLength} bytes.`);
    }
    return new Attachment(bytes, copyTree(value, new Set()));
  }

  static from(bytes: Uint8Array): Attachment {
    return new Attachment(bytes, undefined);
  }

  /** A fresh value at each call. */
  read(): unknown {
    if (this.#tree === notPlain) return deserialize(this.bytes);
    if (this.#tree === undefined) {
      const value = deserialize(this.bytes);
      this.#tree = copyTree(value, new Set());
      return value;
    }
    return copyPlain(this.#tree);
  }
}
