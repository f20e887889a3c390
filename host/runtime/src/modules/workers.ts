// The module `cloudflare:workers`: base classes, the stubs' classes, and what each worker has of its own.
import { setRpcTarget } from "../rpc/copy.ts";
import { setDurableObject } from "../rpc/local.ts";
import { RpcPromise, RpcProperty, RpcStub, ServiceStub } from "../rpc/stub.ts";
import { tracing } from "./tracing.ts";
import { makeWorkerScope } from "./worker_scope.ts";

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

const first = makeWorkerScope();

/** Of the first worker; a further one has its own in their place (register.ts). */
export const { env, exports, withEnv, withExports, withEnvAndExports, waitUntil } = first.members;
export const configureFirst = first.configure;

export function abortIsolate(_reason?: unknown): never {
  throw new Error("abortIsolate() is not supported here. Use ctx.abort() to reset one Durable Object.");
}

/** The cache of a cached entrypoint: nothing is cached here, so there is nothing to purge. */
export const cache = {
  async purge(_options: unknown): Promise<{ success: boolean; errors: unknown[] }> {
    return { success: true, errors: [] };
  },
};

/** The name of the method by which an entrypoint's stub is restored from storage. */
export const restore: symbol = Symbol("restore");
