// One worker of a host: its bundle with its env, its assets, and what it exports. A host loads every
// worker of its document; agents and RPC know them by their numbers, 0 the one that gets requests.
import { pathToFileURL } from "node:url";
import { Ai } from "../bindings/ai.ts";
import { Assets } from "../bindings/assets.ts";
import type { AgentClass, AgentHost, WorkerScope } from "../agent/host.ts";
import type { DurableObjectNamespace } from "../agent/namespace.ts";
import type { OpenEntrypoint } from "../agent/types.ts";
import { configureWorkers } from "../modules/register.ts";
import { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } from "../modules/workers.ts";
import { packHeaders } from "../web/headers.ts";
import type { Response } from "../web/response.ts";
import type { Request } from "../web/request.ts";
import { flagsOf, type WorkerPart } from "./document.ts";
import { buildEnv, populateProcessEnv } from "./env.ts";
import { Entrypoints } from "./exports.ts";

const BASES = { DurableObject, WorkerEntrypoint, WorkflowEntrypoint };

/** What a worker needs of its host. */
export interface LoadServices {
  readonly host: AgentHost;
  /** What waitUntil was given, of all workers. */
  readonly pending: Set<Promise<unknown>>;
  namespace(index: number): DurableObjectNamespace;
  /** The namespace of a class of the worker with that number. */
  namespaceNamed(worker: number, className: string): DurableObjectNamespace | undefined;
  /** A binding to an entrypoint; null: there is no such worker. */
  service(worker: string, entrypoint: string, props: unknown): object | null;
  /** A stub for `ctx.exports`. */
  loopback(worker: number, entrypoint: string): object;
  waitUntil(promise: Promise<unknown>, worker: LoadedWorker): void;
}

export class LoadedWorker implements WorkerScope {
  readonly number: number;
  readonly document: WorkerPart;
  readonly exports: Record<string, unknown> = {};
  readonly assets: Assets | null;
  readonly env: Record<string, unknown>;
  readonly #services: LoadServices;
  #module: Record<string, unknown> = {};
  #entrypoints: Entrypoints;

  constructor(number: number, document: WorkerPart, services: LoadServices) {
    this.number = number;
    this.document = document;
    this.#services = services;
    this.assets = document.assets === undefined ? null : new Assets(document.assets);
    this.env = buildEnv(document, {
      namespace: (index) => services.namespace(index),
      ai: () => new Ai(document.ai ?? { baseUrl: "", keyName: "", key: "" }),
      assets: () => this.assets,
      service: (worker, entrypoint, props) => services.service(worker, entrypoint, props),
    });
    this.#entrypoints = this.#entrypointsOf({});
  }

  get entrypoints(): Entrypoints { return this.#entrypoints; }

  /** Loads the bundle. Rejects with what it threw. */
  async load(): Promise<void> {
    const { document, number } = this;
    if (flagsOf(document)["nodejs_compat_populate_process_env"]) populateProcessEnv(document, number === 0);
    const { env, exports } = this;
    configureWorkers({ env, exports, waitUntil: (promise) => this.#services.waitUntil(promise, this) },
                     number === 0 ? undefined : document.worker);
    this.#module = await (import(pathToFileURL(document.bundle).href) as Promise<Record<string, unknown>>);
    this.#entrypoints = this.#entrypointsOf(this.#module);
    this.#entrypoints.fillExports(this.exports, (name) => this.#services.namespaceNamed(number, name),
                                  (name) => this.#services.loopback(number, name));
  }

  #entrypointsOf(module: Record<string, unknown>): Entrypoints {
    return new Entrypoints(this.#services.host, this, module, BASES, this.#services.pending);
  }

  classNamed(name: string): AgentClass | undefined {
    const found = this.#module[name];
    return typeof found === "function" ? (found as AgentClass) : undefined;
  }

  open(name: string, props: unknown): OpenEntrypoint | null {
    return this.#entrypoints.open(name, props);
  }

  /** The file that the assets have for a request which comes by a binding, or null. */
  asset(request: Request): Promise<Response> | null {
    return this.assets?.serve(request.method, request.url, packHeaders(request.headers), this.#entrypoints.has("default")) ?? null;
  }
}
