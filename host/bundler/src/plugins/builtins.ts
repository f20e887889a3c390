// Node's own modules stay outside the bundle, under their full name (`fs` becomes `node:fs`), even
// where a package's `browser` field would replace them: the host is a real Node.js.
import { builtinModules } from "node:module";
import type { Plugin } from "esbuild";

const BARE = new Set(builtinModules.filter((name) => !name.startsWith("_") && !name.startsWith("node:")));

export function builtinName(specifier: string): string | null {
  if (specifier.startsWith("node:")) return specifier;
  return BARE.has(specifier) ? `node:${specifier}` : null;
}

export function builtinsPlugin(): Plugin {
  return {
    name: "hearth-builtins",
    setup(build) {
      // The filter runs inside esbuild, so that only what may be a built-in reaches JavaScript.
      const filter = new RegExp(`^(?:node:.+|${[...BARE].join("|")})$`);
      build.onResolve({ filter }, (args) => {
        const name = builtinName(args.path);
        return name === null ? undefined : { path: name, external: true, sideEffects: false };
      });
    },
  };
}
