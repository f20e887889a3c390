// A configured host: the loaded workers, the agents that are resident, and the handlers of what the core
// sends. Built once, by load().
import * as nodeModule from "node:module";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Addon, Database } from "../addon.ts";
import { MODULES_KEY } from "../modules/names.ts";
import { configureHearth, registerModules } from "../modules/register.ts";
import { configureUnsafe } from "../modules/unsafe.ts";
import { createRpc, type Rpc } from "../rpc/index.ts";
import { AgentHook } from "../rpc/local.ts";
import { currentGate } from "../rpc/owner.ts";
import { isFetcher, newFetcher } from "../rpc/stub.ts";
import { configureCaches } from "../web/caches.ts";
import { installGlobals } from "../web/globals.ts";
import { setHooks } from "../web/hooks.ts";
import type { Request as PlatformRequest } from "../web/request.ts";
import type { WebSocket } from "../web/websocket.ts";
import { AgentEvents } from "../agent/events.ts";
import { DurableObjectFacets } from "../agent/facets.ts";
import type { AgentClass, AgentHost, WorkerScope } from "../agent/host.ts";
import { DurableObjectId } from "../agent/ids.ts";
import { type Agent, isThenable } from "../agent/instance.ts";
import { DurableObjectNamespace } from "../agent/namespace.ts";
import { Residency } from "../agent/residency.ts";
import { currentAgent, workerContext } from "../agent/scope.ts";
import { SqlStorage, SqlStorageStatement } from "../agent/sql.ts";
import { DurableObjectState } from "../agent/state.ts";
import { DurableObjectStorage, SyncKvStorage } from "../agent/storage.ts";
import { DurableObjectTransaction } from "../agent/transaction.ts";
import { installMarks } from "../agent/marks.ts";
import { installTimers } from "../agent/timers.ts";
import type { AgentAddress, AgentOperation, Dispatcher, NamespaceInfo } from "../agent/types.ts";
import { redactorOf } from "../faults/secrets.ts";
import { Faults } from "../faults/faults.ts";
import { installConsole } from "./console.ts";
import { installOutput } from "./output.ts";
import { ExecutionContext } from "./context.ts";
import { Dispatcher as Requests } from "./dispatch.ts";
import { flagsOf, type WorkerDocument } from "./document.ts";
import { LoadedWorker, type LoadServices } from "./loaded.ts";
import { HostLog } from "./log.ts";
import { restoreNames } from "./names.ts";
import { Reporter } from "./report.ts";
import { answerUnsafe, unsafeHooks } from "./unsafe.ts";
import { watchLoop } from "./watch.ts";
import { setRoot } from "../faults/where.ts";
import { setBundles } from "../faults/handler_place.ts";
import { tellExit } from "./exit.ts";

const IDLE_TIMEOUT_MS = 10_000;
const MS_PER_DAY = 86_400_000;
const DRAIN_POLL_MS = 5;
/** The watching thread is not in the way of the start. */
const WATCH_AFTER_MS = 250;
/** Left of the drain's deadline for making everything durable and saying so. */
const DRAIN_CLOSE_MS = 500;

/** Classes that user code sees the instances of, and never by a global's name. */
const platformClasses = {
  DurableObjectId, DurableObjectNamespace, DurableObjectState, DurableObjectStorage,
  DurableObjectFacets, DurableObjectTransaction, ExecutionContext, SqlStorage, SqlStorageStatement, SyncKvStorage,
};

function modules(): object[] {
  return Object.values((globalThis as unknown as Record<symbol, Record<string, object>>)[Symbol.for(MODULES_KEY)] ?? {});
}

export class Worker implements AgentHost {
  readonly addon: Addon;
  readonly document: WorkerDocument;
  readonly namespaces: readonly NamespaceInfo[];
  readonly residency: Residency;
  readonly events: AgentEvents;
  readonly rpc: Rpc;
  readonly faults: Faults;
  readonly #log: HostLog;
  readonly #reporter: Reporter;
  readonly #stubs = new Map<number, DurableObjectNamespace>();
  readonly #pending = new Set<Promise<unknown>>();
  #workers: LoadedWorker[] = [];
  #requests: Requests | null = null;
  #leaving = false;

