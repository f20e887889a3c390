// One project's bundle, built as wrangler builds it (PLATFORM: format esm, target es2024, conditions
// workerd, worker, browser) for a real Node.js: its built-ins stay imports, and `require` works.
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";

import type { Job } from "./job.ts";
import { nearest } from "./nearest.ts";
import { writeOutputs } from "./output.ts";
import { aliasPlugin } from "./plugins/alias.ts";
import { builtinsPlugin } from "./plugins/builtins.ts";
import { nativePlugin } from "./plugins/native.ts";
import { platformPlugin } from "./plugins/platform.ts";
import { compileRules, matchRule, rulesPlugin, type Emitted } from "./plugins/rules.ts";
import { scanProject } from "./scan/project.ts";
import { diagnostics, plainFailure, type BuildReport } from "./report.ts";

/** CommonJS dependencies may `require` Node's modules; in a module there is no `require` of its own. */
const BANNER = `import { createRequire as __hearthCreateRequire } from "node:module";
const require = __hearthCreateRequire(import.meta.url);`;

const SPLIT_FILES_MAX = 1000;

export interface Outcome {
  report: BuildReport;
  /** Files and folders whose change may change the outcome, absolute. */
  watched: Set<string>;
}

export class Builder {
  readonly #job: Job;
  #context: esbuild.BuildContext | null = null;
  #previous: string | null = null;
  /** Every file that esbuild has asked the resolver about: known even when the build fails. */
  readonly #seen = new Set<string>();
  readonly #emitted: Emitted = new Map();

  constructor(job: Job) {
    this.#job = job;
  }

