// Puts the platform's modules where the bundler's shims look for them. Called once, before the bundle
// is loaded.
import * as nodeModule from "node:module";
import { pathToFileURL } from "node:url";
import * as durableObjects from "./durable_objects.ts";
import * as email from "./email.ts";
import * as hearth from "./hearth.ts";
import { MODULES_KEY, moduleKey, NAMES, UNSAFE_NAMES } from "./names.ts";
import * as node from "./node.ts";
import * as sockets from "./sockets.ts";
import * as unsafe from "./unsafe.ts";
import { makeWorkerScope, type WorkersHooks } from "./worker_scope.ts";
import * as workers from "./workers.ts";
import * as workflows from "./workflows.ts";

const MODULES: Record<string, object> = {
  "cloudflare:workers": workers,
  "cloudflare:email": email,
  "cloudflare:sockets": sockets,
  "cloudflare:workflows": workflows,
  "cloudflare:node": node,
  "cloudflare:durable-objects": durableObjects,
  hearth,
  "workerd:unsafe": unsafe,
};

const WORKERS = "cloudflare:workers";
type Table = Record<string, Record<string, unknown>>;
const table: Table = {};
/** Of the further workers, by name. */
const scopes = new Map<string, ReturnType<typeof makeWorkerScope>>();

/** A further worker: its name, and the folder that its bundle is in, with a slash at its end. */
export interface FurtherWorker { name: string; folder: string }

export function registerModules(further: readonly FurtherWorker[] = []): void {
  for (const [specifier, names] of Object.entries({ ...NAMES, ...UNSAFE_NAMES })) table[specifier] = pick(specifier, names, MODULES[specifier]!);
  for (const { name } of further) {
    const scope = makeWorkerScope();
    scopes.set(name, scope);
    table[moduleKey(WORKERS, name)] = { ...table[WORKERS], ...scope.members };
  }
  (globalThis as unknown as Record<symbol, unknown>)[Symbol.for(MODULES_KEY)] = table;
  resolveComputedImports(further.map(({ name, folder }) => ({ name, url: pathToFileURL(folder).href })));
}

function pick(specifier: string, names: readonly string[], module: object): Record<string, unknown> {
  const exported: Record<string, unknown> = {};
  for (const name of names) {
    if (!(name in module)) throw new Error(`${specifier} lacks ${name}`);
    exported[name] = (module as Record<string, unknown>)[name];
  }
  return exported;
}

/** Says what `cloudflare:workers` shows to a worker; without a name, the first. */
export function configureWorkers(given: Pick<WorkersHooks, "env" | "exports"> & Partial<WorkersHooks>, worker?: string): void {
  if (worker === undefined) workers.configureFirst(given);
  else scopes.get(worker)!.configure(given);
}

/**
 * The bundler sees every import but those of a computed name: these find the modules here (Node.js 22.15
 * and newer). The values are the same as the bundle's own.
 */
function resolveComputedImports(further: readonly { name: string; url: string }[]): void {
  nodeModule.registerHooks?.({
    resolve(specifier, context, next) {
      const names = Object.hasOwn(NAMES, specifier) ? NAMES[specifier]! : null;
      if (names === null) return next(specifier, context);
      const asker = further.find(({ url }) => context.parentURL?.startsWith(url));
      const key = specifier === WORKERS && asker !== undefined ? moduleKey(specifier, asker.name) : specifier;
      const module = `globalThis[Symbol.for(${JSON.stringify(MODULES_KEY)})][${JSON.stringify(key)}]`;
      const source = names.map((name) => `export const ${name} = ${module}.${name};`).join("\n");
      return { url: `data:text/javascript,${encodeURIComponent(source)}`, format: "module", shortCircuit: true };
    },
  });
}

export { configureHearth } from "./hearth.ts";
