// The modules that the host provides: `cloudflare:*` (and `hearth`). An import becomes a generated
// module that reads the host's own from a well-known symbol, so the bundle runs on every Node.js
// without loader hooks, and a name that the platform lacks is found while bundling.
import type { Plugin } from "esbuild";

import { MODULES_KEY, moduleKey, NAMES, UNSAFE_NAMES } from "../../../runtime/src/modules/names.ts";
import { nearest } from "../nearest.ts";

export const PLATFORM_NAMESPACE = "hearth-platform";

const names: Record<string, readonly string[]> = NAMES;
const exportsOf = { ...NAMES, ...UNSAFE_NAMES };

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/** The text of the module that stands for `specifier` in a worker's bundle (null: the first worker). */
export function platformModule(specifier: string, exported: readonly string[], worker: string | null = null): string {
  const key = JSON.stringify(moduleKey(specifier, worker));
  const lines = [`const m = globalThis[Symbol.for(${JSON.stringify(MODULES_KEY)})][${key}];`];
  for (const name of exported) {
    if (name === "default") lines.push("export default m.default;");
    else if (IDENTIFIER.test(name)) lines.push(`export const ${name} = m.${name};`);
    else throw new Error(`the platform's module ${specifier} has an export that is no identifier: ${name}`);
  }
  return lines.join("\n") + "\n";
}

export function platformPlugin(worker: string | null, unsafe = false): Plugin {
  return {
    name: "hearth-platform",
    setup(build) {
      build.onResolve({ filter: /^cloudflare:/ }, (args) => {
        if (args.path in names) return { path: args.path, namespace: PLATFORM_NAMESPACE, sideEffects: false };
        const near = nearest(args.path, Object.keys(names));
        return {
          errors: [{
            text: `hearth has no module "${args.path}"` + (near ? `; did you mean "${near}"?` : ""),
            notes: [{ text: `The modules of the platform are ${Object.keys(names).join(", ")}.` }],
          }],
        };
      });
      build.onResolve({ filter: /^hearth$/ }, async (args) => {
        if (!("hearth" in names)) return undefined;
        return { path: args.path, namespace: PLATFORM_NAMESPACE, sideEffects: false };
      });
      build.onResolve({ filter: /^workerd:/ }, (args) => {
        if (args.path in UNSAFE_NAMES) {
          if (unsafe) return { path: args.path, namespace: PLATFORM_NAMESPACE, sideEffects: false };
          return {
            errors: [{
              text: `"${args.path}" is there with the compatibility flag "unsafe_module" only`,
              notes: [{ text: 'It ends Durable Objects on demand, for tests: add "unsafe_module" to "compatibility_flags" of their configuration.' }],
            }],
          };
        }
        return {
          errors: [{
            text: `"${args.path}" exists inside workerd only and hearth does not provide it`,
            notes: [{ text: "Modules named workerd:* are internals of Cloudflare's runtime; no deployed worker may import them either." }],
          }],
        };
      });
      build.onLoad({ filter: /.*/, namespace: PLATFORM_NAMESPACE }, (args) => ({
        contents: platformModule(args.path, exportsOf[args.path]!, worker),
        loader: "js",
      }));
    },
  };
}
