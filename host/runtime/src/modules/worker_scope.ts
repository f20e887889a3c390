// What the module `cloudflare:workers` shows of the worker that imports it: the live `env` and
// `exports`, and waitUntil. Each worker of a process has one; before it is configured (no bundle is
// loaded then) they are empty.
import { AsyncLocalStorage } from "node:async_hooks";

/** What the module's own functions do is the worker's business. */
export interface WorkersHooks {
  env: object;
  exports: object;
  /** Keeps what runs alive until the promise settles; reports its rejection. */
  waitUntil(promise: Promise<unknown>): void;
}

interface Scope { env: object; exports: object }

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

/** The module's members that differ from worker to worker, and how they are configured. */
export function makeWorkerScope() {
  let configured: Scope = { env: {}, exports: {} };
  let keep: WorkersHooks["waitUntil"] = (promise) => void promise.catch((error: unknown) => reportError(error));
  const scopes = new AsyncLocalStorage<Scope>();
  const scope = (): Scope => scopes.getStore() ?? configured;
  const members = {
    env: live(() => scope().env),
    exports: live(() => scope().exports),
    withEnv: <T>(env: object, work: () => T): T => scopes.run({ ...scope(), env }, work),
    withExports: <T>(exports: object, work: () => T): T => scopes.run({ ...scope(), exports }, work),
    withEnvAndExports: <T>(env: object, exports: object, work: () => T): T => scopes.run({ env, exports }, work),
    waitUntil: (promise: unknown): void => keep(Promise.resolve(promise)),
  };
  const configure = (given: Pick<WorkersHooks, "env" | "exports"> & Partial<WorkersHooks>): void => {
    configured = { env: given.env, exports: given.exports };
    keep = given.waitUntil ?? keep;
  };
  return { members, configure };
}
