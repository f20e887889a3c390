// What every part of the agents' room shares: the workers that are loaded, and the addon. One a
// process; built by main.ts and passed in.
import type { Addon } from "../addon.ts";
import type { Faults } from "../faults/faults.ts";
import type { Agent } from "./instance.ts";
import type { AgentAddress, AgentOperation, NamespaceInfo } from "./types.ts";

/** A user's object: handlers may be methods or own properties, so they are read at each call. */
export interface UserObject {
  fetch?: (request: unknown) => unknown;
  alarm?: (info: AlarmInfo) => unknown;
  webSocketMessage?: (socket: unknown, data: string | ArrayBuffer) => unknown;
  webSocketClose?: (socket: unknown, code: number, reason: string, wasClean: boolean) => unknown;
  webSocketError?: (socket: unknown, error: unknown) => unknown;
}
export type AgentClass = new (state: unknown, env: unknown) => UserObject;

export interface AlarmInfo {
  readonly retryCount: number;
  readonly isRetry: boolean;
  readonly scheduledTime: number;
}

/** What is told of an error besides its message and stack. */
export interface ReportDetails {
  agent?: Agent | null;
  code?: string;
  connection?: number | undefined;
  request?: number | undefined;
  level?: 0 | 1 | 2 | 3;
  what?: string;
  /** The place, where the error itself does not tell it. */
  where?: string;
  /** What the client was told in place of the cause. */
  reference?: string;
}

/** What the code of one worker is given. */
export interface WorkerScope {
  readonly env: object;
  /** `ctx.exports`. */
  readonly exports: object;
}

export interface AgentHost {
  readonly addon: Addon;
  readonly stateDirectory: string;
  readonly durability: "fsync" | "os";
  /** How far back storage can be restored; 0: not at all. */
  readonly historyMs: number;
  readonly mode: "dev" | "serve";
  readonly idleTimeoutMs: number;
  readonly namespaces: readonly NamespaceInfo[];
  /** The exported class of a namespace; undefined: the bundle does not export it. */
  classOf(namespace: NamespaceInfo): AgentClass | undefined;
  /** The worker whose class a namespace (by number) is for. */
  workerOf(namespace: number): WorkerScope;
  /** A stub that sends its calls to `call`. */
  facetStub(address: AgentAddress, call: (operation: AgentOperation) => Promise<unknown>): object;
  readonly faults: Faults;
  /** To the core's log. Never throws. */
  report(error: unknown, details?: ReportDetails): void;
}
