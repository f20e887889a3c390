// The worker document (docs/wire.md): what the core configures a host with.

import type { AiConfig } from "../bindings/ai.ts";
import type { AssetsConfig } from "../bindings/assets.ts";
import type { EnvironmentAnalysis } from "../modules/hearth.ts";

export type Binding =
  | { type: "durable_object"; name: string; namespace: number }
  | { type: "var"; name: string; value: unknown }
  | { type: "secret"; name: string; value: string }
  | { type: "ai"; name: string }
  | { type: "assets"; name: string }
  | { type: "service"; name: string; service: string; entrypoint?: string; props?: unknown }
  | { type: "unsupported"; name: string; kind: string; reason: string };

/** One worker's part of it. */
export interface WorkerPart {
  worker: string;
  bundle: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  bindings: Binding[];
  assets?: AssetsConfig;
  crons?: string[];
  ai?: AiConfig;
  /** What analyzeAgentEnvironment tells. */
  environment?: EnvironmentAnalysis;
}

/** The first worker, which gets the requests, and what concerns all. */
export interface WorkerDocument extends WorkerPart {
  state: string;
  /** The first worker's folder; places in the code are told relative to it. */
  root?: string;
  mode: "dev" | "serve";
  durability: "fsync" | "os";
  /** How far back agents can be restored; 0 or absent: not at all. */
  historyDays?: number;
  /** Of all workers; `worker` is the number of the one whose class it is. */
  namespaces: { className: string; uniqueKey: string; sqlite: boolean; worker?: number; removed?: boolean }[];
  /** Further workers, which the first is bound to; their numbers count from 1. */
  workers?: WorkerPart[];
  idleTimeoutMs?: number;
  /** How long the event loop may be blocked; 0 or absent: for ever. */
  hangTimeoutMs?: number;
  /** The CPU time that one turn of the event loop may use; absent: any. */
  cpuMs?: number;
  /** After how long an agent that always fails alike tells its clients not to try again; 0 or absent: never. */
  lastingAfterMs?: number;
}

// Flags that became the default at a date, of those that this runtime heeds.
const DEFAULTS: Record<string, string> = {
  nodejs_compat_populate_process_env: "2025-04-01",
  global_navigator: "2022-03-21",
  websocket_close_reason_byte_limit: "2026-03-03",
  websocket_standard_binary_type: "2026-03-17",
};

/** Which compatibility flags apply: those named, and those of the date that are not disabled. */
export function flagsOf(document: WorkerPart): Record<string, boolean> {
  const flags: Record<string, boolean> = {};
  for (const [flag, since] of Object.entries(DEFAULTS)) flags[flag] = document.compatibilityDate >= since;
  if (!document.compatibilityFlags.includes("nodejs_compat")) flags["nodejs_compat_populate_process_env"] = false;
  for (const flag of document.compatibilityFlags) {
    if (flag.startsWith("no_") && flag.slice(3) in DEFAULTS) flags[flag.slice(3)] = false;
    if (flag === "nodejs_compat_do_not_populate_process_env") flags["nodejs_compat_populate_process_env"] = false;
    flags[flag] = true;
  }
  return flags;
}
