// `alias`: an import of exactly that specifier is resolved as the other one, from the project's
// folder, as wrangler does (subpaths are specifiers of their own).
import type { Plugin } from "esbuild";

export function aliasPlugin(alias: Record<string, string>, root: string): Plugin {
  return {
    name: "hearth-alias",
    setup(build) {
      const keys = Object.keys(alias);
      if (keys.length === 0) return;
      const escaped = keys.map((key) => key.replace(/[-/\\^$*+?.()|[\]{}]/g, "\\$&"));
      build.onResolve({ filter: new RegExp(`^(?:${escaped.join("|")})$`) }, async (args) => {
        const target = alias[args.path];
        if (target === undefined || args.pluginData?.alias === args.path) return undefined;
        const result = await build.resolve(target, {
          kind: args.kind,
          resolveDir: root,
          importer: args.importer,
          with: args.with,
          pluginData: { alias: args.path },  // An alias to itself ends here.
        });
        if (result.errors.length === 0) return result;
        return {
          errors: [{
            text: `Could not resolve "${target}", which the configuration's "alias" puts in place of "${args.path}"`,
            notes: [{ text: `It is looked up from ${root}.` }],
          }],
        };
      });
    },
  };
}