  constructor(addon: Addon, document: WorkerDocument) {
    this.addon = addon;
    this.document = document;
    this.namespaces = document.namespaces.map((namespace, index) => ({ ...namespace, index }));
    this.#log = new HostLog(addon, this.namespaces);
    this.faults = new Faults({
      mode: document.mode,
      env: () => this.#workers[0]?.env ?? {},
      redact: redactorOf([document, ...(document.workers ?? [])]),
      report: (error, details) => this.report(error, details),
      lastingAfterMs: document.lastingAfterMs ?? 0,
    });
    this.#reporter = new Reporter(this.#log, this.faults);
    setRoot(document.root);
    setBundles([document, ...(document.workers ?? [])].map(({ bundle }) => bundle));
    this.residency = new Residency(this);
    this.events = new AgentEvents(this.residency);
    this.rpc = createRpc({
      addon,
      dispatcher: this.residency,
      openEntrypoint: (name, props, worker) => this.#workers[worker]?.open(name, props) ?? null,
      asset: (request, worker) =>
        (this.#workers[worker]?.asset(request as unknown as PlatformRequest) ?? null) as Promise<Response> | null,
      connectionOf: (socket) => {
        const bound = this.residency.sockets.bind(socket as WebSocket);
        return isThenable(bound) ? bound.then(({ connection }) => connection) : bound.connection;
      },
      socketOwner: (socket) => this.residency.sockets.ownerOf(socket as WebSocket),
      hostCall: (action, args) => answerUnsafe(this.residency, action, args),
      standIn: (far) => this.residency.sockets.standIn(far),
      complaints: this.faults.complaints,
    });
  }

  get stateDirectory(): string { return this.document.state; }
  get durability(): "fsync" | "os" { return this.document.durability; }
  get historyMs(): number { return (this.document.historyDays ?? 0) * MS_PER_DAY; }
  get mode(): "dev" | "serve" { return this.document.mode; }
  get idleTimeoutMs(): number { return this.document.idleTimeoutMs ?? IDLE_TIMEOUT_MS; }
  get requests(): Requests { return this.#requests!; }

  /** Loads the bundles; resolves with what Ready tells the core. Rejects with what a bundle threw. */
  async load(): Promise<object> {
    const { document } = this;
    mkdirSync(`${document.state}/cache`, { recursive: true });
    configureCaches(`${document.state}/cache/http`);
    for (const { uniqueKey } of this.namespaces) mkdirSync(`${document.state}/do/${uniqueKey}`, { recursive: true });
    nodeModule.enableCompileCache?.(`${document.state}/cache`); // Node.js 22 and newer
    this.#reporter.catchUnhandled();
    let loading = true;
    tellExit(() => loading);
    installConsole(console, (level, text) => this.#log.write(level, text, { source: "console" }));
    installOutput((level, text, details) => this.#log.write(level, text, details));
    const further = document.workers ?? [];
    setHooks({ outputGate: currentGate, isFetcher, reportError: (error) => this.report(error) });
    registerModules(further.map(({ worker, bundle }) => ({ name: worker, folder: `${dirname(bundle)}/` })));
    // One process has one set of globals: the first worker's flags decide.
    installGlobals({ compatibilityFlags: flagsOf(document) });
    installTimers();
    installMarks(this.addon);
    for (const table of [globalThis, ...modules(), platformClasses]) restoreNames(table);
    this.#workers = [document, ...further].map((part, number) => new LoadedWorker(number, part, this.#services()));
    this.faults.complaints.watch(console, (error) => currentAgent()?.swallow(error) ?? false,
                                 (error) => currentAgent()?.root.failed(error));
    configureHearth([document, ...further].map(({ environment }) => environment),
                    () => this.#workerNumber(), (number, name) => this.#workers[number]?.classNamed(name) !== undefined);
    configureUnsafe(unsafeHooks(this.residency, this.rpc));
    for (const worker of this.#workers) await worker.load();
    loading = false;
    const first = this.#workers[0]!;
    this.#requests = new Requests(this, first.entrypoints, this.residency.sockets, first.assets, this.#pending);
    this.residency.start();
    const { hangTimeoutMs = 0, cpuMs = 0 } = document;
    if (hangTimeoutMs > 0 || cpuMs > 0) setTimeout(() => watchLoop(hangTimeoutMs, cpuMs, document.state), WATCH_AFTER_MS).unref();
    const workers = this.#workers.slice(1).map(({ document: { worker }, entrypoints }) => ({ worker, ...entrypoints.describe() }));
    return workers.length === 0 ? first.entrypoints.describe() : { ...first.entrypoints.describe(), workers };
  }

  /** Whose code runs: by its agent's class; of what belongs to no agent, the first worker's. */
  #workerNumber(): number {
    const agent = currentAgent();
    return agent === null ? 0 : (this.document.namespaces[agent.address.namespace]?.worker ?? 0);
  }

  #services(): LoadServices {
    return {
      host: this,
      pending: this.#pending,
      namespace: (index) => this.#namespace(index),
      namespaceNamed: (worker, className) => this.#namespaceNamed(worker, className),
      service: (name, entrypoint, props) => {
        const number = [this.document, ...(this.document.workers ?? [])].findIndex(({ worker }) => worker === name);
        return number < 0 ? null : this.rpc.entrypoint(entrypoint, props, number);
      },
      loopback: (worker, entrypoint) => this.rpc.loopback(entrypoint, worker),
      waitUntil: (promise, worker) => this.#waitUntil(promise, worker),
    };
  }

  #namespace(index: number): DurableObjectNamespace {
    let namespace = this.#stubs.get(index);
    if (namespace === undefined) {
      namespace = new DurableObjectNamespace(this.addon, this.namespaces[index]!,
                                             (address, id) => this.rpc.agentStub(address, id));
      this.#stubs.set(index, namespace);
    }
    return namespace;
  }

  #namespaceNamed(worker: number, className: string): DurableObjectNamespace | undefined {
    const info = this.namespaces.find(
      (namespace) => namespace.className === className && (namespace.worker ?? 0) === worker && namespace.removed !== true);
    return info === undefined ? undefined : this.#namespace(info.index);
  }

  #waitUntil(promise: Promise<unknown>, worker: LoadedWorker): void {
    const agent = currentAgent();
    if (agent !== null) agent.state.waitUntil(promise);
    else new ExecutionContext(this, worker.exports, this.#pending, undefined).waitUntil(promise);
  }

  classOf(namespace: NamespaceInfo): AgentClass | undefined {
    return this.#workers[namespace.worker ?? 0]?.classNamed(namespace.className);
  }

  workerOf(namespace: number): WorkerScope {
    return this.#workers[this.namespaces[namespace]?.worker ?? 0]!;
  }

  /** A cron trigger of a worker, by its number. */
  scheduled(slot: number, number: number, cron: string, scheduledMs: number): void {
    const worker = this.#workers[number] ?? this.#workers[0]!;
    this.requests.scheduled(slot, worker.entrypoints, cron, scheduledMs);
  }

  facetStub(address: AgentAddress, call: (operation: AgentOperation) => Promise<unknown>): object {
    const local = { hostSlot: 0, hostCount: 1, callAgent: (_address: AgentAddress, operation: AgentOperation) => call(operation) };
    const unreachable = (): never => {
      throw new Error("A facet is reached on its own host only.");
    };
    return newFetcher(new AgentHook(address, local as unknown as Dispatcher, { fetch: unreachable, callAgent: unreachable, callThere: unreachable, fetchThere: unreachable }));
  }

  report(...given: Parameters<Reporter["report"]>): void {
    this.#reporter.report(...given);
  }

  commitFailed(database: Database, message: string): void {
    // The first to hear may have been one who waited for it: then the agent is gone already.
    this.residency.agentOf(database)?.storageFailed(message);
  }

  /** Another host gets the slot. */
  leave(): void {
    this.#leaving = true;
    this.residency.leave();
    this.addon.leaving();
  }

  /** Waits for what has begun, makes everything durable, closes all. */
  async drain(deadlineMs: number): Promise<void> {
    await this.quiet(Math.max(0, deadlineMs - DRAIN_CLOSE_MS));
    await this.residency.close();
  }

  /** Whether all that has begun ends in time. */
  async quiet(patienceMs: number): Promise<boolean> {
    const until = Date.now() + patienceMs;
    while (this.#requests?.busy || this.residency.busy || (this.#leaving && this.rpc.peers.busy)) {
      if (Date.now() >= until) return false;
      await new Promise((resolve) => workerContext(() => setTimeout(resolve, DRAIN_POLL_MS)));
    }
    return true;
  }
}
