// Packages with native code stay where they are installed: their binary is found relative to their
// own files, which bundling would take away. They are imported by the absolute path that Node.js
// itself resolves. A `.node` file is required likewise.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "esbuild";

const ADDON_NAMESPACE = "hearth-addon";
/** Packages that exist to find or build a binary: who depends on one of them has native code. */
const ADDON_LOADERS = ["bindings", "node-gyp-build", "node-gyp-build-optional-packages", "node-pre-gyp",
  "@mapbox/node-pre-gyp", "prebuild-install", "node-addon-api", "napi-build-utils", "pkg-prebuilds"];

interface Manifest {
  gypfile?: boolean;
  binary?: unknown;
  napi?: unknown;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** `@scope/name` or `name` of a bare specifier. */
export function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
}

export function isNativePackage(folder: string): boolean {
  if (existsSync(path.join(folder, "binding.gyp"))) return true;
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return false;
  }
  if (manifest.gypfile || manifest.napi || manifest.binary) return true;
  // One package per system, of which npm installed one: `@img/sharp-linux-x64` and its like.
  if (Object.keys(manifest.optionalDependencies ?? {}).some((name) => name.includes("linux-x64"))) return true;
  return ADDON_LOADERS.some((name) => manifest.dependencies && name in manifest.dependencies);
}

export function nativePlugin(): Plugin {
  return {
    name: "hearth-native",
    setup(build) {
      const known = new Map<string, boolean>();

      const nativeFrom = (name: string, from: string): boolean => {
        const key = `${from}\0${name}`;
        const cached = known.get(key);
        if (cached !== undefined) return cached;
        const folder = path.join(from, "node_modules", name);
        const parent = path.dirname(from);
        const native = existsSync(folder) ? isNativePackage(folder) : parent !== from && nativeFrom(name, parent);
        known.set(key, native);
        return native;
      };
      build.onStart(() => known.clear());

      build.onResolve({ filter: /^(?:@[^/:]+\/)?[^./@:#][^:]*$/ }, (args) => {
        if (args.kind === "entry-point" || args.pluginData?.skipRules) return undefined;
        if (path.isAbsolute(args.path) || !nativeFrom(packageName(args.path), args.resolveDir)) return undefined;
        try {
          const file = createRequire(path.join(args.resolveDir, "import.js")).resolve(args.path);
          const required = args.kind === "require-call" || args.kind === "require-resolve";
          return { path: required ? file : pathToFileURL(file).href, external: true };
        } catch {
          return undefined;  // esbuild words the failure.
        }
      });

      build.onResolve({ filter: /\.node$/ }, (args) => {
        if (args.namespace === ADDON_NAMESPACE) return { path: args.path, external: true };
        return { path: path.resolve(args.resolveDir, args.path), namespace: ADDON_NAMESPACE };
      });
      build.onLoad({ filter: /.*/, namespace: ADDON_NAMESPACE }, (args) => ({
        contents: `module.exports = require(${JSON.stringify(args.path)});`,
        loader: "js",
      }));
    },
  };
}
