// A configured host: the loaded bundle with its env, the agents that are resident, and the handlers of
// what the core sends. Built once, by load().
import * as nodeModule from "node:module";
import { mkdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Addon, Database } from "../addon.ts";
import { Ai } from "../bindings/ai.ts";
import { Assets } from "../bindings/assets.ts";
import { MODULES_KEY } from "../modules/names.ts";
import { configureWorkers, registerModules } from "../modules/register.ts";
import { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } from "../modules/workers.ts";
import { createRpc, type Rpc } from "../rpc/index.ts";
import { AgentHook } from "../rpc/local.ts";
import { currentGate } from "../rpc/owner.ts";
import { newFetcher } from "../rpc/stub.ts";
import { installGlobals } from "../web/globals.ts";
import { setHooks } from "../web/hooks.ts";
import type { WebSocket } from "../web/websocket.ts";
import { AgentEvents } from "../agent/events.ts";
import { DurableObjectFacets } from "../agent/facets.ts";
import type { AgentClass, AgentHost } from "../agent/host.ts";
import { DurableObjectId } from "../agent/ids.ts";
import { type Agent, isThenable } from "../agent/instance.ts";
import { DurableObjectNamespace } from "../agent/namespace.ts";
import { Residency } from "../agent/residency.ts";
import { currentAgent, workerContext } from "../agent/scope.ts";
import { SqlStorage, SqlStorageStatement } from "../agent/sql.ts";
import { DurableObjectState } from "../agent/state.ts";
import { DurableObjectStorage, SyncKvStorage } from "../agent/storage.ts";
import { DurableObjectTransaction } from "../agent/transaction.ts";
import { installTimers } from "../agent/timers.ts";
import type { AgentAddress, AgentOperation, Dispatcher, NamespaceInfo } from "../agent/types.ts";
import { Faults } from "../faults/faults.ts";
import { ExecutionContext } from "./context.ts";
import { Dispatcher as Requests } from "./dispatch.ts";
import { flagsOf, type WorkerDocument } from "./document.ts";
import { buildEnv, populateProcessEnv } from "./env.ts";
import { Entrypoints } from "./exports.ts";
import { restoreNames } from "./names.ts";
import { Reporter } from "./report.ts";
import { watchLoop } from "./watch.ts";
import { setRoot } from "./where.ts";

