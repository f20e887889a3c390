// One life of an agent: the user's object, its database and its gates, from construction to eviction
// or reset. The input gate is `open`: while it is shut (construction, blockConcurrencyWhile, an
// asynchronous transaction) events wait in order. Events begin one at a time, with microtasks drained
// between, and run interleaved at their awaits. Nothing of a life runs once it is broken.
import type { AsyncLocalStorage } from "node:async_hooks";
import type { Database } from "../addon.ts";
import { BLOCKED_TOO_LONG, Elsewhere, expectReset, overloaded, resetError, storageError } from "./errors.ts";
import type { AgentClass, AgentHost, UserObject } from "./host.ts";
import { callFetch } from "./fetch_event.ts";
import type { FacetTable } from "./facets.ts";
import { enter, enterAnew, leave } from "./marks.ts";
import { type Cause, type Context, contextOf, currentCause, runFor } from "./scope.ts";
import type { WebSocket } from "../web/websocket.ts";
import type { AgentSockets } from "./sockets.ts";
import { DurableObjectState } from "./state.ts";
import type { StorageOwner } from "./storage.ts";
import type { AgentAddress, AgentInstance, AgentOperation } from "./types.ts";

const BLOCK_TIMEOUT_MS = 30_000;
/** As the core's bound of messages for one agent (src/base/limits.h). */
const EVENTS_MAX = 4096;

/** An event that may have to wait. Exactly one of its functions is called, once. */
export interface AgentEvent {
  begin(agent: Agent): void;
  /** The life ended before the event began. */
  fail(reason: unknown): void;
}

/** Who keeps the agent: the table of residents, or the parent of a facet. */
export interface AgentKeeper {
  readonly address: AgentAddress;
  readonly path: string;
  readonly parent: Agent | null;
  readonly sockets: AgentSockets;
  agentClass(): AgentClass;
  /** The agent was reset; events it had not begun are handed back, in order. */
  ended(agent: Agent, reason: unknown, waiting: AgentEvent[]): void;
}

// Announced: the core has been told of it and has not answered yet.
const Phase = { Announced: 0, Idle: 1, Constructing: 2, Ready: 3, Broken: 4 } as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** Counts the sweeps, so that an event can note its time without asking for it. */
export const clock = { sweep: 0 };

export class Agent implements AgentInstance, StorageOwner {
  readonly host: AgentHost;
  readonly keeper: AgentKeeper;
  object: UserObject | null = null;
  runningAlarm: number | null = null;
  /** Its number among the agents that were marked (marks.ts); 0: it was not. */
  marked = 0;
  /** The sweep at which something last happened here. */
  lastSweep = clock.sweep;
  /** Events and waitUntil promises that run. */
  running = 0;
  /** What else keeps the agent resident: timers, streams, live sockets. */
  holds = 0;
  /** Of these, what may be cut for new code in `dev`: all but streams. */
  lightHolds = 0;
  /** Errors that the SDK kept from us, of handlers that are about to end: in that order. */
  swallowed: unknown[] | null = null;
  /** Why it must not retry its alarm: abort(reason, { retryAlarm: false }). */
  alarmRefused = false;
  restorePending = false;
  /** How long a handler of its hibernatable sockets may run; 0: as long as it takes. */
  eventTimeoutMs = 0;
  transactionScope: AsyncLocalStorage<true> | null = null;
  facets: FacetTable | null = null;
  #phase: Phase;
  #shut = 0;
  #waiting: AgentEvent[] | null = null;
  #pumping = false;
  #database: Database | null = null;
  #state: DurableObjectState | null = null;
  #pending: Set<(reason: unknown) => void> | null = null;
  #reason: unknown = null;
  #context: Context | null = null;

  constructor(host: AgentHost, keeper: AgentKeeper, announced: boolean) {
    this.host = host;
    this.keeper = keeper;
    this.#phase = announced ? Phase.Idle : Phase.Announced;
  }

