// Types of the module "hearth", which every worker that hearth serves can import. Use them with
//   /// <reference path="…/host/types/hearth.d.ts" />
// or by naming this file in the tsconfig's "files" or "include".
declare module "hearth" {
  /** One thing that `hearth doctor` finds; its code is explained by `hearth explain CODE`. */
  export interface Diagnostic {
    code: string;
    severity: "fault" | "warning";
    title: string;
    message: string;
    /** Relative to the configuration's folder. */
    file?: string;
    line?: number;
    column?: number;
    cause: string;
    cure: string;
    docs: string;
    /** The edit that mends it, as a unified diff; `safe`: `hearth doctor --fix` applies it. */
    diff?: string;
    safe?: boolean;
    stack?: string;
  }

  interface Entry {
    name: string;
    diagnostics: Diagnostic[];
  }

  export interface DurableObjectEntry extends Entry {
    kind: "durable_object";
    class: string;
    /** Another worker's class (`script_name`), and whether that worker, with that class, is served beside this one. */
    worker?: string;
    served?: boolean;
    /** The bundle exports the class; absent where no bundle is known. */
    exported?: boolean;
    /** A migration names the class. */
    migrated: boolean;
    /** It has SQL storage (`new_sqlite_classes`). */
    sql: boolean;
    /** As clients of the SDK ask for it: `/agents/SEGMENT/NAME`. */
    segment: string;
    url: string;
  }

  export interface SecretEntry extends Entry {
    kind: "secret";
    /** It has a value that is not empty. */
    set: boolean;
  }

  export interface ServiceEntry extends Entry {
    kind: "service";
    service: string;
    /** The worker is served here: this one, or one beside it. */
    served: boolean;
    entrypoint?: string;
  }

  export interface UnsupportedEntry extends Entry {
    kind: "unsupported";
    /** The configuration's key, such as "d1_databases". */
    type: string;
    reason: string;
  }

  export interface PlainEntry extends Entry {
    /** "unknown": the `env` that was given has it, and the configuration does not. */
    kind: "var" | "ai" | "assets" | "unknown";
  }

  export type EnvironmentEntry = DurableObjectEntry | SecretEntry | ServiceEntry | UnsupportedEntry | PlainEntry;

  export interface EnvironmentAnalysis {
    worker: string;
    /** One for each entry of `env`, in the configuration's order. */
    entries: EnvironmentEntry[];
    /** Those that concern no entry by itself. */
    diagnostics: Diagnostic[];
  }

  /**
   * What each entry of `env` is, and what is wrong with it: what `hearth doctor --json` prints as
   * `environment` and `/_hearth/env` answers. Never a value. With an `env` given, entries that it
   * has and the configuration does not are told too, and those that it lacks are left out.
   */
  export function analyzeAgentEnvironment(env?: object): EnvironmentAnalysis;
}
