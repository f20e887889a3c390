// Whose the running code is, across awaits: which agent's, for the output gate of outgoing calls and
// for timers, and which event of the core's began it, for what is logged. The worker's own code
// belongs to no agent. An agent's code runs in the context of the runtime's start plus that agent and
// event, never in its caller's, so that no AsyncLocalStorage of user code is seen on the other side of
// a call.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Agent } from "./instance.ts";

/** The event of the core's behind the running code, by the core's ids; 0: none. */
export interface Cause {
  readonly request: number;
  readonly connection: number;
}

interface Scope extends Cause {
  readonly agent: Agent | null;
}

const scope = new AsyncLocalStorage<Scope>();
const root = AsyncLocalStorage.snapshot();
const NO_CAUSE: Cause = { request: 0, connection: 0 };

/** Calls a function with the arguments that follow it, in a context. */
export type Context = <A extends unknown[], R>(work: (...args: A) => R, ...args: A) => R;

export function currentAgent(): Agent | null {
  return scope.getStore()?.agent ?? null;
}

export function currentCause(): Cause {
  return scope.getStore() ?? NO_CAUSE;
}

/** An agent's context; made once and used for all events of the same cause. */
export function contextOf(agent: Agent | null, { request, connection }: Cause = NO_CAUSE): Context {
  return root(() => scope.run({ agent, request, connection }, () => AsyncLocalStorage.snapshot()));
}

/** Runs `work` once for a cause: as the agent's code, or with null as the worker's own. */
export function runFor<R>(agent: Agent | null, { request, connection }: Cause, work: () => R): R {
  return root(() => scope.run({ agent, request, connection }, work));
}

/** The worker's own context, of no agent and no event. */
export const workerContext: Context = root;
