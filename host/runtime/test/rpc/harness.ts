// Agents without a core: a dispatcher of its own that runs objects in this process, and hosts that are
// joined by a pipe. What is tested on it is rpc/ and modules/ as they are.
import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import { registerHooks } from "node:module";
import type { Addon, Database } from "../../src/addon.ts";
import type { AgentAddress, AgentInstance, AgentOperation, Dispatcher, FarSocket, RuntimeServices } from "../../src/agent/types.ts";
import { NAMES } from "../../src/modules/names.ts";
import { configureWorkers, registerModules } from "../../src/modules/register.ts";
import { createRpc, type Rpc } from "../../src/rpc/index.ts";
import { installGlobals } from "../../src/web/globals.ts";
import { makeStandIn, serverEnd, type WebSocket } from "../../src/web/websocket.ts";

installGlobals({ compatibilityFlags: {} });
registerModules();
registerHooks({
  resolve(specifier, context, next) {
    return specifier in NAMES ? { url: specifier, format: "module", shortCircuit: true } : next(specifier, context);
  },
  load(url, context, next) {
    const names = NAMES[url];
    if (names === undefined) return next(url, context);
    const table = `globalThis[Symbol.for("hearth.modules")][${JSON.stringify(url)}]`;
    const source = `const m = ${table};\n` + names.map((name) => `export const ${name} = m.${name};`).join("\n");
    return { format: "module", source, shortCircuit: true };
  },
});

/** The agents whose responses sockets came in. */
const owners = new WeakMap<object, object>();

type Class = new (ctx: object, env: object) => object;
const root = AsyncLocalStorage.snapshot();
const scope = new AsyncLocalStorage<FakeAgent>();

/** An agent whose writes are durable when the test says so. */
export class FakeAgent implements AgentInstance {
  readonly address: AgentAddress;
  broken = false;
  holds = 0;
  object: object | null = null;
  reason: unknown = null;
  #wait: Promise<void> | null = null;
  readonly #failed = Promise.withResolvers<never>();

  constructor(address: AgentAddress) {
    this.address = address;
    this.#failed.promise.catch(() => {});
  }
  get durable(): boolean {
    return this.#wait === null;
  }
  get database(): Database {
    return { durable: this.#wait === null } as Database;
  }
  /** Begins a write that lasts until the returned function is called. */
  write(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wait = promise;
    return () => {
      this.#wait = null;
      resolve();
    };
  }
  readonly #watchers = new Set<(reason: unknown) => void>();
  watch(ended: (reason: unknown) => void): void {
    this.#watchers.add(ended);
  }
  unwatch(ended: (reason: unknown) => void): boolean {
    return this.#watchers.delete(ended);
  }
  hold(): () => void {
    this.holds++;
    let held = true;
    return () => {
      if (held) this.holds--;
      held = false;
    };
  }
  async enter<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.broken) throw this.reason;
    const done = root(() => scope.run(this, async () => work()));
    const result = await Promise.race([done, this.#failed.promise]);
    await this.#wait;
    return result;
  }
  whenDurable(): Promise<void> {
    return this.#wait ?? Promise.resolve();
  }
  abort(reason: unknown): void {
    this.broken = true;
    this.reason = Object.assign(new Error(String(reason)), { durableObjectReset: true });
    this.#failed.reject(this.reason);
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const ended of watchers) ended(this.reason);
  }
}

export interface FakeHost {
  readonly rpc: Rpc;
  readonly agents: Map<string, FakeAgent>;
  readonly env: Record<string, unknown>;
  readonly exports: Record<string, unknown>;
  /** The client ends that the core was given, by connection. */
  readonly connections: ReadonlyMap<number, object>;
  /** What the worker does with a response's socket that it answers a client with. */
  connectionOf(webSocket: object): number | Promise<number>;
  namespace(className: string): object;
}

export interface World {
  readonly hosts: readonly FakeHost[];
  /** Ends a host as a crash would. */
  kill(slot: number): void;
  /** Frames sent so far between hosts. */
  frames(): number;
}

function idFor(name: string, slot: number, count: number): string {
  for (let salt = 0; ; salt++) {
    const id = createHash("sha256").update(`${name}/${salt}`).digest("hex");
    if (ownerOf(id, count) === slot) return id;
  }
}

function ownerOf(id: string, count: number): number {
  return Number(Buffer.from(id.slice(0, 16), "hex").readBigUInt64LE() % BigInt(count));
}

export interface Settings {
  classes: Record<string, Class>;
  entrypoints?: Record<string, unknown>;
  /** Which host owns an agent of this name; the first by default. */
  place?(name: string): number;
  hosts?: number;
}