  async build(): Promise<Outcome> {
    const started = performance.now();
    const job = this.#job;
    if (job.assetsOnly) await writeEmptyWorker(job.main);
    if (!existsSync(job.main)) return this.#outcome(await missingMain(job));
    if (/\.py$/.test(job.main)) {
      return this.#outcome(plainFailure(`${path.relative(job.root, job.main)} is a Python worker, which hearth does not run`));
    }
    try {
      const context = (this.#context ??= await esbuild.context(await buildOptions(job, this.#seen, this.#emitted)));
      const result = await context.rebuild();
      return this.#outcome(await this.#finish(result as Built, started));
    } catch (error) {
      const failure = error as Partial<esbuild.BuildFailure>;
      if (!Array.isArray(failure.errors)) return this.#outcome(plainFailure(String((error as Error)?.message ?? error)));
      for (const message of failure.errors) {
        if (message.location) this.#seen.add(path.resolve(job.root, message.location.file));
      }
      return this.#outcome({
        ok: false,
        errors: diagnostics(failure.errors, job.root),
        warnings: diagnostics(failure.warnings ?? [], job.root),
        ms: elapsed(started),
      });
    }
  }

  async close(): Promise<void> {
    await this.#context?.dispose();
    this.#context = null;
  }

  async #finish(result: Built, started: number): Promise<BuildReport> {
    const { root, outdir, main } = this.#job;
    const outputs = Object.entries(result.metafile.outputs);
    const [entry, output] = outputs.find(([, candidate]) =>
      candidate.entryPoint !== undefined && path.resolve(root, candidate.entryPoint) === main) ?? [];
    if (entry === undefined || output === undefined) throw new Error("esbuild reported no output for the entry point");
    if (output.exports.length === 0) return noExports(path.relative(root, main));

    const extensions = new Map(outputs.flatMap(([name, { entryPoint }]) =>
      entryPoint === undefined ? [] : [[path.resolve(root, name), path.extname(entryPoint)]]));
    const written = await writeOutputs(result.outputFiles, path.resolve(root, entry), outdir, this.#previous, extensions, this.#emitted);
    this.#previous = written.bundle;
    const inputs = [...new Set(Object.keys(result.metafile.inputs).flatMap((input) => inputFile(input, root)))];
    for (const input of inputs) this.#seen.add(input);
    const own = inputs.filter((input) => !input.includes("/node_modules/"));
    return {
      ok: true,
      bundle: written.bundle,
      unchanged: written.unchanged,
      exports: output.exports,
      inputs: own,
      ...(this.#job.scan && { scan: scanProject(root, own) }),
      ms: elapsed(started),
      warnings: diagnostics(result.warnings, root),
    };
  }

  #outcome(report: BuildReport): Outcome {
    const watched = new Set(this.#seen);
    watched.add(this.#job.main);
    if (this.#job.tsconfig !== null) watched.add(path.resolve(this.#job.root, this.#job.tsconfig));
    else watched.add(path.join(this.#job.root, "tsconfig.json"));
    return { report, watched };
  }
}

/** The file behind a metafile's input, which may carry a namespace or an import attribute. */
function inputFile(input: string, root: string): string[] {
  const plain = input.replace(/ with \{.*\}$/s, "");
  const ruled = /^hearth-(?:rule|file):(?:(?:text|file):)?(\/.*)$/s.exec(plain)?.[1];
  if (ruled !== undefined) return [ruled];
  return /^[\w-]{2,}:/.test(plain) ? [] : [path.resolve(root, plain)];
}

type Built = esbuild.BuildResult<{ metafile: true; write: false }>;

const elapsed = (started: number): number => Math.round(performance.now() - started);

async function buildOptions(job: Job, seen: Set<string>, emitted: Emitted): Promise<esbuild.BuildOptions> {
  const nodeEnv = JSON.stringify(process.env["NODE_ENV"] || (job.mode === "dev" ? "development" : "production"));
  const additional = job.findAdditionalModules ? await additionalModules(job) : [];
  const define = {
    "navigator.userAgent": '"Cloudflare-Workers"',
    "process.env.NODE_ENV": nodeEnv,
    "global.process.env.NODE_ENV": nodeEnv,
    "globalThis.process.env.NODE_ENV": nodeEnv,
    // CommonJS packages ask for these when they find themselves in Node.js.
    "__dirname": "import.meta.dirname",
    "__filename": "import.meta.filename",
  };
  return {
    entryPoints: [job.main, ...additional],
    absWorkingDir: job.root,
    outdir: job.outdir,
    outbase: path.dirname(job.main),
    outExtension: { ".js": ".mjs" },
    entryNames: "[dir]/[name]",
    assetNames: "asset-[hash]-[name]",
    chunkNames: "asset-[hash]-[name]",
    bundle: true,
    splitting: additional.length > 0,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    supported: { "import-source": true },
    conditions: ["workerd", "worker", "browser"],
    platform: "browser",
    loader: { ".js": "jsx", ".mjs": "jsx", ".cjs": "jsx" },
    keepNames: job.keepNames && !job.noBundle,
    minify: job.minify && !job.noBundle,
    sourcemap: "external",
    sourcesContent: true,
    banner: { js: BANNER },
    define: job.noBundle ? {} : { ...define, ...job.define },
    logLevel: "silent",
    logLimit: 0,
    ...(job.tsconfig !== null && { tsconfig: path.resolve(job.root, job.tsconfig) }),
    ...(job.jsxFactory !== null && { jsxFactory: job.jsxFactory }),
    ...(job.jsxFragment !== null && { jsxFragment: job.jsxFragment }),
    plugins: [
      seenPlugin(seen),
      aliasPlugin(job.alias, job.root),
      platformPlugin(job.worker, job.unsafeModule),
      builtinsPlugin(),
      rulesPlugin(job.rules, emitted),
      nativePlugin(),
    ],
  };
}

/** Notes every importer, so that a failed first build is watched as well as a good one. */
function seenPlugin(seen: Set<string>): esbuild.Plugin {
  return {
    name: "hearth-seen",
    setup(build) {
      build.onResolve({ filter: /.*/ }, (args) => {
        if (args.namespace === "file" && args.importer !== "") seen.add(args.importer);
        // What a broken relative import may be mended by: a new file in that folder.
        if (args.path.startsWith(".")) seen.add(path.resolve(args.resolveDir, args.path));
        return undefined;
      });
    },
  };
}

/**
 * `find_additional_modules`: files under the base folder that a JavaScript rule names and that the
 * bundle may load by a name computed at run time. Each becomes a file of its own beside the bundle.
 */
async function additionalModules(job: Job): Promise<string[]> {
  const rules = job.rules.some((rule) => rule.type === "ESModule" || !job.noBundle)
    ? job.rules : [{ type: "ESModule" as const, globs: ["**/*.js", "**/*.mjs"] }, ...job.rules];
  const matchers = compileRules(rules).filter(({ rule }) => rule.type === "ESModule" || rule.type === "CommonJS");
  if (matchers.length === 0) return [];
  const found: string[] = [];
  for (const entry of await readdir(job.baseDir, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const relative = path.relative(job.baseDir, file);
    if (!entry.isFile() || file === job.main || /(?:^|\/)(?:node_modules|\.[^/]+)\//.test(relative)) continue;
    if (file.startsWith(`${job.outdir}/`) || matchRule(matchers, relative) === null) continue;
    found.push(file);
    if (found.length > SPLIT_FILES_MAX) {
      throw new Error(`"find_additional_modules" finds more than ${SPLIT_FILES_MAX} modules in ${job.baseDir}; narrow the globs of "rules" or set "base_dir"`);
    }
  }
  return found.sort();
}

/** Without a default export, so that the assets answer everything. */
async function writeEmptyWorker(file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, "export const assetsOnly = true;\n");
}

async function missingMain(job: Job): Promise<BuildReport> {
  const folder = path.dirname(job.main);
  const shown = path.relative(job.root, job.main);
  let near: string | null = null;
  try {
    near = nearest(path.basename(job.main), await readdir(folder));
  } catch {
    return plainFailure(`the entry point ${shown} does not exist, nor does its folder`);
  }
  return plainFailure(`the entry point ${shown} does not exist` +
    (near === null ? "" : `; did you mean ${path.join(path.dirname(shown), near)}?`));
}

function noExports(main: string): BuildReport {
  const report = plainFailure(`${main} exports nothing, so there is nothing to serve`);
  report.errors![0]!.file = main;
  report.errors![0]!.notes.push({
    text: 'A worker exports its handlers and classes: export default { fetch(request, env, ctx) { … } }. ' +
      'The older form, addEventListener("fetch", …), has no way to reach Durable Objects and is not supported.',
    file: null, line: null, column: null,
  });
  return report;
}
