// What user code writes past its console: `process.stdout` and `process.stderr` are streams of ours, whose
// lines are lines of the log with the agent and the ids of who wrote them, instead of bytes on descriptors
// that every agent of the host shares. Those descriptors stay what they are for child processes and native
// code: the core reads them, as output of the host. Our streams never open them, for opening would make them
// non-blocking under the feet of children.
import { StringDecoder } from "node:string_decoder";
import { Writable } from "node:stream";
import type { Agent } from "../agent/instance.ts";
import { currentAgent, currentCause, workerContext, type Cause } from "../agent/scope.ts";
import { LINE_CHARACTERS_MAX, type LineDetails, type LogLevel } from "./log.ts";

/** How long the beginning of a line waits for its end. */
export const PART_WAITS_MS = 500;
const INFO: LogLevel = 1, WARN: LogLevel = 2;

export type WriteLine = (level: LogLevel, text: string, details: LineDetails) => void;

/** The line that one agent has begun on one stream. */
interface Begun {
  /** Who waits for its end; null: nobody, or the worker. */
  agent: Agent | null;
  cause: Cause;
  text: string;
  /** Characters beyond the bound. */
  over: number;
  continued: boolean;
  decoder: StringDecoder | null;
  waits: boolean;
}

const STREAMS = ["stdout", "stderr"] as const;

/** A stream's text in lines, of each agent by itself. */
class Lines {
  readonly #what: string;
  readonly #level: LogLevel;
  readonly #write: WriteLine;
  readonly #begun = new WeakMap<object, Begun>();
  /** Those that wait for their end. */
  readonly #waiting = new Set<Begun>();

  constructor(what: string, level: LogLevel, write: WriteLine) {
    this.#what = what;
    this.#level = level;
    this.#write = write;
  }

  add(chunk: string | Uint8Array): void {
    const agent = currentAgent();
    const key: object = agent?.keeper ?? this;
    let begun = this.#begun.get(key);
    if (begun === undefined) {
      begun = { agent: null, cause: currentCause(), text: "", over: 0, continued: false, decoder: null, waits: false };
      this.#begun.set(key, begun);
    }
    begun.cause = currentCause();
    const text = typeof chunk === "string" ? chunk : (begun.decoder ??= new StringDecoder("utf8")).write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    let at = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", at)) {
      take(begun, text.slice(at, end));
      this.#pass(begun, agent, false);
      at = end + 1;
    }
    take(begun, text.slice(at));
    if (begun.text !== "" || begun.over > 0) this.#wait(begun, agent);
  }

  /** Passes on what waits: nothing follows it soon, or at all. */
  flush(): void {
    for (const begun of this.#waiting) this.#pass(begun, begun.agent, true);
  }

  #wait(begun: Begun, agent: Agent | null): void {
    begun.agent = agent; // one that was reset has another instance
    this.#waiting.add(begun);
    if (begun.waits) return;
    begun.waits = true;
    const pass = (): void => {
      begun.waits = false;
      if (begun.text !== "" || begun.over > 0) this.#pass(begun, begun.agent, true);
    };
    workerContext(() => setTimeout(pass, PART_WAITS_MS).unref());
  }

  #pass(begun: Begun, agent: Agent | null, partial: boolean): void {
    const { cause: { request, connection }, text, over, continued } = begun;
    begun.agent = null;
    begun.text = "";
    begun.over = 0;
    begun.continued = partial;
    this.#waiting.delete(begun);
    if (text === "" && over === 0 && continued) return; // the end of what was passed on already
    this.#write(this.#level, text.endsWith("\r") ? text.slice(0, -1) : text, {
      source: "output", what: this.#what, agent, request: request || undefined, connection: connection || undefined,
      ...(over > 0 && { cut: over }), ...(partial && { partial }), ...(continued && { continued }),
    });
  }
}

function take(begun: Begun, text: string): void {
  const room = LINE_CHARACTERS_MAX - begun.text.length;
  begun.text += text.length <= room ? text : text.slice(0, room);
  begun.over += Math.max(0, text.length - room);
}

/** Node.js's own cannot be closed either: others write there too. */
class OutputStream extends Writable {
  readonly fd: number;

  constructor(fd: number, add: (chunk: string | Uint8Array) => void) {
    super({
      decodeStrings: false,
      emitClose: false,
      autoDestroy: false,
      write(chunk: string | Uint8Array, encoding, done) {
        const utf8 = typeof chunk !== "string" || encoding === "utf8" || encoding === "utf-8";
        add(utf8 ? chunk : Buffer.from(chunk as string, encoding));
        done();
      },
      destroy(_error, done) { done(null); },
    });
    this.fd = fd;
  }

  override end(...given: unknown[]): this {
    const done = given.find((each) => typeof each === "function") as (() => void) | undefined;
    const [chunk, encoding] = given;
    if (chunk !== undefined && chunk !== null && typeof chunk !== "function") {
      this.write(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
    }
    if (done !== undefined) process.nextTick(done);
    return this;
  }

  override destroy(): this { return this; }
}

/** Puts the streams in place. */
export function installOutput(write: WriteLine): void {
  const all = STREAMS.map((name, index) => {
    const lines = new Lines(name, index === 0 ? INFO : WARN, write);
    const stream = new OutputStream(index + 1, (chunk) => lines.add(chunk));
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
    return lines;
  });
  process.on("exit", () => {
    for (const lines of all) lines.flush();
  });
}
