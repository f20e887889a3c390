// The module `cloudflare:workers`: base classes, the stubs' classes, and the live `env` and `exports`,
// which the runtime fills when it is configured. Before that (no bundle is loaded then) they are empty.
import { AsyncLocalStorage } from "node:async_hooks";
import { setRpcTarget } from "../rpc/copy.ts";
import { setDurableObject } from "../rpc/local.ts";
import { RpcPromise, RpcProperty, RpcStub, ServiceStub } from "../rpc/stub.ts";
import { tracing } from "./tracing.ts";

export { RpcPromise, RpcProperty, RpcStub, ServiceStub, tracing };

function requireObject(type: string, value: unknown, expected: string): void {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      `Failed to construct '${type}': constructor parameter 1 is not of type '${expected}'.`);
  }
}

export class DurableObject<Env = unknown> {
  ctx: object;
  env: Env;
  constructor(ctx: object, env: Env) {
    requireObject("DurableObjectBase", ctx, "DurableObjectState");
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkerEntrypoint<Env = unknown> {
  ctx: object;
  env: Env;
  constructor(ctx: object, env: Env) {
    requireObject("WorkerEntrypoint", ctx, "Object");
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkflowEntrypoint<Env = unknown> {
  ctx: object;
  env: Env;
  constructor(ctx: object, env: Env) {
    requireObject("WorkflowEntrypoint", ctx, "Object");
    this.ctx = ctx;
    this.env = env;
  }
}

export class RpcTarget {}

setRpcTarget(RpcTarget);
setDurableObject(DurableObject);

/** An object whose members are those of another one, which changes with the async context. */
function live(current: () => object): object {
  const members = (): Record<PropertyKey, unknown> => current() as Record<PropertyKey, unknown>;
  return new Proxy({}, {
    get: (_target, key) => Reflect.get(members(), key),
    set: (_target, key, value) => Reflect.set(members(), key, value),
    has: (_target, key) => Reflect.has(members(), key),
    deleteProperty: (_target, key) => Reflect.deleteProperty(members(), key),
    ownKeys: () => Reflect.ownKeys(members()),
    getPrototypeOf: () => Object.prototype,
    getOwnPropertyDescriptor: (_target, key) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(members(), key);
      return descriptor && { ...descriptor, configurable: true };
    },
  });
}

interface Scope { env: object; exports: object }
let configured: Scope = { env: {}, exports: {} };
const scopes = new AsyncLocalStorage<Scope>();
const scope = (): Scope => scopes.getStore() ?? configured;

export const env = live(() => scope().env);
export const exports = live(() => scope().exports);

export function withEnv<T>(newEnv: object, work: () => T): T {
  return scopes.run({ ...scope(), env: newEnv }, work);
}
export function withExports<T>(newExports: object, work: () => T): T {
  return scopes.run({ ...scope(), exports: newExports }, work);
}
export function withEnvAndExports<T>(newEnv: object, newExports: object, work: () => T): T {
  return scopes.run({ env: newEnv, exports: newExports }, work);
}

/** What the module's own functions do is the worker's business. */
export interface WorkersHooks {
  env: object;
  exports: object;
  /** Keeps what runs alive until the promise settles; reports its rejection. */
  waitUntil(promise: Promise<unknown>): void;
  /** Ends the worker's life: every agent of this host is reset. */
  abortIsolate(reason?: unknown): void;
}

let hooks: Pick<WorkersHooks, "waitUntil" | "abortIsolate"> = {
  waitUntil: (promise) => void promise.catch((error: unknown) => reportError(error)),
  abortIsolate: () => {
    throw new Error("abortIsolate() is not supported here. Use ctx.abort() to reset one Durable Object.");
  },
};

export function configureWorkers(given: Pick<WorkersHooks, "env" | "exports"> & Partial<WorkersHooks>): void {
  configured = { env: given.env, exports: given.exports };
  hooks = { waitUntil: given.waitUntil ?? hooks.waitUntil, abortIsolate: given.abortIsolate ?? hooks.abortIsolate };
}

export function waitUntil(promise: unknown): void {
  hooks.waitUntil(Promise.resolve(promise));
}
export function abortIsolate(reason?: unknown): void {
  hooks.abortIsolate(reason);
}

/** The cache of a cached entrypoint: nothing is cached here, so there is nothing to purge. */
export const cache = {
  async purge(_options: unknown): Promise<{ success: boolean; errors: unknown[] }> {
    return { success: true, errors: [] };
  },
};

/** The name of the method by which an entrypoint's stub is restored from storage. */
export const restore: symbol = Symbol("restore");
