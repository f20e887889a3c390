// Hooks on what lives in this process: exported functions and targets, agents, entrypoints. Here a
// call meets user code: arguments come in copied, the member is looked up by resolve.ts's rules, and
// what is returned or thrown is copied out in the same turn, in its owner's context.
import { AsyncLocalStorage } from "node:async_hooks";
import type { AgentAddress, AgentInstance, Dispatcher, OpenEntrypoint, Peers, RuntimeServices } from "../agent/types.ts";
import { type Body, makeHeadersImmutable } from "../web/body.ts";
import { copyThrown, copyValue, isRpcTarget, setExportTarget } from "./copy.ts";
import { dataCloneError, markRemote } from "./errors.ts";
import { failed, Hook, LocalReply, type Payload, type Reply } from "./hook.ts";
import { currentOwner, type Owner } from "./owner.ts";
import { find, kindOf, notAFunction, type Kind } from "./resolve.ts";
import { disposedReply } from "./stub.ts";

const root = AsyncLocalStorage.snapshot();

/** Calls or reads on user code. `extra` follows a handler's single argument where it is not a class's. */
async function deliver(
  target: object, kind: Kind, path: readonly string[], args: Payload | null,
  agentId: string | null, extra: readonly unknown[] | null, top: "handlers" | "object" = "handlers",
): Promise<Payload> {
  try {
    const found = find(target, kind, path, top);
    if (found.hook !== null) {
      if (found.rest.length === 0 && args === null) return copyValue(found.value);
      return await found.hook.call(found.rest, args).promise;
    }
    let result = found.value;
    if (args !== null) {
      if (typeof result !== "function") throw notAFunction(path);
      let values = args.value as unknown[];
      if (extra !== null) {
        if (values.length !== 1) throw wrongArgumentCount(path);
        values = [values[0], ...extra];
      }
      result = Reflect.apply(result, found.self, values);
    }
    return copyValue(await result);
  } catch (error) {
    throw markRemote(copyThrown(error), error instanceof Error ? agentId : null);
  } finally {
    args?.dispose();
  }
}

function wrongArgumentCount(path: readonly string[]): TypeError {
  return new TypeError(
    `Attempted to call RPC function "${path.join(".")}" with the wrong number of arguments. When calling a top-level ` +
      "handler function that is not declared as part of a class, you must always send exactly one argument. In order to " +
      "support variable numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.");
}

/** An exported object, shared by all hooks on it. */
class Export {
  readonly target: object;
  readonly owner: Owner;
  #references = 1;
  readonly #release: () => void;

