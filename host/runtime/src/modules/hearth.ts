// The module `hearth`: what hearth tells user code of itself. Its types for projects are in
// host/types/hearth.d.ts, which must say the same.

export interface Diagnostic {
  code: string;
  severity: "fault" | "warning";
  message: string;
  file?: string;
  line?: number;
  column?: number;
}

export interface EnvironmentEntry {
  name: string;
  kind: string;
  class?: string;
  exported?: boolean;
  diagnostics: Diagnostic[];
  [detail: string]: unknown;
}

export interface EnvironmentAnalysis {
  worker: string;
  entries: EnvironmentEntry[];
  /** Those that concern no entry by itself. */
  diagnostics: Diagnostic[];
}

const EMPTY: EnvironmentAnalysis = { worker: "", entries: [], diagnostics: [] };
let analyses: readonly (EnvironmentAnalysis | undefined)[] = [];
let currentWorker: () => number = () => 0;
let isExported: (worker: number, className: string) => boolean = () => false;

/** `given` are the workers' `environment` of the worker document; `exported` says what a loaded bundle has. */
export function configureHearth(given: readonly (EnvironmentAnalysis | undefined)[], current: () => number,
                                exported: (worker: number, className: string) => boolean): void {
  analyses = given;
  currentWorker = current;
  isExported = exported;
}

/**
 * What each entry of `env` is, and what is wrong with it. With an `env` given, entries that it has and
 * the configuration does not are told too (kind "unknown"), and those that it lacks are left out. Never
 * a value. The answer is the caller's own.
 */
export function analyzeAgentEnvironment(env?: object): EnvironmentAnalysis {
  const worker = currentWorker();
  const answer = structuredClone(analyses[worker] ?? EMPTY);
  for (const entry of answer.entries) {
    // Another worker's class is that one's to export.
    if (entry.kind === "durable_object" && entry.class !== undefined && entry["worker"] === undefined) {
      entry.exported = isExported(worker, entry.class);
    }
  }
  if (env === undefined || env === null) return answer;
  const given = new Set(Object.keys(env));
  answer.entries = answer.entries.filter(({ name }) => name in env);
  for (const { name } of answer.entries) given.delete(name);
  for (const name of given) answer.entries.push({ name, kind: "unknown", diagnostics: [] });
  return answer;
}
