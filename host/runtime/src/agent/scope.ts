// Which agent the running code belongs to, across awaits: for the output gate of outgoing calls, for
// timers, and for naming the agent in what is logged. The worker's own code belongs to none. An
// agent's code runs in the context of the runtime's start plus that agent, never in its caller's, so
// that no AsyncLocalStorage of user code is seen on the other side of a call.
import { AsyncLocalStorage } from "node:async_hooks";
import type { Agent } from "./instance.ts";

const scope = new AsyncLocalStorage<Agent>();
const root = AsyncLocalStorage.snapshot();

/** Calls a function with the arguments that follow it, in a context. */
export type Context = <A extends unknown[], R>(work: (...args: A) => R, ...args: A) => R;

export function currentAgent(): Agent | null {
  return scope.getStore() ?? null;
}

export function contextOf(agent: Agent): Context {
  return root(() => scope.run(agent, () => AsyncLocalStorage.snapshot()));
}

/** The worker's own context, of no agent. */
export const workerContext: Context = root;