export function makeWorld(settings: Settings): World {
  const count = settings.hosts ?? 1;
  const hosts: FakeHost[] = [];
  const dead = new Set<number>();
  let frames = 0;
  const deliver = (from: number, to: number, data: Uint8Array): void => {
    frames++;
    const copy = Uint8Array.from(data);
    setImmediate(() => {
      if (!dead.has(from) && !dead.has(to)) hosts[to]!.rpc.peers.received(from + 1, copy);
    });
  };
  for (let slot = 0; slot < count; slot++) hosts.push(makeHost(settings, slot, count, deliver));
  for (const { rpc } of hosts) for (let slot = 0; slot < count; slot++) rpc.peers.serves(slot, slot + 1);
  return {
    hosts,
    kill(slot) {
      dead.add(slot);
      hosts.forEach((host, other) => other !== slot && host.rpc.peers.gone(slot + 1));
    },
    frames: () => frames,
  };
}

function makeHost(
  settings: Settings, slot: number, count: number, deliver: (from: number, to: number, data: Uint8Array) => void,
): FakeHost {
  const agents = new Map<string, FakeAgent>();
  const names = Object.keys(settings.classes);
  const env: Record<string, unknown> = {};
  const exported: Record<string, unknown> = {};
  const connections = new Map<number, object>();
  const far = new Map<object, FarSocket>();

  const callAgent = async (address: AgentAddress, operation: AgentOperation): Promise<unknown> => {
    const key = `${address.namespace}/${address.id}`;
    let agent = agents.get(key);
    if (agent === undefined || agent.broken) {
      agent = new FakeAgent(address);
      agents.set(key, agent);
    }
    const made = agent;
    return made.enter(async () => {
      if (made.object === null) {
        const id = { name: address.name || undefined, toString: () => address.id };
        const ctx = { id, exports: exported, abort: (reason: unknown) => made.abort(reason) };
        made.object = new settings.classes[names[address.namespace]!]!(ctx, env);
      }
      if (operation.kind === "rpc") return operation.invoke(made.object, made);
      const answer = await (made.object as { fetch(request: Request): unknown }).fetch(operation.request);
      const { webSocket } = answer as { webSocket?: object | null };
      if (webSocket) owners.set(webSocket, made);
      return answer;
    });
  };
  const dispatcher: Dispatcher = {
    hostSlot: slot,
    hostCount: count,
    namespaces: names.map((className, index) => ({ index, className, uniqueKey: className, sqlite: true })),
    ownerOf: (id) => ownerOf(id, count),
    callAgent,
    get currentAgent() {
      return scope.getStore() ?? null;
    },
  };
  const addon = { peerSend: (_gate: null, peer: number, data: Uint8Array) => deliver(slot, peer - 1, data) } as Partial<Addon>;
  const services: RuntimeServices = {
    addon: addon as Addon,
    dispatcher,
    openEntrypoint(name, props) {
      const found = settings.entrypoints?.[name];
      if (found === undefined) return null;
      const ctx = { props, exports: exported, waitUntil() {} };
      return typeof found === "function"
        ? { kind: "class", target: new (found as Class)(ctx, env), env, ctx }
        : { kind: "object", target: found as object, env, ctx };
    },
    connectionOf(webSocket) {
      const lent = far.get(webSocket);
      if (lent !== undefined) return lent.connection();
      serverEnd(webSocket as WebSocket);
      const connection = slot * 1000 + connections.size + 1;
      connections.set(connection, webSocket);
      return connection;
    },
    socketOwner: (webSocket) => (owners.get(webSocket) as FakeAgent | undefined) ?? null,
    standIn(lent) {
      const socket = makeStandIn(() => lent.claim(socket));
      far.set(socket, lent);
      return socket;
    },
  };
  const rpc = createRpc(services);
  const namespace = (className: string): object => {
    const index = names.indexOf(className);
    const get = (id: { name?: string; toString(): string }): object =>
      rpc.agentStub({ namespace: index, id: id.toString(), name: id.name ?? "" }, id);
    class DurableObjectId {
      name: string;
      constructor(name: string) {
        this.name = name;
      }
      toString(): string {
        return idFor(`${className}/${this.name}`, settings.place?.(this.name) ?? 0, count);
      }
    }
    class DurableObjectNamespace {
      idFromName = (name: string): DurableObjectId => new DurableObjectId(name);
      get = get;
      getByName = (name: string): object => get(new DurableObjectId(name));
    }
    return new DurableObjectNamespace();
  };
  for (const name of names) exported[name] = namespace(name);
  for (const name of Object.keys(settings.entrypoints ?? {})) exported[name] = rpc.loopback(name);
  configureWorkers({ env, exports: exported });
  const { connectionOf } = services;
  return { rpc, agents, env, exports: exported, connections, connectionOf, namespace };
}
