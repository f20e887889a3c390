// What a host knows of faults: what its env has, and what the SDK has said. One a worker. It tells
// errors apart, for the core, which words the answer (src/core/route_faults.h), for the log, and for
// clients that the host itself tells: by a frame, and by the reason of a close.
import { describe, NO_RESPONSE } from "../agent/errors.ts";
import type { ReportDetails } from "../agent/host.ts";
import { whereOf } from "./where.ts";
import { catalogue, type FaultCode } from "./catalogue.ts";
import { classify } from "./classify.ts";
import { placeOfMethod } from "./handler_place.ts";
import { isLasting, Repeats } from "./repeats.ts";
import { SdkComplaints, textOf } from "./sdk.ts";
import { readable, type Wording, wordingOf } from "./wording.ts";

const REFUSED = "R414 "; // how the message begins of an agent that the core lets not run
const UNKNOWN_AGENT_ERROR = "Cannot read properties of undefined (reading 'idFromName')";
const UNKNOWN_AGENT_ANSWER = "Invalid request";
const CLOSE_REASON_BYTES_MAX = 123;
const CLOSE_ERROR = 1011;
const CLOSE_UNTIL_EDITED = 4500;
/** What the code gets wrong every time: no use in trying again. */
const LASTING: ReadonlySet<FaultCode> = new Set(["B206", "R403", "R404", "R405", "R406"]);

/** Errors of the language itself: a mistake in the code, which is made again every time. */
const MISTAKES = [TypeError, ReferenceError, SyntaxError, RangeError, URIError, EvalError];

function isMistake(error: unknown): boolean {
  if (!MISTAKES.some((kind) => error instanceof kind)) return false;
  const { cause, retryable, message } = error as Error & { retryable?: boolean };
  // fetch says by a TypeError that the other side was not reached, or left.
  return cause === undefined && retryable !== true && message !== "terminated" && !/^(?:fetch failed|Network connection lost)/.test(message);
}

/** What is known of an error. */
export interface Fault {
  code: FaultCode;
  message: string;
  stack?: string;
  where?: string;
  status?: number;
  binding?: string;
  /** The binding was used as a string. */
  text?: true;
  segment?: string;
  /** Where the catalogue's cure is not the one for the case at hand. */
  fix?: string;
  /** It stays wrong until somebody edits the code: clients need not try again. */
  lasting?: true;
}

/** What a client is told on its socket. */
export interface Told {
  frame: string;
  code: number;
  reason: string;
}

/** What is known of the case at hand goes before what is known of every error. */
function withWording(fault: Fault, { where, ...wording }: Wording): Fault {
  const told: Fault = { ...fault, ...wording };
  if (where !== undefined) told.where = where;
  if (wording.code !== undefined) delete told.lasting;
  if (wording.code !== undefined && LASTING.has(wording.code)) told.lasting = true;
  return told;
}

export interface FaultsOptions {
  mode: "dev" | "serve";
  env: () => object;
  /** A text without the project's secrets. */
  redact: (text: string) => string;
  /** To the log. */
  report: (error: unknown, details: ReportDetails) => void;
  /** After how long an agent that always fails alike is taken for one that stays broken; 0: never. */
  lastingAfterMs?: number;
}

export class Faults {
  readonly complaints = new SdkComplaints();
  readonly #repeats: Repeats;
  readonly #options: FaultsOptions;
  #references = 0;

  constructor(options: FaultsOptions) {
    this.#options = options;
    this.#repeats = new Repeats(options.lastingAfterMs ?? 0);
  }

