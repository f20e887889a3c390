// Ends the lives of agents on demand, for `workerd:unsafe`: one agent's, or all of this host's. What is
// evicted was idle and durable, so nothing is lost but memory; what is aborted is cut off, what is deleted
// is gone with all that it stored. An agent's place in the table stays, so the core hears of nothing but of
// alarms that are no more.
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { expectReset } from "./errors.ts";
import { removeDatabase } from "./files.ts";
import type { Agent } from "./instance.ts";
import type { Residency, Resident } from "./residency.ts";
import { workerContext } from "./scope.ts";
import type { AgentAddress } from "./types.ts";

/** What becomes of an evicted agent's hibernatable WebSockets. */
export type Sockets = "hibernate" | "close";

const PATIENCE_MS = 30_000;
const POLL_MS = 2;
const EVICTED = "Durable Object was evicted.";
const SERVICE_RESTART = 1012;

/** Its object is there, or about to be. */
function runs(agent: Agent | null): agent is Agent {
  return agent !== null && !agent.broken && (agent.object !== null || agent.busy);
}

/** A reset that was asked for: nobody reports it. */
function asked(message: string): Error {
  const error = new Error(message);
  expectReset(error);
  return error;
}

/** Ends the agent's life once it is idle. Rejects if it does not run, or is busy for too long. */
export async function evict(residency: Residency, { namespace, id }: AgentAddress, sockets: Sockets): Promise<void> {
  const resident = residency.find(namespace, id);
  const agent = resident?.life ?? null;
  if (resident === undefined || !runs(agent)) throw new Error("Cannot evict Durable Object: it is not currently running.");
  await whenIdle(agent);
  // It may have slept, or been reset, meanwhile: then that life is over already.
  if (resident.life === agent) end(resident, agent, sockets);
}

export async function evictAll(residency: Residency, sockets: Sockets): Promise<void> {
  const ended = [...residency.running()].map((agent) => evict(residency, agent.address, sockets));
  const failed = (await Promise.allSettled(ended)).find(({ status }) => status === "rejected");
  if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
}

export function abortAll(residency: Residency, message: string): void {
  for (const agent of residency.running()) agent.reset(asked(message));
}

/** Of every namespace; each host deletes what it owns. */
export function deleteAll(residency: Residency, message: string): void {
  for (const agent of residency.running()) {
    agent.root.keeper.sockets.closeAll(SERVICE_RESTART, message);
    agent.reset(asked(message));
  }
  for (const { index, removed } of residency.namespaces) {
    const folder = dirname(residency.pathOf(index, "any"));
    if (removed === true || !existsSync(folder)) continue;
    for (const file of readdirSync(folder)) {
      const id = /^([0-9a-f]{64})\.sqlite$/.exec(file)?.[1];
      if (id === undefined || residency.ownerOf(id) !== residency.hostSlot) continue;
      removeDatabase(residency.pathOf(index, id));
      residency.probeAlarm(index, id);
    }
  }
}

function end(resident: Resident, agent: Agent, sockets: Sockets): void {
  if (sockets === "close") resident.sockets.closeAll(SERVICE_RESTART, EVICTED);
  agent.reset(asked(EVICTED));
}

async function whenIdle(agent: Agent): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (!agent.broken && (agent.busy || !agent.durable)) {
    if (Date.now() > until) {
      throw new Error(`Cannot evict Durable Object: it was still busy after ${PATIENCE_MS / 1000} seconds (a handler, ` +
                      "a timer, a stream, or a WebSocket that it took by accept()).");
    }
    await new Promise((resolve) => workerContext(() => setTimeout(resolve, POLL_MS)));
  }
}
