// Copies a value for the other side of a call, as the platform's RPC does: structured clone, with
// functions, RpcTargets and stubs becoming stubs, streams and HTTP objects handed over, and everything
// else that has a class of its own refused. Within one process this is all that happens to a value.
import { isArgumentsObject, isProxy } from "node:util/types";
import { dataCloneError, makeError, takeError } from "./errors.ts";
import { type Hook, Payload } from "./hook.ts";
import { copyHeaders, copyReadable, copyRequest, copyResponse, copyWritable } from "./transfer.ts";
import { checkSize, WORTH_CHECKING } from "./size.ts";
import { hookOf, isPending, newFetcher, newStub, ServiceStub } from "./stub.ts";

/** Exports a function, target or object of the code that now runs; set by local.ts. */
let exportTarget: (target: object) => Hook;
export function setExportTarget(make: typeof exportTarget): void {
  exportTarget = make;
}

/** A hook on a target given to `new RpcStub`. */
export function copyTarget(target: object): Hook {
  return hookOf(target)?.dup() ?? exportTarget(target);
}

let rpcTarget: abstract new () => object;
export function setRpcTarget(type: typeof rpcTarget): void {
  rpcTarget = type;
}
export function isRpcTarget(value: object): boolean {
  return value instanceof rpcTarget;
}

const MAX_DEPTH = 4000;

function refused(value: object): DOMException {
  const type = (value as { constructor?: { name?: unknown } }).constructor?.name;
  const name = typeof type === "string" && type !== "" ? type : "Object";
  return dataCloneError(`Could not serialize object of type "${name}". This type does not support serialization.`);
}

/** Classes of the language that structured clone refuses; `named`: how its message writes them. */
function uncloneable(value: object): string | null {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  switch (tag) {
    case "WeakMap": case "WeakSet": case "WeakRef": case "Promise": case "FinalizationRegistry":
      return `#<${tag}>`;
    case "Arguments":
      return "#<Object>";
    case "Generator": case "AsyncGenerator": case "Symbol":
    case "Array Iterator": case "Map Iterator": case "Set Iterator": case "String Iterator":
    case "RegExp String Iterator": case "Iterator Helper":
      return `[object ${tag}]`;
    default:
      if (tag.startsWith("WebAssembly.") && tag !== "WebAssembly.Module") return `#<${tag.slice(12)}>`;
      if (tag.startsWith("Intl.")) return `#<${tag.slice(5)}>`;
      return null;
  }
}

const VIEWS: Record<string, new (buffer: ArrayBuffer, offset: number, length: number) => object> = {
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView,
};
if (typeof (globalThis as { Float16Array?: unknown }).Float16Array === "function") {
  VIEWS["Float16Array"] = (globalThis as unknown as { Float16Array: (typeof VIEWS)[string] }).Float16Array;
}
const viewTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!;

/** One copying: its memory keeps cycles and shared references. */
class Copier {
  hooks: Hook[] | null = null;
  plain = true;
  /** What it takes at most when it is written, roughly. */
  size = 0;
  #memory: Map<object, unknown> | null = null;
  #depth = 0;
  /** Inside an error: objects of any class are copied as plain ones. */
  #lenient = false;

  copy(value: unknown): unknown {
    switch (typeof value) {
      case "object":
        return value === null ? null : this.#object(value);
      case "function":
        return this.#reference(value);
      case "symbol":
        throw dataCloneError(`${String(value)} could not be cloned.`);
      case "string":
        this.size += 2 * value.length;
        return value;
      default:
        this.size += 9;
        return value;
    }
  }

  #remember<T>(value: object, copy: T): T {
    (this.#memory ??= new Map()).set(value, copy);
    return copy;
  }

  #object(value: object): unknown {
    const known = this.#memory?.get(value);
    if (known !== undefined) return known;
    if (++this.#depth > MAX_DEPTH) throw new RangeError("Maximum call stack size exceeded");
    try {
      const prototype = Object.getPrototypeOf(value);
      if (prototype === Object.prototype && !isProxy(value)) return this.#plain(value);
      if (Array.isArray(value) && !isProxy(value)) return this.#array(value);
      return this.#special(value);
    } finally {
      this.#depth--;
    }
  }

