// RPC as the rest of the runtime uses it: makes the stubs that user code gets, and the sessions with
// other hosts. One for a host, made before the bundle is loaded.
import type { AgentAddress, Peers, RuntimeServices } from "../agent/types.ts";
import { AgentHook, EntrypointHook, HostHook } from "./local.ts";
import { currentGate, setDispatcher } from "./owner.ts";
import { PeerSessions } from "./peer.ts";
import { hookOf, newAgentStub, newFetcher, setOutputGate } from "./stub.ts";

export interface Rpc {
  readonly peers: Peers;
  /** What `namespace.get(id)` returns. `id` is the object that `stub.id` shows. */
  agentStub(address: AgentAddress, id: object): object;
  /** A service binding on an entrypoint ("default" or a name) of a worker, with its props. */
  entrypoint(name: string, props?: unknown, worker?: number): object;
  /** `ctx.exports.Name` of an entrypoint: a stub, and a function that takes `{ props }`. */
  loopback(name: string, worker?: number): object;
  /** Whose stub that is; null: not of an agent that every host finds. */
  addressOf(stub: unknown): AgentAddress | null;
  /** Asks the host of another slot itself: its services' hostCall() answers. */
  callHost(slot: number, action: string, args: readonly unknown[]): Promise<void>;
}

export function createRpc(services: RuntimeServices): Rpc {
  const { dispatcher } = services;
  setDispatcher(dispatcher);
  setOutputGate(currentGate);
  const entrypoint = (name: string, props: unknown, worker: number): EntrypointHook =>
    new EntrypointHook(name, props, worker, services);
  const agent = (address: AgentAddress): AgentHook => new AgentHook(address, dispatcher, peers, true);
  const hostCall = services.hostCall ?? (async (action: string) => { throw new Error(`This host does not know "${action}".`); });
  const peers = new PeerSessions(services, { agent, entrypoint, host: () => new HostHook(hostCall) });
  return {
    peers,
    agentStub: (address, id) => newAgentStub(agent(address), id, address.name || undefined),
    entrypoint: (name, props = {}, worker = 0) => newFetcher(entrypoint(name, props, worker)),
    addressOf: (stub) => {
      const hook = typeof stub === "object" && stub !== null ? hookOf(stub) : null;
      return hook instanceof AgentHook && hook.portable ? hook.address : null;
    },
    callHost: (slot, action, args) => peers.callHost(slot, action, args),
    loopback: (name, worker = 0) => loopback((props) => newFetcher(entrypoint(name, props, worker))),
  };
}

/** A stub that can also be called, to bind it to props. */
function loopback(make: (props: unknown) => object): object {
  class LoopbackServiceStub {}
  const stub = make({}) as Record<PropertyKey, unknown>;
  return new Proxy(() => {}, {
    apply: (_target, _self, [options]: [{ props?: unknown }?]) => make(options?.props ?? {}),
    get: (_target, key) => (key === "constructor" ? LoopbackServiceStub : stub[key]),
    has: (_target, key) => key in stub,
    getPrototypeOf: () => Object.getPrototypeOf(stub) as object,
  });
}
