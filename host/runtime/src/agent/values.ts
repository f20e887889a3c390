// Stored values in V8's serialization format, byte for byte as the platform writes them: the plain
// serializer, to which typed arrays are values (Node's DefaultSerializer treats them as its own).
// Small values, which are most of what counters and flags store, are written without it.
import v8 from "node:v8";

const VERSION = 0x0f;
const HEADER = [0xff, VERSION];

class ValueSerializer extends v8.Serializer {}
Object.defineProperty(ValueSerializer.prototype, "_getDataCloneError", {
  value: (message: string) => new DOMException(message, "DataCloneError"),
});

const TRUE = Uint8Array.of(...HEADER, 0x54);
const FALSE = Uint8Array.of(...HEADER, 0x46);
const NULL = Uint8Array.of(...HEADER, 0x30);

/** A value's bytes. Throws DataCloneError for what cannot be cloned. */
export function serialize(value: unknown): Uint8Array {
  if (typeof value === "number" && Object.is(value | 0, value) && value >= -0x40000000 && value < 0x40000000) {
    return serializeInteger(value);
  }
  if (value === true) return TRUE;
  if (value === false) return FALSE;
  if (value === null) return NULL;
  if (typeof value === "object") refuse(value, null);
  const serializer = new ValueSerializer();
  serializer.writeHeader();
  serializer.writeValue(value);
  return serializer.releaseBuffer();
}

/** Prototypes whose objects V8 copies truly, or refuses itself. */
const copied = new Set<unknown>([
  Object.prototype, Array.prototype, Map.prototype, Set.prototype, Date.prototype, RegExp.prototype,
  ArrayBuffer.prototype, Uint8Array.prototype, null,
]);

function refusedClasses(): Function[] {
  const names = ["URL", "URLSearchParams", "URLPattern", "Blob", "FormData", "Headers", "Request", "Response", "WebSocket",
    "ReadableStream", "WritableStream", "TransformStream", "EventTarget", "Event", "CryptoKey"];
  const found = names.map((name) => (globalThis as Record<string, unknown>)[name]);
  return found.filter((type): type is Function => typeof type === "function");
}
let refused: Function[] | null = null;

/**
 * The platform's own objects, which V8 would store as empty ones: Node's are plain JavaScript to it.
 * Throws DataCloneError for one anywhere in the value.
 */
function refuse(value: object, seen: Set<object> | null): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!copied.has(prototype) && !ArrayBuffer.isView(value)) {
    refused ??= refusedClasses();
    const type = refused.find((each) => value instanceof each);
    if (type !== undefined) {
      throw new DOMException(`Could not serialize object of type "${type.name}". This type does not support serialization.`, "DataCloneError");
    }
  }
  if (ArrayBuffer.isView(value) || prototype === Date.prototype || prototype === ArrayBuffer.prototype) return;
  if (seen?.has(value)) return;
  (seen ??= new Set()).add(value);
  if (value instanceof Map) {
    for (const [key, item] of value) {
      if (typeof key === "object" && key !== null) refuse(key, seen);
      if (typeof item === "object" && item !== null) refuse(item, seen);
    }
  } else if (value instanceof Set) {
    for (const item of value) if (typeof item === "object" && item !== null) refuse(item, seen);
  } else if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object" && item !== null) refuse(item, seen);
  } else {
    for (const item of Object.values(value)) if (typeof item === "object" && item !== null) refuse(item, seen);
  }
}

// 'I', then the zigzag form in base 128, low digits first.
function serializeInteger(value: number): Uint8Array {
  const bytes = [...HEADER, 0x49];
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export function deserialize(bytes: Uint8Array): unknown {
  if (bytes.length >= 3 && bytes[0] === 0xff && bytes[1] === VERSION) {
    switch (bytes[2]) {
      case 0x54: if (bytes.length === 3) return true; break;
      case 0x46: if (bytes.length === 3) return false; break;
      case 0x30: if (bytes.length === 3) return null; break;
      case 0x49: return deserializeInteger(bytes);
    }
  }
  const deserializer = new v8.Deserializer(bytes as NodeJS.TypedArray);
  deserializer.readHeader();
  return deserializer.readValue();
}

function deserializeInteger(bytes: Uint8Array): number {
  let zigzag = 0;
  for (let i = 3, shift = 0; i < bytes.length; i++, shift += 7) {
    zigzag |= (bytes[i]! & 0x7f) << shift;
    if (bytes[i]! < 0x80) break;
  }
  return (zigzag >>> 1) ^ -(zigzag & 1);
}
