// Classes of agents as values, which `ctx.exports` has and `ctx.facets` takes.
import type { AgentClass } from "./host.ts";
import { DurableObjectNamespace } from "./namespace.ts";

/** A class of agents that no binding names: good for `ctx.facets`. */
export class DurableObjectClass {
  readonly #class: AgentClass;

  constructor(type: AgentClass) {
    this.#class = type;
  }

  static classOf(value: DurableObjectClass): AgentClass {
    return value.#class;
  }
}

const namespaceClasses = new WeakMap<DurableObjectNamespace, AgentClass>();

/** The namespace is `ctx.exports`' entry for the class. */
export function nameClass(namespace: DurableObjectNamespace, type: AgentClass): void {
  namespaceClasses.set(namespace, type);
}

/** The class behind an entry of `ctx.exports`, or a class itself. */
export function classOfExport(value: unknown): AgentClass | undefined {
  if (value instanceof DurableObjectClass) return DurableObjectClass.classOf(value);
  if (value instanceof DurableObjectNamespace) return namespaceClasses.get(value);
  return typeof value === "function" ? (value as AgentClass) : undefined;
}
