// The bundle job as docs/wire.md describes it, checked on reading: what arrives here was made by the
// core, yet a wrong field must name itself instead of failing somewhere inside esbuild.
import path from "node:path";

export type RuleType = "ESModule" | "CommonJS" | "Text" | "Data" | "CompiledWasm" | "PythonModule" | "PythonRequirement";

export interface Rule {
  type: RuleType;
  globs: string[];
  fallthrough?: boolean;
}

export interface Job {
  /** The project's folder; relative paths below are relative to it. */
  root: string;
  /** Absolute; of assets alone the empty worker, in a folder of its own under `outdir`. */
  main: string;
  assetsOnly: boolean;
  /** Run before bundling; `watch` are the folders whose changes run it again. */
  build: BuildCommand | null;
  /** Where the bundles go, absolute. */
  outdir: string;
  define: Record<string, string>;
  alias: Record<string, string>;
  rules: Rule[];
  tsconfig: string | null;
  minify: boolean;
  keepNames: boolean;
  mode: "dev" | "serve";
  watch: boolean;
  /** Whether reports tell what the sources say that concerns the configuration. */
  scan: boolean;
  noBundle: boolean;
  findAdditionalModules: boolean;
  /** Where additional modules are looked for; the folder of `main` when not given. */
  baseDir: string;
  jsxFactory: string | null;
  jsxFragment: string | null;
  /** The name of a worker that is served beside the first; null: the first. */
  worker: string | null;
  /** The compatibility flag unsafe_module: code may import workerd:unsafe. */
  unsafeModule: boolean;
}

const RULE_TYPES: readonly string[] =
  ["ESModule", "CommonJS", "Text", "Data", "CompiledWasm", "PythonModule", "PythonRequirement"];

export interface BuildCommand {
  command: string;
  cwd: string;
  watch: string[];
  /** Where the configuration says so. */
  at?: { file: string; line: number; column: number };
}

export class JobError extends Error {
  override name = "JobError";
}

/** Reads a job from its JSON text. Throws JobError with the field's name. */
export function parseJob(text: string): Job {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw new JobError(`the bundle job is not JSON: ${(error as Error).message}`);
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new JobError("the bundle job must be a JSON object");
  }
  const fields = raw as Record<string, unknown>;
  const root = absolute(fields, "root");
  const outdir = absolute(fields, "outdir");
  const given = text_(fields, "main");
  const main = given === null ? path.join(outdir, "empty/worker.mjs") : path.resolve(root, given);
  const noBundle = flag(fields, "noBundle", false);
  const baseDir = text_(fields, "baseDir");
  return {
    root,
    main,
    assetsOnly: given === null,
    build: buildCommand(fields),
    outdir,
    define: strings(fields, "define"),
    alias: strings(fields, "alias"),
    rules: rules(fields),
    tsconfig: text_(fields, "tsconfig"),
    minify: flag(fields, "minify", false),
    keepNames: flag(fields, "keepNames", true),
    mode: text_(fields, "mode") === "serve" ? "serve" : "dev",
    watch: flag(fields, "watch", false),
    scan: flag(fields, "scan", false),
    noBundle,
    findAdditionalModules: flag(fields, "findAdditionalModules", noBundle),
    baseDir: baseDir === null ? path.dirname(main) : path.resolve(root, baseDir),
    jsxFactory: text_(fields, "jsxFactory"),
    jsxFragment: text_(fields, "jsxFragment"),
    worker: text_(fields, "worker"),
    unsafeModule: flag(fields, "unsafeModule", false),
  };
}

function buildCommand(fields: Record<string, unknown>): BuildCommand | null {
  const value = fields["build"];
  if (value === undefined || value === null) return null;
  const { command, cwd, watch, at } = value as Partial<BuildCommand>;
  if (typeof command !== "string" || typeof cwd !== "string" || !Array.isArray(watch) ||
      !watch.every((folder) => typeof folder === "string")) {
    throw new JobError('"build" of the bundle job must be { command, cwd, watch: [folder] }');
  }
  return at === undefined ? { command, cwd, watch } : { command, cwd, watch, at };
}

function missing(name: string): never {
  throw new JobError(`the bundle job lacks "${name}"`);
}

function text_(fields: Record<string, unknown>, name: string): string | null {
  const value = fields[name];
  if (value === undefined || value === null || value === "") return null;
  if (typeof value !== "string") throw new JobError(`"${name}" of the bundle job must be a string`);
  return value;
}

function absolute(fields: Record<string, unknown>, name: string): string {
  const value = text_(fields, name) ?? missing(name);
  if (!path.isAbsolute(value)) throw new JobError(`"${name}" of the bundle job must be an absolute path`);
  return path.normalize(value);
}

function flag(fields: Record<string, unknown>, name: string, otherwise: boolean): boolean {
  const value = fields[name];
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== "boolean") throw new JobError(`"${name}" of the bundle job must be true or false`);
  return value;
}

function strings(fields: Record<string, unknown>, name: string): Record<string, string> {
  const value = fields[name] ?? {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new JobError(`"${name}" of the bundle job must be an object of strings`);
  }
  for (const [key, entry] of Object.entries(value as object)) {
    if (typeof entry !== "string") throw new JobError(`"${name}.${key}" of the bundle job must be a string`);
  }
  return value as Record<string, string>;
}

function rules(fields: Record<string, unknown>): Rule[] {
  const value = fields["rules"] ?? [];
  if (!Array.isArray(value)) throw new JobError(`"rules" of the bundle job must be a list`);
  return value.map((entry: unknown, index) => {
    const rule = entry as Partial<Rule> | null;
    if (typeof rule !== "object" || rule === null || !RULE_TYPES.includes(rule.type ?? "") ||
        !Array.isArray(rule.globs) || !rule.globs.every((glob) => typeof glob === "string")) {
      throw new JobError(`"rules[${index}]" of the bundle job must be { type, globs, fallthrough? } ` +
        `with a type of ${RULE_TYPES.join(", ")}`);
    }
    return rule as Rule;
  });
}
