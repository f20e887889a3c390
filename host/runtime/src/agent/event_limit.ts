// setHibernatableWebSocketEventTimeout(): how long a handler of a WebSocket event may run. JavaScript that
// waits cannot be stopped from outside, so one that takes longer ends this life of its agent, and with it
// all that the handler could still do. The sockets stay, and what waited goes to the next life.
import { EVENT_TOO_LONG, expectReset, resetError } from "./errors.ts";
import type { Agent } from "./instance.ts";

/** Watches a handler that has begun; the answer is to be called when it has ended. */
export function limitEvent(agent: Agent, what: string, connection: number | undefined, limitMs = agent.eventTimeoutMs): () => void {
  if (limitMs === 0) return inTime;
  const timer = setTimeout(() => {
    if (agent.broken) return;
    const error = resetError(new Error(EVENT_TOO_LONG), { retryable: true });
    const told = new Error(`${what} took longer than the ${limitMs} ms of setHibernatableWebSocketEventTimeout(): the object was reset, its sockets stay`);
    told.stack = "";
    agent.host.report(told, { agent, code: "R408", what, connection });
    expectReset(error);
    agent.reset(error);
  }, limitMs);
  timer.unref();
  return () => clearTimeout(timer);
}

function inTime(): void {}