const IDLE_TIMEOUT_MS = 10_000;
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
  readonly exports: Record<string, unknown> = {};
  readonly residency: Residency;
  readonly events: AgentEvents;
  readonly rpc: Rpc;
  readonly faults: Faults;
  readonly #reporter: Reporter;
  readonly #stubs = new Map<number, DurableObjectNamespace>();
  env: Record<string, unknown> = {};
  #module: Record<string, unknown> = {};
  #entrypoints: Entrypoints;
  #requests: Requests | null = null;
  #assets: Assets | null = null;

  constructor(addon: Addon, document: WorkerDocument) {
    this.addon = addon;
    this.document = document;
    this.namespaces = document.namespaces.map((namespace, index) => ({ ...namespace, index }));
    this.faults = new Faults({
      mode: document.mode,
      env: () => this.env,
      report: (error, details) => this.report(error, details),
    });
    this.#reporter = new Reporter(addon, this.namespaces, this.faults);
    setRoot(document.root);
    this.residency = new Residency(this);
    this.events = new AgentEvents(this.residency);
    this.#entrypoints = new Entrypoints(this, {}, { DurableObject, WorkerEntrypoint, WorkflowEntrypoint });
    this.rpc = createRpc({
      addon,
      dispatcher: this.residency,
      openEntrypoint: (name, props) => this.#entrypoints.open(name, props),
      connectionOf: (socket) => {
        const bound = this.residency.sockets.bind(socket as WebSocket);
        return isThenable(bound) ? bound.then(({ connection }) => connection) : bound.connection;
      },
      socketOwner: (socket) => this.residency.sockets.ownerOf(socket as WebSocket),
      standIn: (far) => this.residency.sockets.standIn(far),
    });
  }

  get stateDirectory(): string { return this.document.state; }
  get durability(): "fsync" | "os" { return this.document.durability; }
  get mode(): "dev" | "serve" { return this.document.mode; }
  get idleTimeoutMs(): number { return this.document.idleTimeoutMs ?? IDLE_TIMEOUT_MS; }
  get requests(): Requests { return this.#requests!; }

  /** Loads the bundle; resolves with what Ready tells the core. Rejects with what the bundle threw. */
  async load(): Promise<object> {
    const { document } = this;
    mkdirSync(`${document.state}/cache`, { recursive: true });
    for (const { uniqueKey } of this.namespaces) mkdirSync(`${document.state}/do/${uniqueKey}`, { recursive: true });
    nodeModule.enableCompileCache?.(`${document.state}/cache`); // Node.js 22 and newer
    this.#reporter.catchUnhandled();
    const flags = flagsOf(document);
    setHooks({ outputGate: currentGate, reportError: (error) => this.report(error) });
    registerModules();
    installGlobals({ compatibilityFlags: flags });
    installTimers();
    for (const table of [globalThis, ...modules(), platformClasses]) restoreNames(table);
    if (document.assets !== undefined) this.#assets = new Assets(document.assets);
    this.env = buildEnv(document, {
      namespace: (index) => this.#namespace(index),
      ai: () => new Ai(document.ai ?? { baseUrl: "", keyName: "", key: "" }),
      assets: () => this.#assets,
      service: (_service, entrypoint, props) => this.rpc.entrypoint(entrypoint, props),
    });
    if (flags["nodejs_compat_populate_process_env"]) populateProcessEnv(document);
    configureWorkers({
      env: this.env,
      exports: this.exports,
      waitUntil: (promise) => this.#waitUntil(promise),
    });
    this.faults.complaints.watch(console, (error) => currentAgent()?.swallow(error) ?? false);
    this.#module = await (import(pathToFileURL(document.bundle).href) as Promise<Record<string, unknown>>);
    this.#entrypoints = new Entrypoints(this, this.#module, { DurableObject, WorkerEntrypoint, WorkflowEntrypoint });
    this.#entrypoints.fillExports(this.exports, (name) => this.#namespaceNamed(name), (name) => this.rpc.loopback(name));
    this.#requests = new Requests(this, this.#entrypoints, this.residency.sockets, this.#assets);
    this.residency.start();
    const limitMs = document.hangTimeoutMs ?? 0;
    if (limitMs > 0) setTimeout(() => watchLoop(limitMs, document.state), WATCH_AFTER_MS).unref();
    return this.#entrypoints.describe();
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

  #namespaceNamed(className: string): DurableObjectNamespace | undefined {
    const info = this.namespaces.find((namespace) => namespace.className === className);
    return info === undefined ? undefined : this.#namespace(info.index);
  }

  #waitUntil(promise: Promise<unknown>): void {
    const agent = currentAgent();
    if (agent !== null) agent.state.waitUntil(promise);
    else new ExecutionContext(this, this.#entrypoints.pending, undefined).waitUntil(promise);
  }

  classOf(namespace: NamespaceInfo): AgentClass | undefined {
    const found = this.#module[namespace.className];
    return typeof found === "function" ? (found as AgentClass) : undefined;
  }

  facetStub(address: AgentAddress, call: (operation: AgentOperation) => Promise<unknown>): object {
    const local = { hostSlot: 0, hostCount: 1, callAgent: (_address: AgentAddress, operation: AgentOperation) => call(operation) };
    const unreachable = (): never => {
      throw new Error("A facet is reached on its own host only.");
    };
    return newFetcher(new AgentHook(address, local as unknown as Dispatcher, { fetch: unreachable, callAgent: unreachable }));
  }

  report(...given: Parameters<Reporter["report"]>): void {
    this.#reporter.report(...given);
  }

  commitFailed(database: Database, message: string): void {
    // The first to hear may have been one who waited for it: then the agent is gone already.
    this.residency.agentOf(database)?.storageFailed(message);
  }

  /** Waits for what has begun, makes everything durable, closes all. */
  async drain(deadlineMs: number): Promise<void> {
    const until = Date.now() + Math.max(0, deadlineMs - DRAIN_CLOSE_MS);
    while ((this.#requests?.busy || this.residency.busy) && Date.now() < until) {
      await new Promise((resolve) => workerContext(() => setTimeout(resolve, DRAIN_POLL_MS)));
    }
    await this.residency.close();
  }
}
