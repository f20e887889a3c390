// What a host gives to the core's log: user code's console and the runtime's reports, each line with
// the time, the agent and the event that it belongs to. A line is cut at a bound; an agent that logs
// faster than its rate loses lines, and is told how many. Nothing here throws or waits.
import type { Addon } from "../addon.ts";
import type { Agent } from "../agent/instance.ts";
import { currentAgent, currentCause, workerContext } from "../agent/scope.ts";
import type { NamespaceInfo } from "../agent/types.ts";

/** debug, info, warn, error. */
export type LogLevel = 0 | 1 | 2 | 3;

export const LINE_CHARACTERS_MAX = 16 * 1024;
/** Of one agent, or of the worker's own code: a line costs one, and one more for each of its KiB. */
export const COST_PER_SECOND = 500;
export const COST_AT_ONCE = 2_000;
const DROPS_TOLD_AFTER_MS = 1_000;
const WARN: LogLevel = 2;

const now = Date.now; // user code may put another in its place

interface Budget {
  left: number;
  atMs: number;
  dropped: number;
}

/** What a line may say besides its message; absent ids are found in the async context. */
export interface LineDetails {
  source?: "console" | "host" | "output";
  agent?: Agent | null;
  request?: number | undefined;
  connection?: number | undefined;
  code?: string | undefined;
  what?: string | undefined;
  where?: string | undefined;
  stack?: string | undefined;
  /** Characters that are missing at the message's end. */
  cut?: number;
  /** Of output: more of the line may follow; and its beginning was told already. */
  partial?: boolean;
  continued?: boolean;
  /** What the client was told in place of the cause. */
  reference?: string | undefined;
}

export class HostLog {
  readonly #addon: Addon;
  readonly #namespaces: readonly NamespaceInfo[];
  /** By whoever keeps the agent, which outlasts a reset of it; the worker's under this log. */
  readonly #budgets = new WeakMap<object, Budget>();

  constructor(addon: Addon, namespaces: readonly NamespaceInfo[]) {
    this.#addon = addon;
    this.#namespaces = namespaces;
  }

  write(level: LogLevel, message: string, details: LineDetails = {}): void {
    try {
      const { agent = currentAgent(), source = "host", ...rest } = details;
      const stack = rest.stack ?? "";
      const budget = this.#budget(agent);
      const cost = 1 + ((Math.min(message.length, LINE_CHARACTERS_MAX) + Math.min(stack.length, LINE_CHARACTERS_MAX)) >> 10);
      if (budget.left < cost) {
        if (budget.dropped++ === 0) this.#tellDropsLater(agent, budget);
        return;
      }
      budget.left -= cost;
      const cause = currentCause();
      const line: Record<string, unknown> = { ...rest, ...cut(message), source, time: now() };
      if (stack.length > LINE_CHARACTERS_MAX) line["stack"] = cut(stack).message;
      line["request"] = rest.request ?? (cause.request || undefined);
      line["connection"] = rest.connection ?? (cause.connection || undefined);
      this.#send(level, agent, line);
    } catch {
      // What cannot be said must not end the host.
    }
  }

  #send(level: LogLevel, agent: Agent | null, line: Record<string, unknown>): void {
    if (agent !== null) {
      line["agent"] = agent.address.name || agent.address.id;
      line["class"] = this.#namespaces[agent.address.namespace]?.className;
    }
    this.#addon.log(level, JSON.stringify(line));
  }

  #budget(agent: Agent | null): Budget {
    const key: object = agent?.keeper ?? this;
    const atMs = now();
    let budget = this.#budgets.get(key);
    if (budget === undefined) {
      budget = { left: COST_AT_ONCE, atMs, dropped: 0 };
      this.#budgets.set(key, budget);
    }
    const elapsedMs = Math.max(0, atMs - budget.atMs);
    budget.left = Math.min(COST_AT_ONCE, budget.left + (elapsedMs * COST_PER_SECOND) / 1000);
    budget.atMs = atMs;
    return budget;
  }

  #tellDropsLater(agent: Agent | null, budget: Budget): void {
    const tell = (): void => {
      const { dropped } = budget;
      budget.dropped = 0;
      this.#send(WARN, agent, {
        message: `${dropped} ${dropped === 1 ? "line" : "lines"} dropped: more than ${COST_PER_SECOND} a second were logged`,
        source: "host", dropped, time: now(),
      });
    };
    workerContext(() => setTimeout(tell, DROPS_TOLD_AFTER_MS).unref());
  }
}

/** The text within the bound, and how much of it is missing. */
function cut(text: string): { message: string; cut?: number } {
  if (text.length <= LINE_CHARACTERS_MAX) return { message: text };
  let end = LINE_CHARACTERS_MAX;
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end--; // half of a character
  return { message: text.slice(0, end), cut: text.length - end };
}
