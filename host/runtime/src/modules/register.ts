// Puts the platform's modules where the bundler's shims look for them. Called once, before the bundle
// is loaded.
import * as nodeModule from "node:module";
import * as durableObjects from "./durable_objects.ts";
import * as email from "./email.ts";
import { MODULES_KEY, NAMES } from "./names.ts";
import * as node from "./node.ts";
import * as sockets from "./sockets.ts";
import * as workers from "./workers.ts";
import * as workflows from "./workflows.ts";

const MODULES: Record<string, object> = {
  "cloudflare:workers": workers,
  "cloudflare:email": email,
  "cloudflare:sockets": sockets,
  "cloudflare:workflows": workflows,
  "cloudflare:node": node,
  "cloudflare:durable-objects": durableObjects,
};

export function registerModules(): void {
  const table: Record<string, Record<string, unknown>> = {};
  for (const [specifier, names] of Object.entries(NAMES)) {
    const module = MODULES[specifier] as Record<string, unknown>;
    const exported: Record<string, unknown> = {};
    for (const name of names) {
      if (!(name in module)) throw new Error(`${specifier} lacks ${name}`);
      exported[name] = module[name];
    }
    table[specifier] = exported;
  }
  (globalThis as unknown as Record<symbol, unknown>)[Symbol.for(MODULES_KEY)] = table;
  resolveComputedImports();
}

/**
 * The bundler sees every import but those of a computed name: these find the modules here (Node.js 22.15
 * and newer). The values are the same as the bundle's own.
 */
function resolveComputedImports(): void {
  nodeModule.registerHooks?.({
    resolve(specifier, context, next) {
      const names = Object.hasOwn(NAMES, specifier) ? NAMES[specifier]! : null;
      if (names === null) return next(specifier, context);
      const table = `globalThis[Symbol.for(${JSON.stringify(MODULES_KEY)})][${JSON.stringify(specifier)}]`;
      const source = names.map((name) => `export const ${name} = ${table}.${name};`).join("\n");
      return { url: `data:text/javascript,${encodeURIComponent(source)}`, format: "module", shortCircuit: true };
    },
  });
}

export { configureWorkers, type WorkersHooks } from "./workers.ts";
