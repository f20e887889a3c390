// What may be called or read on an object from the other side, by the platform's rules: of a class's
// instance only what its prototypes have, of a plain object only what is its own, of anything else
// nothing. Stubs on the way take over the rest of the path.
import { copyValue, isRpcTarget } from "./copy.ts";
import { type Hook, type Payload, setFollowResult } from "./hook.ts";
import { hookOf } from "./stub.ts";

/** "instance": of a class that may be called remotely. "plain": own members. "none": neither. */
export type Kind = "instance" | "plain" | "none";

const RESERVED = new Set(["constructor", "dup"]);
/** Of agents and entrypoints themselves: handlers that only the platform calls. */
const RESERVED_HANDLERS = new Set(["alarm", "webSocketClose", "webSocketError", "webSocketMessage"]);

export function notImplemented(name: string): TypeError {
  return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

export type Found =
  | { readonly hook: Hook; readonly rest: readonly string[]; readonly value: unknown }
  | { readonly hook: null; readonly value: unknown; readonly self: unknown };

export function kindOf(value: object): Kind {
  if (typeof value === "function") return "plain";
  if (isRpcTarget(value)) return "instance";
  return Object.getPrototypeOf(value) === Object.prototype ? "plain" : "none";
}

function member(object: object, kind: Kind, name: string, handlers: boolean): unknown {
  if (RESERVED.has(name) || (handlers && RESERVED_HANDLERS.has(name))) {
    throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  }
  const own = Object.hasOwn(object, name);
  if (kind === "plain" ? !own : own || !(name in object)) throw notImplemented(name);
  const value = (object as Record<string, unknown>)[name];
  if (value === undefined) throw notImplemented(name);
  if (kind === "instance" && value === (Object.prototype as unknown as Record<string, unknown>)[name]) {
    throw notImplemented(name);
  }
  return value;
}

/** Walks from `root` (of the given kind) along the path. `top`: an agent, an entrypoint, or any object. */
export function find(
  root: unknown, rootKind: Kind | null, path: readonly string[], top: "handlers" | "object" = "object",
): Found {
  let value = root;
  let self: unknown = undefined;
  for (let i = 0; i < path.length; i++) {
    const name = path[i]!;
    const object = (typeof value === "object" && value !== null) || typeof value === "function" ? (value as object) : null;
    const before = i === 0 ? name : path[i - 1]!;
    if (object === null) throw notImplemented(before);
    const hook = hookOf(object);
    if (hook) return { hook, rest: path.slice(i), value };
    const kind = i === 0 && rootKind !== null ? rootKind : kindOf(object);
    if (kind === "none") throw notImplemented(before);
    self = object;
    value = member(object, kind, name, i === 0 && top === "handlers");
  }
  if ((typeof value === "object" && value !== null) || typeof value === "function") {
    const hook = hookOf(value as object);
    if (hook) return { hook, rest: [], value };
  }
  return { hook: null, value, self };
}

/** The name that messages give to what a path leads to. */
export function notAFunction(path: readonly string[]): TypeError {
  const name = path.at(-1);
  return new TypeError(name === undefined ? "The RPC receiver is not a function." : `"${name}" is not a function.`);
}

async function followResult(root: unknown, path: readonly string[], args: Payload | null): Promise<Payload> {
  let found: Found;
  try {
    found = find(root, null, path);
    if (found.hook === null && args !== null) throw notAFunction(path);
  } catch (error) {
    args?.dispose();
    throw Object.assign(error as object, { remote: true });
  }
  if (found.hook === null) return copyValue(found.value);
  if (found.rest.length === 0 && args === null) return copyValue(found.value);
  return found.hook.call(found.rest, args).promise;
}

setFollowResult(followResult);