  #plain(value: object): object {
    if (isArgumentsObject(value)) {
      throw dataCloneError("#<Object> could not be cloned.");
    }
    const copy: Record<string, unknown> = this.#remember(value, {});
    this.#members(value, copy);
    return copy;
  }

  #members(value: object, copy: Record<string, unknown>): void {
    for (const key of Object.keys(value)) {
      const member = this.copy((value as Record<string, unknown>)[key]);
      if (key === "__proto__") {
        Object.defineProperty(copy, key, { value: member, writable: true, enumerable: true, configurable: true });
      } else {
        copy[key] = member;
      }
    }
  }

  #array(value: unknown[]): unknown[] {
    const copy: unknown[] = this.#remember(value, new Array(value.length));
    this.#members(value, copy as unknown as Record<string, unknown>);
    return copy;
  }

  #special(value: object): unknown {
    const hook = hookOf(value);
    if (hook) return this.#stub(value, hook);
    if (isPending(value)) throw refused(value);
    if (isRpcTarget(value) || isProxy(value)) return this.#reference(value);
    if (value instanceof Error) return this.#error(value);
    if (value instanceof Map) return this.#map(value);
    if (value instanceof Set) {
      const copy: Set<unknown> = this.#remember(value, new Set());
      for (const member of [...value]) copy.add(this.copy(member));
      return copy;
    }
    if (value instanceof Date) return this.#remember(value, new Date(value.getTime()));
    if (value instanceof RegExp) return this.#remember(value, new RegExp(value.source, value.flags));
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (value instanceof ArrayBuffer) {
      this.size += value.byteLength;
      return this.#remember(value, value.slice(0));
    }
    if (value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt) {
      return this.#remember(value, Object(value.valueOf()));
    }
    return this.#platform(value);
  }

  #platform(value: object): unknown {
    this.plain = false;
    if (value instanceof ReadableStream) return this.#remember(value, copyReadable(value));
    if (value instanceof WritableStream) return this.#remember(value, copyWritable(value));
    if (value instanceof Response) return this.#remember(value, copyResponse(value));
    if (value instanceof Request) return this.#remember(value, copyRequest(value));
    if (value instanceof Headers) return this.#remember(value, copyHeaders(value));
    if (value instanceof AbortSignal) throw dataCloneError("AbortSignal serialization is not enabled.");
    const name = uncloneable(value);
    if (name !== null) throw dataCloneError(`${name} could not be cloned.`);
    if (!this.#lenient) throw refused(value);
    const copy = this.#remember(value, {});
    this.#members(value, copy);
    return copy;
  }

  #map(value: Map<unknown, unknown>): Map<unknown, unknown> {
    const copy = this.#remember(value, new Map<unknown, unknown>());
    for (const [key, member] of [...value]) copy.set(this.copy(key), this.copy(member));
    return copy;
  }

  #view(value: ArrayBufferView): object {
    const type = viewTag.call(value) as string | undefined ?? "DataView";
    const length = type === "DataView" ? value.byteLength : (value as Uint8Array).length;
    if (!(value.buffer instanceof ArrayBuffer)) throw dataCloneError("#<SharedArrayBuffer> could not be cloned.");
    // A Node.js Buffer is often a slice of a pool that holds strangers' data: only its own bytes go.
    if (Buffer.isBuffer(value)) {
      this.size += value.byteLength;
      return this.#remember(value, new Uint8Array(value));
    }
    const buffer = this.copy(value.buffer) as ArrayBuffer;
    return this.#remember(value, new VIEWS[type]!(buffer, value.byteOffset, length));
  }

  #error(value: Error): Error {
    this.plain = false;
    const lenient = this.#lenient;
    this.#lenient = true;
    try {
      const seen = this.#memory?.has(value);
      if (seen) throw dataCloneError("An error that contains itself could not be cloned.");
      const parts = takeError(value, (member) => (member === value ? undefined : this.copy(member)));
      return this.#remember(value, makeError(parts));
    } finally {
      this.#lenient = lenient;
    }
  }

  /** A function or target becomes a stub; the same one always the same stub. */
  #reference(value: object): object {
    const known = this.#memory?.get(value) as object | undefined;
    if (known !== undefined) return known;
    const held = hookOf(value);
    if (held) return this.#stub(value, held);
    if (isPending(value)) throw refused(value);
    return this.#keep(value, newStub, exportTarget(value));
  }

  #stub(value: object, hook: Hook): object {
    return this.#keep(value, value instanceof ServiceStub ? newFetcher : newStub, hook.dup());
  }

  #keep(value: object, make: (hook: Hook) => object, hook: Hook): object {
    this.plain = false;
    (this.hooks ??= []).push(hook);
    return this.#remember(value, make(hook));
  }
}

function primitive(value: unknown): boolean {
  return (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") || value === null;
}

function copied(copier: Copier, make: () => unknown): Payload {
  try {
    const value = make();
    if (copier.size > WORTH_CHECKING) checkSize(value);
    return new Payload(value, copier.hooks, copier.plain);
  } catch (error) {
    for (const hook of copier.hooks ?? []) hook.dispose();
    throw error;
  }
}

export function copyValue(value: unknown): Payload {
  if (primitive(value)) {
    if (typeof value === "string" && 2 * value.length > WORTH_CHECKING) checkSize(value);
    return new Payload(value);
  }
  const copier = new Copier();
  return copied(copier, () => copier.copy(value));
}

/** The payload's value is an array of the arguments. */
export function copyArguments(args: readonly unknown[]): Payload {
  if (args.every(primitive)) {
    const characters = args.reduce<number>((sum, value) => sum + (typeof value === "string" ? value.length : 0), 0);
    if (2 * characters > WORTH_CHECKING) checkSize(args);
    return new Payload(args);
  }
  const copier = new Copier();
  return copied(copier, () => args.map((value) => copier.copy(value)));
}

/** What was thrown, for the other side. Never throws. */
export function copyThrown(thrown: unknown): unknown {
  if (typeof thrown !== "object" || thrown === null) return new Error(String(thrown));
  try {
    return copyValue(thrown).value;
  } catch {
    return new Error(String(thrown));
  }
}