  constructor(target: object, owner: Owner) {
    this.target = target;
    this.owner = owner;
    this.#release = owner.hold(true);
  }
  add(): this {
    this.#references++;
    return this;
  }
  drop(): void {
    if (--this.#references > 0) return;
    const { target, owner } = this;
    const dispose = typeof target === "object" ? (target as Partial<Disposable>)[Symbol.dispose] : undefined;
    if (typeof dispose === "function" && isRpcTarget(target) && !owner.agent?.broken) {
      owner.enter(async () => Reflect.apply(dispose, target, [])).then(this.#release, this.#release);
    } else {
      this.#release();
    }
  }
}

// A stub that is forgotten without being disposed of counts as disposed of, some time.
const forgotten = new FinalizationRegistry<Export>((exported) => exported.drop());

class LocalHook extends Hook {
  #export: Export | null;
  #callbacks: ((error: unknown) => void)[] | null = null;

  constructor(exported: Export) {
    super();
    this.#export = exported;
    forgotten.register(this, exported, this);
  }

  override call(path: readonly string[], args: Payload | null): Reply {
    if (this.#export === null) return disposedReply(args);
    const { target, owner } = this.#export;
    const kind = kindOf(target);
    const id = owner.agent?.address.id ?? null;
    const result = owner.enter(() => deliver(target, kind, path, args, id, null, "object"));
    result.catch((error: unknown) => {
      if (owner.agent?.broken) this.#broke(error);
    });
    return new LocalReply(result);
  }
  override dup(): Hook {
    if (this.#export === null) throw new Error("RPC stub used after being disposed.");
    return new LocalHook(this.#export.add());
  }
  override dispose(): void {
    const exported = this.#export;
    if (exported === null) return;
    this.#export = null;
    forgotten.unregister(this);
    exported.drop();
  }
  override onBroken(callback: (error: unknown) => void): void {
    (this.#callbacks ??= []).push(callback);
  }
  #broke(error: unknown): void {
    const callbacks = this.#callbacks;
    this.#callbacks = null;
    for (const callback of callbacks ?? []) callback(error);
  }
}

setExportTarget((target) => {
  let exported = target;
  const dup = isRpcTarget(target) ? (target as { dup?: unknown }).dup : undefined;
  if (typeof dup === "function") {
    exported = Reflect.apply(dup, target, []) as object;
    if (typeof exported !== "object" || exported === null || !isRpcTarget(exported)) {
      throw dataCloneError(
        "Couldn't create a stub for the RpcTarget because it has a dup() method which did not return another " +
          "RpcTarget. Either remove the dup() method or make sure it returns an RpcTarget.");
    }
  }
  return new LocalHook(new Export(exported, currentOwner()));
});

const NO_RPC =
  "The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`. " +
  "In order to enable RPC, make sure your class extends the special class `DurableObject`, which can be imported from " +
  "the module \"cloudflare:workers\".";

let durableObject: abstract new (...args: never[]) => object;
export function setDurableObject(type: typeof durableObject): void {
  durableObject = type;
}

/** What is called on an agent's object, in its turn. */
async function deliverToAgent(
  target: object, agent: AgentInstance, path: readonly string[], args: Payload | null,
): Promise<Payload> {
  if (!(target instanceof durableObject)) {
    args?.dispose();
    throw markRemote(new TypeError(NO_RPC), null);
  }
  return deliver(target, "instance", path, args, agent.address.id, null);
}

/**
 * An agent, wherever it lives. Refers by address, so that it needs no releasing. `portable`: every host
 * can find it by that address (facets are known to their own host only).
 */
export class AgentHook extends Hook {
  readonly address: AgentAddress;
  readonly portable: boolean;
  readonly #dispatcher: Dispatcher;
  readonly #peers: PeerCalls;

  constructor(address: AgentAddress, dispatcher: Dispatcher, peers: PeerCalls, portable = false) {
    super();
    this.address = address;
    this.portable = portable;
    this.#dispatcher = dispatcher;
    this.#peers = peers;
  }
  override call(path: readonly string[], args: Payload | null): Reply {
    if (!this.#local) return this.#peers.callAgent(this.address, path, args);
    const result = this.#dispatcher.callAgent(this.address, {
      kind: "rpc",
      invoke: (target, agent) => deliverToAgent(target, agent, path, args),
      elsewhere: (host) => this.#peers.callThere(host, this.address, path, args).promise,
    }) as Promise<Payload>;
    if (args?.hasStubs) result.catch(() => args.dispose());
    return new LocalReply(result);
  }
  override fetch(request: Request): Promise<Response> {
    if (!this.#local) return this.#peers.fetch(this.address, request);
    return this.#dispatcher.callAgent(this.address, {
      kind: "fetch",
      request,
      elsewhere: (host) => this.#peers.fetchThere(host, this.address, request),
    }) as Promise<Response>;
  }
  get #local(): boolean {
    const dispatcher = this.#dispatcher;
    return dispatcher.hostCount <= 1 || dispatcher.ownerOf(this.address.id) === dispatcher.hostSlot;
  }
  override dup(): Hook {
    return this;
  }
  override dispose(): void {}
}

/** What AgentHook asks of the sessions with other hosts. */
export interface PeerCalls extends Pick<Peers, "fetch"> {
  callAgent(address: AgentAddress, path: readonly string[], args: Payload | null): Reply;
  /** The same on the host with that number, or with 0 the next that serves the agent's slot. */
  callThere(host: number, address: AgentAddress, path: readonly string[], args: Payload | null): Reply;
  fetchThere(host: number, address: AgentAddress, request: Request): Promise<Response>;
}

/** An entrypoint of a worker of this process: every call is answered by an instance of its own. */
export class EntrypointHook extends Hook {
  readonly entrypoint: string;
  readonly props: unknown;
  readonly worker: number;
  readonly #services: Pick<RuntimeServices, "openEntrypoint" | "asset">;

  constructor(entrypoint: string, props: unknown, worker: number,
              services: Pick<RuntimeServices, "openEntrypoint" | "asset">) {
    super();
    this.entrypoint = entrypoint;
    this.props = props;
    this.worker = worker;
    this.#services = services;
  }
  #opened(): OpenEntrypoint {
    const opened = this.#services.openEntrypoint(this.entrypoint, this.props, this.worker);
    if (opened === null) {
      throw new TypeError(
        `The worker has no entrypoint named "${this.entrypoint}". Export a class of that name that extends ` +
          "WorkerEntrypoint from the main module, or correct the binding's \"entrypoint\".");
    }
    return opened;
  }
  override call(path: readonly string[], args: Payload | null): Reply {
    try {
      return root(() => {
        const { kind, target, env, ctx } = this.#opened();
        const extra = kind === "object" ? [env, ctx] : null;
        return new LocalReply(deliver(target, kind === "class" ? "instance" : "plain", path, args, null, extra));
      });
    } catch (error) {
      args?.dispose();
      return failed(error);
    }
  }
  override async fetch(request: Request): Promise<Response> {
    return root(async () => {
      const asset = this.entrypoint === "default" ? this.#services.asset?.(request, this.worker) : null;
      if (asset) return asset;
      const { kind, target, env, ctx } = this.#opened();
      const handler = (target as { fetch?: unknown }).fetch;
      if (typeof handler !== "function") throw new TypeError("Handler does not export a fetch() function.");
      const response: unknown = await Reflect.apply(handler, target, kind === "object" ? [request, env, ctx] : [request]);
      if (!(response instanceof Response)) {
        throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
      }
      makeHeadersImmutable(response as unknown as Body);
      return response;
    });
  }
  override async scheduled(controller: object): Promise<void> {
    await root(async () => {
      const { kind, target, env, ctx } = this.#opened();
      const handler = (target as { scheduled?: unknown }).scheduled;
      if (typeof handler !== "function") throw new Error("Handler does not export a scheduled() function.");
      await Reflect.apply(handler, target, kind === "object" ? [controller, env, ctx] : [controller]);
    });
  }
  override dup(): Hook {
    return this;
  }
  override dispose(): void {}
}

/** What hosts ask of each other themselves. */
export class HostHook extends Hook {
  readonly #answer: (action: string, args: readonly unknown[]) => Promise<void>;

  constructor(answer: (action: string, args: readonly unknown[]) => Promise<void>) {
    super();
    this.#answer = answer;
  }
  override call(path: readonly string[], args: Payload | null): Reply {
    return new LocalReply(root(async () => {
      try {
        await this.#answer(path[0] ?? "", (args?.value ?? []) as unknown[]);
        return copyValue(undefined);
      } finally {
        args?.dispose();
      }
    }));
  }
  override dup(): Hook {
    return this;
  }
  override dispose(): void {}
}