  of(given: unknown): Fault {
    const error = readable(given);
    const fault: Fault = { ...describe(error), ...classify(error, (name) => name in this.#options.env()) };
    const where = whereOf(error);
    if (where !== undefined) fault.where = where;
    if (LASTING.has(fault.code) || (fault.code === "R407" && (isMistake(error) || isLasting(error)))) fault.lasting = true;
    if (fault.binding !== undefined) fault.message = `env.${fault.binding} is undefined: nothing binds it`;
    if (fault.message === NO_RESPONSE) fault.message = "an agent's fetch or onRequest returned no Response";
    if (fault.code === "R405") fault.message = `a Response has the status 101 and no webSocket: ${fault.message}`;
    return fault.code === "R403" ? fault : withWording(fault, wordingOf(error));
  }

  /** An agent could not be made, or answered a request by an error: again and again, it is taken for one that stays. */
  agentFailed(agent: string, error: unknown): void {
    this.#repeats.failed(agent, error, whereOf(error));
  }

  get anyFailed(): boolean {
    return this.#repeats.any;
  }

  /** How often an agent has failed since it last answered. */
  failuresOf(agent: string): number {
    return this.#repeats.times(agent);
  }

  agentAnswered(agent: string): void {
    this.#repeats.answered(agent);
  }

  /** Of a request that failed: what ResponseFailed tells the core. */
  ofRequest(error: unknown, url: string): Fault {
    const fault = this.of(error);
    if (fault.message.startsWith(REFUSED)) return { code: "R414", message: fault.message.slice(REFUSED.length), status: 503 };
    const segment = fault.message === UNKNOWN_AGENT_ERROR ? this.complaints.unknownAgent(url) : undefined;
    return segment === undefined ? fault : { ...fault, code: "R401", segment };
  }

  /** Of an answer that the SDK made of a fault; undefined for what is the code's own. */
  ofAnswer(url: string, status: number, body: unknown): Fault | undefined {
    if (status === 400) {
      const segment = this.complaints.unknownAgent(url);
      if (segment === undefined || textOf(body) !== UNKNOWN_AGENT_ANSWER) return undefined;
      return { code: "R401", message: catalogue.R401.cause, segment };
    }
    const error = status === 500 ? this.complaints.madeOf(body) : undefined;
    return error === undefined ? undefined : this.ofRequest(error, url);
  }

  /** Of a frame that the SDK made of a fault. */
  ofFrame(data: unknown, details: ReportDetails): Told | undefined {
    if (!this.complaints.anyFailure || typeof data !== "string") return undefined;
    const error = this.complaints.failure(data);
    return error === undefined ? undefined : this.told(error, details);
  }

  /** The log and the client are told; in production the client of the code and a reference alone. */
  told(error: unknown, details: ReportDetails): Told {
    const { code, message, lasting, ...fault } = this.of(error);
    const { title, cure } = catalogue[code];
    const where = fault.where ?? (details.agent == null ? undefined : placeOfMethod(details.agent.object, handlersOf(details.what)));
    if (fault.where === undefined && where !== undefined) details = { ...details, where };
    const close = lasting ? CLOSE_UNTIL_EDITED : CLOSE_ERROR;
    if (this.#options.mode === "dev") {
      this.#options.report(error, details);
      const docs = `docs/diagnostics.md#${code.toLowerCase()}`;
      const said = this.#options.redact(message);
      const reason = shortened(`${code}: ${said}${where === undefined ? "" : ` (${where})`}`);
      return { frame: JSON.stringify({ error: said, code, where, fix: fault.fix ?? cure, docs }), code: close, reason };
    }
    const reference = `${process.pid.toString(36)}-${(++this.#references).toString(36)}`;
    this.#options.report(error, { ...details, reference });
    return {
      frame: JSON.stringify({ error: `${title}. The server's log says why, under this reference.`, code, reference }),
      code: close, reason: `${code}: see the server's log, ${reference}`,
    };
  }
}

/** The methods that may have run in an event. */
function handlersOf(what: string | undefined): string[] {
  const event = /^webSocket(Message|Close|Error)$/.exec(what ?? "")?.[1];
  return event === undefined ? [] : [`on${event}`, what!];
}

/** As many characters as fit into a close frame. */
function shortened(reason: string): string {
  if (Buffer.byteLength(reason) <= CLOSE_REASON_BYTES_MAX) return reason;
  let bytes = 0;
  let kept = "";
  for (const character of reason) {
    bytes += Buffer.byteLength(character);
    if (bytes > CLOSE_REASON_BYTES_MAX - 3) break;
    kept += character;
  }
  return `${kept}...`;
}
