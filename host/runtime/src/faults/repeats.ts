// Whether an error that may pass does pass. An agent that answers each request with the same error, at
// the same place, for a while and with no answer between will do so until somebody edits its code or
// what it keeps: its clients need not try again. Evidence is kept an agent, for as long as this host
// lives, so that new code, which comes with new hosts, begins anew. Bounded: of more than is kept the
// oldest is forgotten, and its clients go on trying.

const AGENTS_MAX = 256;
const ERRORS_MAX = 4; // of one agent: a request and a WebSocket may fail in two ways
const TIMES_MIN = 5;
const CAUSES_MAX = 5;
const MESSAGE_CHARACTERS_MAX = 500;

/** What the rest of the world causes, and mends. */
const PASSING_CODES = new Set([
  "EAGAIN", "EAI_AGAIN", "EBUSY", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "EMFILE",
  "ENETDOWN", "ENETUNREACH", "ENFILE", "ENOMEM", "ENOSPC", "ENOTFOUND", "EPIPE", "ETIMEDOUT",
]);
const PASSING_NAMES = new Set(["AbortError", "TimeoutError"]);
const PASSING_MESSAGES = /^(?:fetch failed|Network connection lost|A call to blockConcurrencyWhile\(\) in a Durable Object waited for too long)/;

interface Evidence {
  sinceMs: number;
  times: number;
}

interface Known {
  readonly byError: Map<string, Evidence>; // oldest first
  times: number;
}

const lasting = new WeakSet<object>();

/** It has come so often, and for so long, that it is taken for one that stays. */
export function isLasting(error: unknown): boolean {
  return typeof error === "object" && error !== null && lasting.has(error);
}

export function markLasting(error: object): void {
  lasting.add(error);
}

/** Says of itself, or by what caused it, that another try may do. */
function mayPass(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > CAUSES_MAX) return false;
  const { retryable, overloaded, code } = error as Error & { retryable?: unknown; overloaded?: unknown; code?: unknown };
  return retryable === true || overloaded === true || PASSING_NAMES.has(error.name) || PASSING_MESSAGES.test(error.message) ||
         (typeof code === "string" && (PASSING_CODES.has(code) || code.startsWith("UND_ERR_"))) || mayPass(error.cause, depth + 1);
}

/** What two errors have in common that are the same but for a number or an id in the words. */
function kindOf(error: Error, where: string | undefined): string {
  const said = error.message.slice(0, MESSAGE_CHARACTERS_MAX).replace(/[0-9a-f]*\d[0-9a-f]*/gi, "#");
  return `${where ?? ""} ${error.name} ${said}`;
}

export class Repeats {
  readonly #lastingAfterMs: number;
  readonly #now: () => number;
  readonly #agents = new Map<string, Known>(); // oldest first
  /** One error may be met on its way more than once. */
  readonly #counted = new WeakSet<object>();

  /** `lastingAfterMs`: 0: nothing ever lasts. */
  constructor(lastingAfterMs: number, now: () => number = () => performance.now()) {
    this.#lastingAfterMs = lastingAfterMs;
    this.#now = now;
  }

  /** Most often there are none, and nobody need ask whose. */
  get any(): boolean {
    return this.#agents.size > 0;
  }

  /** How many errors of an agent are known. */
  times(agent: string): number {
    return this.#agents.get(agent)?.times ?? 0;
  }

  /** An agent could not be made, or its answer to a request was an error. */
  failed(agent: string, error: unknown, where: string | undefined): void {
    if (this.#lastingAfterMs === 0 || !(error instanceof Error) || this.#counted.has(error)) return;
    this.#counted.add(error);
    if (mayPass(error)) return;
    const known = this.#of(agent);
    known.times++;
    const kind = kindOf(error, where);
    const evidence = known.byError.get(kind);
    if (evidence === undefined) {
      makeRoom(known.byError, ERRORS_MAX);
      known.byError.set(kind, { sinceMs: this.#now(), times: 1 });
      return;
    }
    evidence.times++;
    if (evidence.times >= TIMES_MIN && this.#now() - evidence.sinceMs >= this.#lastingAfterMs) markLasting(error);
  }

  /** An agent has answered a request: what it failed with has passed. */
  answered(agent: string): void {
    this.#agents.delete(agent);
  }

  #of(agent: string): Known {
    let known = this.#agents.get(agent);
    if (known === undefined) {
      makeRoom(this.#agents, AGENTS_MAX);
      known = { byError: new Map(), times: 0 };
      this.#agents.set(agent, known);
    }
    return known;
  }
}

function makeRoom<V>(map: Map<string, V>, max: number): void {
  if (map.size >= max) map.delete(map.keys().next().value!);
}
