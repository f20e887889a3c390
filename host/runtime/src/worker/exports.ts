// What the bundle exports, and what may be done with it: entrypoints are opened for one call each,
// classes of agents are constructed by agents, and `ctx.exports` has a namespace or a stub for each.
import type { AgentClass, AgentHost, WorkerScope } from "../agent/host.ts";
import { DurableObjectClass, nameClass } from "../agent/exported_class.ts";
import type { DurableObjectNamespace } from "../agent/namespace.ts";
import type { OpenEntrypoint } from "../agent/types.ts";
import type { Request } from "../web/request.ts";
import { placeOfMethod } from "../faults/handler_place.ts";
import { ExecutionContext } from "./context.ts";

type Exported = Record<string, unknown>;
type EntrypointClass = new (ctx: unknown, env: unknown) => object;
export type Base = "DurableObject" | "WorkerEntrypoint" | "WorkflowEntrypoint" | "none";

/** `handles`: it has a handler of an agent's events, of its own or inherited. */
interface ExportedClass {
  name: string;
  base: Base;
  handles: boolean;
}

const AGENT_HANDLERS = ["fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"];

function handles(type: Function): boolean {
  const prototype = type.prototype as object | undefined;
  return prototype !== undefined && AGENT_HANDLERS.some((name) => name in prototype);
}

/** The platform's base classes, as the bundle sees them. */
export interface BaseClasses {
  DurableObject: Function;
  WorkerEntrypoint: Function;
  WorkflowEntrypoint: Function;
}

export class Entrypoints {
  readonly #host: AgentHost;
  readonly #scope: WorkerScope;
  readonly #module: Exported;
  readonly #bases: BaseClasses;
  readonly #pending: Set<Promise<unknown>>;

  /** `pending`: what waitUntil was given and has not settled. */
  constructor(host: AgentHost, scope: WorkerScope, module: Exported, bases: BaseClasses, pending: Set<Promise<unknown>>) {
    this.#host = host;
    this.#scope = scope;
    this.#module = module;
    this.#bases = bases;
    this.#pending = pending;
  }

  has(name: string): boolean {
    return this.#module[name] !== undefined;
  }

  baseOf(value: unknown): Base | null {
    if (typeof value !== "function") return null;
    for (const name of ["DurableObject", "WorkerEntrypoint", "WorkflowEntrypoint"] as const) {
      if (value.prototype instanceof this.#bases[name]) return name;
    }
    return /^class\b/.test(Function.prototype.toString.call(value)) ? "none" : null;
  }

  /** What Ready tells the core. */
  describe(): { handlers: string[]; classes: ExportedClass[] } {
    const classes: ExportedClass[] = [];
    for (const [name, value] of Object.entries(this.#module)) {
      const base = this.baseOf(value);
      if (base !== null) classes.push({ name, base, handles: handles(value as Function) });
    }
    const main = this.#module["default"];
    const target = this.baseOf(main) === null ? main : (main as Function).prototype;
    const handlers = ["fetch", "scheduled", "queue", "email", "tail", "trace"].filter(
      (name) => typeof (target as Exported | null | undefined)?.[name] === "function");
    return { handlers, classes };
  }

  open(name: string, props: unknown): OpenEntrypoint | null {
    const value = this.#module[name];
    const base = this.baseOf(value);
    if (value === undefined || value === null || base === "DurableObject" || base === "WorkflowEntrypoint") return null;
    const { env, exports } = this.#scope;
    const ctx = new ExecutionContext(this.#host, exports, this.#pending, props);
    if (base !== null) return { kind: "class", target: new (value as EntrypointClass)(ctx, env), env, ctx };
    return typeof value === "object" ? { kind: "object", target: value, env, ctx } : null;
  }

  fetch(name: string, props: unknown, request: Request): unknown {
    const opened = this.open(name, props);
    if (opened === null) {
      const base = this.baseOf(this.#module[name]);
      throw new Error(base === "DurableObject"
        ? `The ${name} export is a Durable Object class; a worker's default export must be an object or a WorkerEntrypoint with a fetch handler (B208).`
        : `The worker has no ${name} export with a fetch handler (B208): add \`export default { async fetch(request, env, ctx) { … } }\` to its main module.`);
    }
    const target = opened.target as { fetch?: (...args: unknown[]) => unknown };
    if (typeof target.fetch !== "function") throw new Error("Handler does not export a fetch() function.");
    return opened.kind === "class" ? target.fetch(request) : target.fetch(request, opened.env, opened.ctx);
  }

  /** Where a handler of an entrypoint begins. */
  placeOfHandler(name: string, handler: string): string | undefined {
    const value = this.#module[name];
    return placeOfMethod(typeof value === "function" ? (value.prototype as object) : (value as object | undefined), [handler]);
  }

  async scheduled(controller: object): Promise<void> {
    const opened = this.open("default", undefined);
    const target = opened?.target as { scheduled?: (...args: unknown[]) => unknown } | undefined;
    if (opened === null || typeof target?.scheduled !== "function") {
      throw new Error("Handler does not export a scheduled() function.");
    }
    await (opened.kind === "class" ? target.scheduled(controller) : target.scheduled(controller, opened.env, opened.ctx));
  }

  /** Fills `ctx.exports`. */
  fillExports(exports: Record<string, unknown>, namespaceOf: (className: string) => DurableObjectNamespace | undefined,
              stubOf: (entrypoint: string) => object): void {
    for (const [name, value] of Object.entries(this.#module)) {
      const base = this.baseOf(value);
      const namespace = base === "DurableObject" || base === "none" ? namespaceOf(name) : undefined;
      if (namespace !== undefined) {
        nameClass(namespace, value as AgentClass);
        exports[name] = namespace;
      } else if (base === "DurableObject") {
        exports[name] = new DurableObjectClass(value as AgentClass);
      } else if (base === "WorkerEntrypoint" || (base === null && typeof value === "object" && value !== null)) {
        exports[name] = stubOf(name);
      }
    }
  }
}
