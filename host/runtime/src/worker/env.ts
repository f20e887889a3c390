// `env`, from the worker document's bindings. A binding of a kind that hearth does not have is there
// all the same, and says which and why as soon as anything is done with it.
import type { DurableObjectNamespace } from "../agent/namespace.ts";
import type { Assets } from "../bindings/assets.ts";
import type { Binding, WorkerPart } from "./document.ts";

/** What makes the bindings that are more than values. */
export interface BindingMakers {
  namespace(index: number): DurableObjectNamespace;
  ai(): object;
  assets(): Assets | null;
  /** Null: that worker is not served. */
  service(service: string, entrypoint: string, props: unknown): object | null;
}

export function buildEnv(document: WorkerPart, makers: BindingMakers): Record<string, unknown> {
  const env: Record<string, unknown> = {};
  for (const binding of document.bindings) env[binding.name] = make(binding, makers);
  return env;
}

function make(binding: Binding, makers: BindingMakers): unknown {
  switch (binding.type) {
    case "durable_object": return makers.namespace(binding.namespace);
    case "var": return binding.value;
    case "secret": return binding.value;
    case "ai": return makers.ai();
    case "assets":
      return makers.assets() ?? unsupported(binding.name, "assets", "the configuration names no assets directory");
    case "service":
      return makers.service(binding.service, binding.entrypoint ?? "default", binding.props) ??
        unsupported(binding.name, "services", `it names the worker "${binding.service}", which is not served here (C117)`);
    case "unsupported": return unsupported(binding.name, binding.kind, binding.reason);
  }
}

// Names that code and tools ask of any object, without meaning to use it.
const ASKED_OF_ALL = new Set(["then", "toJSON", "constructor", "toString", "valueOf", "inspect", "nodeType", "$$typeof"]);

/** An object each use of which throws, naming the binding, its kind and the reason. */
export function unsupported(name: string, kind: string, reason: string): object {
  const message = `The binding env.${name} (${kind}) does not work on hearth: ${reason}.`;
  return new Proxy({}, {
    get(_target, property) {
      if (typeof property === "symbol" || ASKED_OF_ALL.has(property)) return undefined;
      const fail = (): never => {
        throw new Error(`${message} It was asked for "${property}".`);
      };
      return fail;
    },
    set() {
      throw new Error(message);
    },
  });
}

/**
 * As the platform does with nodejs_compat: variables and secrets are in process.env too. One process
 * has one: what the first worker set, a further one does not replace.
 */
export function populateProcessEnv(document: WorkerPart, first: boolean): void {
  for (const binding of document.bindings) {
    if (binding.type !== "secret" && binding.type !== "var") continue;
    if (!first && binding.name in process.env) continue;
    process.env[binding.name] = typeof binding.value === "string" ? binding.value : JSON.stringify(binding.value);
  }
}
