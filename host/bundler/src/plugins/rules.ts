// Module rules: files that are imported as text, bytes or compiled WebAssembly. The user's rules come
// first, then wrangler's defaults; a type whose rule does not say `fallthrough: true` is closed, and a
// file that only a later rule of that type matches is refused with the reason.
import { access, readFile } from "node:fs/promises";
import path from "node:path";
import type { ImportKind, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";

import { globToRegExp } from "../glob.ts";
import type { Rule, RuleType } from "../job.ts";
import { hashedName } from "../output.ts";

export const DEFAULT_RULES: readonly Rule[] = [
  { type: "Text", globs: ["**/*.txt", "**/*.html", "**/*.sql"] },
  { type: "Data", globs: ["**/*.bin"] },
  { type: "CompiledWasm", globs: ["**/*.wasm", "**/*.wasm?module"] },
];

export const RULE_NAMESPACE = "hearth-rule";
/** The bytes behind a Data or CompiledWasm module: written beside the bundle. */
const FILE_NAMESPACE = "hearth-file";

type ModuleType = "Text" | "Data" | "CompiledWasm";

interface Matcher {
  expression: RegExp;
  rule: Rule;
  /** Closed by an earlier rule of the same type. */
  closed: boolean;
}

/** Which rule a path meets: the first that is open, else the first that is closed. */
export function compileRules(user: readonly Rule[]): Matcher[] {
  const closedTypes = new Set<RuleType>();
  const matchers: Matcher[] = [];
  for (const rule of [...user, ...DEFAULT_RULES]) {
    const closed = closedTypes.has(rule.type);
    if (rule.fallthrough !== true) closedTypes.add(rule.type);
    for (const glob of rule.globs) matchers.push({ expression: globToRegExp(glob), rule, closed });
  }
  return matchers;
}

export function matchRule(matchers: readonly Matcher[], specifier: string): Matcher | null {
  const matching = matchers.filter((matcher) => matcher.expression.test(specifier));
  return matching.find((matcher) => !matcher.closed) ?? matching[0] ?? null;
}

export function isModuleType(type: RuleType): type is ModuleType {
  return type === "Text" || type === "Data" || type === "CompiledWasm";
}

const KINDS: readonly ImportKind[] = ["import-statement", "require-call", "dynamic-import", "require-resolve"];

/** Files to be written beside the bundle that esbuild does not emit itself, by their name. */
export type Emitted = Map<string, Uint8Array>;

export function rulesPlugin(user: readonly Rule[], emitted: Emitted): Plugin {
  const matchers = compileRules(user);
  return {
    name: "hearth-rules",
    setup(build) {
      const resolve = (args: OnResolveArgs) => resolveByRule(build, matchers, emitted, args);
      build.onStart(() => emitted.clear());
      // Extensions that cannot meet a rule are sorted out inside esbuild where that is possible.
      const sources = matchers.map((matcher) => matcher.expression.source);
      build.onResolve({ filter: new RegExp(sources.join("|")) }, resolve);

      build.onLoad({ filter: /.*/, namespace: RULE_NAMESPACE }, (args) => {
        const type = (args.pluginData as { type: ModuleType }).type;
        return { contents: moduleText(type, args.path), loader: "js", resolveDir: path.dirname(args.path) };
      });
      build.onResolve({ filter: /^hearth-file:/ }, (args) => {
        const data = args.path.slice("hearth-file:".length);
        return { path: data, namespace: FILE_NAMESPACE };
      });
      build.onLoad({ filter: /.*/, namespace: FILE_NAMESPACE }, async (args) => {
        const [, kind, file] = /^(text|file):(.*)$/s.exec(args.path)!;
        return {
          contents: await readFile(file!),
          loader: kind === "text" ? "text" : "file",
          watchFiles: [file!],
        };
      });
    },
  };
}

async function resolveByRule(build: PluginBuild, matchers: Matcher[], emitted: Emitted, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  if (args.pluginData?.skipRules || !KINDS.includes(args.kind) || args.importer === "" || args.namespace === RULE_NAMESPACE) {
    return undefined;
  }
  const match = matchRule(matchers, args.path);
  if (match === null || !isModuleType(match.rule.type)) return undefined;
  // `with { type: "json" }` and the like say themselves what is meant.
  if (args.with["type"] !== undefined) return undefined;
  if (match.closed) {
    return {
      errors: [{
        text: `The rule ${JSON.stringify(match.rule)} matches "${args.path}", and an earlier rule of type ` +
          `${match.rule.type} without "fallthrough": true ends the search before it`,
        notes: [{ text: `Add "fallthrough": true to the earlier ${match.rule.type} rule of the configuration, or add the extension to its globs.` }],
      }],
    };
  }
  const clean = args.path.replace(/\?.*$/, "");
  const file = await locate(build, clean, args);
  if (typeof file !== "string") return file;
  if (match.rule.type === "CompiledWasm" && await isSourcePhase(args)) {
    const contents = await readFile(file);
    const name = hashedName("asset", `-${path.basename(file)}`, [contents]);
    emitted.set(name, contents);
    return { path: `./${name}`, external: true, watchFiles: [file] };
  }
  return { path: file, namespace: RULE_NAMESPACE, pluginData: { type: match.rule.type }, watchFiles: [file] };
}

/**
 * Whether the importer asks for the module's source (`import source x from "…"`). Node.js compiles
 * that itself, and esbuild wants it outside the bundle but does not tell plugins about the phase.
 */
async function isSourcePhase(args: OnResolveArgs): Promise<boolean> {
  if (args.namespace !== "file") return false;
  const text = await readFile(args.importer, "utf8");
  const specifier = args.path.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  return new RegExp(`\\bimport\\s+source\\s+[\\w$]+\\s+from\\s*["']${specifier}["']|\\bimport\\.source\\(\\s*["']${specifier}["']`).test(text);
}

async function locate(build: PluginBuild, specifier: string, args: OnResolveArgs): Promise<string | OnResolveResult> {
  const resolved = await build.resolve(specifier, {
    kind: args.kind,
    importer: args.importer,
    resolveDir: args.resolveDir,
    pluginData: { skipRules: true },
  });
  if (resolved.errors.length === 0 && resolved.namespace === "file") return resolved.path;
  // A path without "./" is meant from the importing file, as wrangler allows.
  const beside = path.resolve(args.resolveDir, specifier);
  try {
    await access(beside);
    return beside;
  } catch {
    return { errors: resolved.errors, warnings: resolved.warnings };
  }
}

/** What an import of `file` gives: a string, an ArrayBuffer or a WebAssembly.Module as default. */
function moduleText(type: ModuleType, file: string): string {
  const source = JSON.stringify(`hearth-file:${type === "Text" ? "text" : "file"}:${file}`);
  switch (type) {
    case "Text":
      return `import text from ${source};\nexport default text;\n`;
    case "Data":
      return `import { readFileSync } from "node:fs";\nimport file from ${source};\n` +
        "const bytes = readFileSync(new URL(file, import.meta.url));\n" +
        "export default bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);\n";
    case "CompiledWasm":
      return `import { readFileSync } from "node:fs";\nimport file from ${source};\n` +
        "export default new WebAssembly.Module(readFileSync(new URL(file, import.meta.url)));\n";
  }
}
