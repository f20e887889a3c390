// Whose code something belongs to: an agent's or the worker's. Targets, callbacks and streams that are
// handed to the other side outlive the call that made them; what is asked of them later runs in their
// owner's context, behind its gates, never in the asker's.
import { AsyncLocalStorage } from "node:async_hooks";
import type { AgentInstance, Dispatcher } from "../agent/types.ts";

export interface Owner {
  readonly agent: AgentInstance | null;
  /** Runs `work` as an event of the owner. */
  enter<T>(work: () => Promise<T>): Promise<T>;
  /** Runs `work` in the owner's context, as a part of what it does already. */
  run<T>(work: () => T): T;
  /** Keeps the owner in memory; returns the release. */
  hold(light?: boolean): () => void;
  /** What must be awaited before what the owner made may be seen by others, or null. */
  gate(): Promise<void> | null;
}

let dispatcher: Pick<Dispatcher, "currentAgent"> = { currentAgent: null };
export function setDispatcher(given: Pick<Dispatcher, "currentAgent">): void {
  dispatcher = given;
}

const nothing = (): void => {};

/** The owner of the code that now runs. */
export function currentOwner(): Owner {
  const agent = dispatcher.currentAgent;
  const run = AsyncLocalStorage.snapshot();
  if (agent === null) {
    return { agent, enter: (work) => run(work), run, hold: () => nothing, gate: () => null };
  }
  return {
    agent,
    enter: (work) => agent.enter(work),
    run,
    hold: (light) => agent.hold(light),
    gate: () => gateOf(agent),
  };
}

// An agent's calls leave in the order in which they were made: one that need not wait itself does not
// overtake one that waits.
const waiting = new Map<AgentInstance, Promise<void>>();

function gateOf(agent: AgentInstance): Promise<void> | null {
  if (agent.insideTransaction) return null;
  const before = waiting.size === 0 ? undefined : waiting.get(agent);
  if (agent.durable) return before ?? null;
  const gate = before ? before.then(() => agent.whenDurable()) : agent.whenDurable();
  waiting.set(agent, gate);
  const done = (): void => {
    if (waiting.get(agent) === gate) waiting.delete(agent);
  };
  gate.then(done, done);
  return gate;
}

/** The output gate of the code that now runs; null when nothing has to be awaited. */
export function currentGate(): Promise<void> | null {
  const agent = dispatcher.currentAgent;
  return agent === null ? null : gateOf(agent);
}
