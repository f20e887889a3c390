// What the rooms of the runtime know of each other: agents, their namespaces, and the way to call
// one. Only types live here, so that any room may import it without a cycle.
import type { Addon, Database } from "../addon.ts";
import type { Remote } from "../web/websocket.ts";

/**
 * A class that stores state; `index` is its place in the worker document. `worker`: whose it is, 0 or
 * absent the first's. `removed`: the configuration no longer has it, only its number is kept.
 */
export interface NamespaceInfo {
  readonly index: number;
  readonly worker?: number;
  readonly removed?: boolean;
  readonly className: string;
  readonly uniqueKey: string;
  readonly sqlite: boolean;
}

/** Which agent is meant. `name` is empty for one that was never named. */
export interface AgentAddress {
  readonly namespace: number;
  readonly id: string; // 64 hex digits
  readonly name: string;
}

/**
 * What is asked of an agent. `fetch` calls its fetch handler. `rpc` calls `invoke` with the user's
 * object in the agent's turn, behind its input gate; what `invoke` returns (or throws) is the answer.
 * rpc/ decides there what may be called, and copies arguments and result in that same turn.
 */
export type AgentOperation = (
  | { readonly kind: "fetch"; readonly request: Request }
  | { readonly kind: "rpc"; readonly invoke: (target: object, agent: AgentInstance) => unknown }
) & {
  /** Asks the agent where it is, if it is not here and the operation has not begun: on the host with that number. */
  readonly elsewhere?: (host: number) => Promise<unknown>;
};

/** One agent that is resident on this host. */
export interface AgentInstance {
  readonly address: AgentAddress;
  /** The agent's database and output gate; opened at first use. */
  readonly database: Database;
  /** True when nothing that it wrote is still waiting to be durable; does not open the database. */
  readonly durable: boolean;
  /** The running code is inside a storage.transaction() of it: nothing that it asks of others may wait for that. */
  readonly insideTransaction?: boolean;
  /** True from a reset or an eviction on: nothing more may be done with it. */
  readonly broken: boolean;
  /**
   * Keeps the agent resident while something outside of an event still refers to it (a stream, a
   * callback that another side holds). Returns the release; calling it twice does nothing. `light`: new
   * code in `dev` does not wait for it.
   */
  hold(light?: boolean): () => void;
  /**
   * Runs `work` as an event of this agent (behind its input gate, counted as running until its
   * promise settles, its answer held until what was written is durable). For callbacks, returned
   * targets and streams, which belong to the agent and outlive the call that made them.
   */
  enter<T>(work: () => T | Promise<T>): Promise<T>;
  /** Resolves when all that the agent wrote so far is durable; rejects if it could not be. */
  whenDurable(): Promise<void>;
  /** Calls `ended` if the agent is reset before unwatch(), which is false if it was called already. */
  watch(ended: (reason: unknown) => void): void;
  unwatch(ended: (reason: unknown) => void): boolean;
}

/** The way to a Response's socket that another host holds. One of the two is called, once, or none. */
export interface FarSocket {
  /** The core gets it: its connection there. */
  connection(): Promise<number>;
  /** Code of this host accepted `end`, which stands for it: how to send. */
  claim(end: object): Remote;
}

/** How the rest of the runtime reaches agents. */
export interface Dispatcher {
  readonly hostSlot: number;
  readonly hostCount: number;
  readonly namespaces: readonly NamespaceInfo[];
  /** The slot of the host that owns an id: its first eight bytes, little-endian, modulo hostCount. */
  ownerOf(id: string): number;
  /**
   * Runs `operation` in an agent that this host owns, waking it if need be. Resolves with the answer
   * once all that the agent wrote before is durable. Rejects with what the handler threw, or with
   * the reason why the agent was reset.
   */
  callAgent(address: AgentAddress, operation: AgentOperation): Promise<unknown>;
  /** The agent in whose synchronous code we are, or null (in the worker, or between turns). */
  readonly currentAgent: AgentInstance | null;
}

/**
 * The same, for agents on other hosts; rpc/ provides it. `fetch` resolves with a Response whose body
 * and webSocket work as if it were local.
 */
export interface Peers {
  fetch(address: AgentAddress, request: Request): Promise<Response>;
  call(address: AgentAddress, path: readonly string[], args: readonly unknown[]): Promise<unknown>;
  /** From handlers.hostServes, handlers.peerData and handlers.peerGone. */
  serves(slot: number, host: number): void;
  /** Something that was begun with another host is not over. */
  readonly busy: boolean;
  received(peer: number, data: Uint8Array): void;
  gone(peer: number): void;
}

/**
 * One call's target in the worker itself: what `exports` has under a name, made for this call.
 * `target` is a new instance of its class, or the exported object as it is (`kind` "object").
 */
export interface OpenEntrypoint {
  readonly kind: "class" | "object";
  readonly target: object;
  readonly env: unknown;
  readonly ctx: unknown;
}

/** What rpc/ needs to start. */
export interface RuntimeServices {
  readonly addon: Addon;
  readonly dispatcher: Dispatcher;
  /**
   * Opens an entrypoint ("default" or a named one) of a worker by its number, with `ctx.props`; null if
   * that worker has none.
   */
  openEntrypoint(name: string, props: unknown, worker: number): OpenEntrypoint | null;
  /** The file that a worker's assets have for a request to its default entrypoint, or null. */
  asset?(request: Request, worker: number): Response | Promise<Response> | null;
  /**
   * The core's connection for the client end of a pair (a Response's webSocket): opened with SocketOpen
   * if it was not yet. Asking again gives the same id.
   */
  connectionOf(webSocket: object): number | Promise<number>;
  /** The agent of this host whose response a client end came in, if its end ends with its life. */
  socketOwner(webSocket: object): AgentInstance | null;
  /** Errors that the SDK hid behind responses it made of them, for the host that answers. */
  readonly complaints?: {
    madeOf(body: unknown): Error | undefined;
    learn(body: unknown, error: Error): void;
  };
  /** What another host asks of this one itself. */
  hostCall?(action: string, args: readonly unknown[]): Promise<void>;
  /** A socket to put into a Response here for one that another host holds. */
  standIn(far: FarSocket): object;
}

// Two rules for whoever implements Dispatcher: `currentAgent` is right after an `await` too (it is kept
// in the async context, not in a variable); and callAgent and enter run their work in the async context
// of the runtime's start plus that agent, not in the caller's, so that no AsyncLocalStorage of user
// code is seen on the other side of a call.