  get address(): AgentAddress { return this.keeper.address; }
  /** The agent that a facet lives in, or itself. */
  get root(): Agent { return this.keeper.parent?.root ?? this; }
  get broken(): boolean { return this.#phase === Phase.Broken; }
  get isFacet(): boolean { return this.keeper.parent !== null; }
  get sqlite(): boolean { return this.isFacet || (this.host.namespaces[this.address.namespace]?.sqlite ?? true); }
  get reason(): unknown { return this.#reason; }
  /** More has begun here, or waits, than may: callers are turned away (the core sees to clients). */
  get crowded(): boolean { return this.running + (this.#waiting?.length ?? 0) >= EVENTS_MAX; }
  /** An event may begin right now. */
  get open(): boolean { return this.#phase === Phase.Ready && this.#shut === 0 && this.#waiting === null; }
  /** What gates what is sent: null as long as the agent has not touched its storage. */
  get gate(): Database | null { return this.#database; }

  get durable(): boolean { return this.#database === null || this.#database.durable; }

  /** So it is, and its facets. */
  get allDurable(): boolean { return this.durable && (this.facets?.allDurable ?? true); }

  get insideTransaction(): boolean { return this.transactionScope?.getStore() === true; }

  get state(): DurableObjectState {
    return (this.#state ??= new DurableObjectState(this));
  }

  get database(): Database {
    const { addon, durability, historyMs } = this.host;
    // A facet's id is whatever its parent says: its file is the root agent's to answer for.
    const { namespace, id, name } = this.root.address;
    return (this.#database ??= addon.openDatabase(namespace, id, this.keeper.path, { name, durability, historyMs }));
  }

  /** Calls a function in this agent's own asynchronous context. */
  get context(): Context {
    return (this.#context ??= contextOf(this));
  }

  get hasAlarmHandler(): boolean {
    if (this.object !== null) return typeof this.object.alarm === "function";
    return true; // in its constructor: own properties may come after
  }

  get busy(): boolean {
    return this.holds > 0 || this.#underWay || (this.facets?.busy ?? false);
  }

  /** The same without what it may be cut off from. */
  get engaged(): boolean {
    return this.holds > this.lightHolds || this.#underWay || (this.facets?.engaged ?? false);
  }

  get #underWay(): boolean {
    return this.running > 0 || this.#waiting !== null || this.#shut > 0 ||
           (this.#phase !== Phase.Ready && this.#phase !== Phase.Idle);
  }

  // ---- events ----------------------------------------------------------------------------------

  /** All its sockets are known: it may be constructed. */
  announced(): void {
    if (this.#phase !== Phase.Announced) return;
    this.#phase = Phase.Idle;
    if (this.#waiting !== null) this.#construct();
  }

  deliver(event: AgentEvent): void {
    if (this.open) {
      event.begin(this);
      return;
    }
    if (this.#phase === Phase.Broken) {
      event.fail(this.#reason);
      return;
    }
    (this.#waiting ??= []).push(event);
    if (this.#phase === Phase.Idle) this.#construct();
  }

  /** Runs `operation`; settles when it has, and what it wrote is durable. Its cause is the caller's. */
  call(operation: AgentOperation): Promise<unknown> {
    if (this.crowded) return Promise.reject(overloaded("requests"));
    const cause = currentCause();
    return new Promise((resolve, reject) => {
      this.deliver({
        begin: (agent) => agent.run(
          operation.kind === "fetch" ? () => callFetch(agent, operation.request)
                                     : () => operation.invoke(agent.object!, agent),
          resolve, reject, cause),
        fail: (reason) => {
          if (reason instanceof Elsewhere && operation.elsewhere) operation.elsewhere(reason.host).then(resolve, reject);
          else reject(reason);
        },
      });
    });
  }

  enter<T>(work: () => T | Promise<T>): Promise<T> {
    const cause = currentCause();
    return new Promise<T>((resolve, reject) => {
      this.deliver({
        begin: (agent) => agent.run(work, resolve as (value: unknown) => void, reject, cause),
        fail: reject,
      });
    });
  }

  /** The body of an event whose caller waits: its answer is held at the output gate. */
  run(work: () => unknown, resolve: (value: unknown) => void, reject: (reason: unknown) => void, cause: Cause): void {
    this.watch(reject);
    this.begin();
    const settle = (deliver: () => void): void => {
      if (!this.unwatch(reject)) return; // the agent was reset: the caller knows
      this.end();
      this.afterDurable((error) => (error ? reject(error) : deliver()));
    };
    let result: unknown;
    const before = enter(this);
    try {
      result = cause.request === 0 && cause.connection === 0 ? this.context(work) : runFor(this, cause, work);
    } catch (error) {
      leave(before);
      this.keeper.sockets.flush();
      settle(() => reject(error));
      return;
    }
    leave(before);
    this.keeper.sockets.flush();
    if (isThenable(result)) result.then((value) => settle(() => resolve(value)), (error) => settle(() => reject(error)));
    else settle(() => resolve(result));
  }

  /** Calls `ended` if the agent is reset before unwatch(). */
  watch(ended: (reason: unknown) => void): void {
    (this.#pending ??= new Set()).add(ended);
  }

  /** False if it was called already. */
  unwatch(ended: (reason: unknown) => void): boolean {
    return this.#pending?.delete(ended) ?? false;
  }

  /** False if no handler runs whose end would tell of it. */
  swallow(error: unknown): boolean {
    if (this.running === 0) return false;
    (this.swallowed ??= []).push(error);
    return true;
  }

  /** It could not be made, or its answer to a request is an error. */
  failed(error: unknown): void {
    this.host.faults.agentFailed(this.#key, error);
  }

  answered(): void {
    this.host.faults.agentAnswered(this.#key);
  }

  /** How often it has failed since it last answered. */
  get failures(): number {
    const { faults } = this.host;
    return faults.anyFailed ? faults.failuresOf(this.#key) : 0;
  }

  get #key(): string {
    return `${this.address.namespace}/${this.address.id}`;
  }

  /** Notes that an event runs, and that it has ended. */
  begin(): void {
    this.lastSweep = clock.sweep;
    this.running++;
  }

  end(): void {
    this.lastSweep = clock.sweep;
    this.running--;
  }

  /** Its code uses what is its own: it runs. */
  entered(): void {
    enter(this);
  }

  hold(light = false): () => void {
    let held = true;
    this.lastSweep = clock.sweep;
    this.holds++;
    if (light) this.lightHolds++;
    return () => {
      if (!held) return;
      held = false;
      this.lastSweep = clock.sweep;
      this.holds--;
      if (light) this.lightHolds--;
    };
  }

  /** Something has begun here, or in a facet, that a drain waits for. */
  get working(): boolean {
    return this.running > 0 || this.#waiting !== null || (this.facets?.working ?? false);
  }

  async whenAllDurable(): Promise<void> {
    await Promise.all([this.whenDurable(), this.facets?.whenAllDurable()]);
  }

  /** `clientEnd` leaves in a response of this agent. */
  ownSocket(clientEnd: WebSocket): void {
    this.root.keeper.sockets.table.own(clientEnd, this);
  }

  // ---- gates -----------------------------------------------------------------------------------

  closeGate(): void {
    this.#shut++;
  }

  openGate(): void {
    this.#shut--;
    this.#schedulePump();
  }

  blockConcurrencyWhile<T>(callback: () => T | Promise<T>): Promise<T> {
    if (this.broken) return Promise.reject(this.#reason);
    this.closeGate();
    const timer = setTimeout(() => this.reset(new Error(BLOCKED_TOO_LONG)), BLOCK_TIMEOUT_MS);
    timer.unref();
    const finished = (async () => {
      try {
        return await callback();
      } catch (error) {
        this.reset(error);
        throw error;
      } finally {
        clearTimeout(timer);
        this.openGate();
      }
    })();
    // Whoever does not wait for it has already been told: the agent was reset with that reason.
    finished.catch(() => {});
    return finished;
  }

  whenDurable(): Promise<void> {
    if (this.#database === null || this.#database.durable) return Promise.resolve();
    return new Promise((resolve, reject) => this.afterDurable((error) => (error ? reject(error) : resolve())));
  }

  /** Calls back when what was written so far is durable: at once if it is. */
  afterDurable(callback: (error: unknown) => void): void {
    if (this.#database === null || this.broken) callback(this.broken ? this.#reason : null);
    else if (this.#database.durable) callback(null);
    else {
      this.#database.whenDurable((error) => {
        if (error !== null) this.storageFailed(error.message);
        callback(error === null ? null : this.#reason);
      });
    }
  }

  /** A commit failed: nothing that waits at the output gate may leave, so this life ends. */
  storageFailed(reason: string): void {
    this.reset(storageError(reason));
  }

  // ---- beginning and end -----------------------------------------------------------------------

  #construct(): void {
    this.#phase = Phase.Constructing;
    this.#shut++;
    const before = enter(this);
    try {
      const Class = this.keeper.agentClass();
      this.object = this.context(() => new Class(this.state, this.host.workerOf(this.address.namespace).env));
    } catch (error) {
      leave(before);
      this.reset(error);
      return;
    }
    leave(before);
    this.keeper.sockets.flush();
    if (this.broken) return;
    this.#phase = Phase.Ready;
    this.#shut--;
    this.#pump();
  }

  #schedulePump(): void {
    if (this.#pumping || this.#shut > 0 || this.#waiting === null) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      enterAnew(this);
      this.#pump();
    });
  }

  // One waiting event; the next after this one's microtasks.
  #pump(): void {
    if (this.#phase !== Phase.Ready || this.#shut > 0 || this.#waiting === null) return;
    const event = this.#waiting.shift()!;
    if (this.#waiting.length === 0) this.#waiting = null;
    event.begin(this);
    if (!this.broken) this.#schedulePump();
  }

  /**
   * Ends this life: what it wrote and had not committed is dropped, its callers get `reason`, and the
   * next event finds a new one.
   */
  reset(reason: unknown): void {
    if (this.broken) return;
    const error = resetError(reason);
    const waiting = this.#waiting ?? [];
    this.#reason = error;
    this.#waiting = null;
    this.#phase = Phase.Broken;
    this.facets?.reset(error);
    this.#database?.abandon();
    this.#database?.close();
    const pending = this.#pending;
    this.#pending = null;
    this.keeper.ended(this, error, waiting);
    if (pending !== null) {
      const rejects = [...pending];
      pending.clear();
      for (const reject of rejects) reject(error);
    }
  }

  /** ctx.abort(): ends this life and, by throwing, the code that runs. */
  abort(reason: unknown, retryAlarm: boolean): never {
    const error = resetError(reason);
    expectReset(error);
    this.alarmRefused = !retryAlarm;
    this.reset(error);
    throw error;
  }

  /** Idle for long enough: nothing runs, so nobody is told. */
  evict(): void {
    this.#phase = Phase.Broken;
    this.#reason = new Error("Durable Object was evicted after being idle.");
    this.facets?.evict();
    this.#database?.close();
    this.object = null;
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
