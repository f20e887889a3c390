// What the SDKs say by console.error and then hide from whoever called them. An agent that no binding
// serves ends as 400 "Invalid request" (0.32) or as a TypeError (before); an error of onConnect, onStart
// or onRequest as a Response or a frame that is its bare stack; an error of onMessage as nothing at all.
// What was said is evidence that such an answer is the SDK's and not the code's own. Bounded: of more
// than is kept, the oldest is forgotten, and its answer goes out as the SDK made it.

const UNKNOWN_AGENT =
  /^The (?:URL|url) (\S+) (?:with namespace "([^"]*)" and name "[^"]*" )?does not match any (?:Durable Object binding|server namespace)/;
const FAILED = /^Error in [^\n]* (fetch|webSocketMessage|webSocketClose|webSocketError):$/;
const BODY_BYTES_MAX = 64 * 1024;
const KEPT_MAX = 64;
const TEXT_MAX = 4096;

class Bounded<T> {
  readonly #entries = new Map<string, T>(); // oldest first

  get size(): number {
    return this.#entries.size;
  }

  put(key: string, value: T): void {
    this.#entries.delete(key);
    if (this.#entries.size >= KEPT_MAX) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, value);
  }

  get(key: string): T | undefined {
    return this.#entries.size === 0 ? undefined : this.#entries.get(key);
  }

  take(key: string): T | undefined {
    const value = this.get(key);
    if (value !== undefined) this.#entries.delete(key);
    return value;
  }
}

export class SdkComplaints {
  readonly #segments = new Bounded<string>(); // by URL
  readonly #failures = new Bounded<Error>(); // by the text that the client is to get

  /**
   * Listens to what is written by `console.error`, and passes it on. `swallowed` takes an error of a
   * handler that has no answer; it is told there and not written. `failed` hears of one that has.
   */
  watch(target: { error: (...said: unknown[]) => void }, swallowed: (error: unknown) => boolean, failed: (error: unknown) => void = () => {}): void {
    const write = target.error;
    target.error = (...said) => {
      const handler = typeof said[0] === "string" ? this.#hear(said[0], said[1]) : undefined;
      if (handler === "fetch") failed(said[1]);
      if (handler === undefined || handler === "fetch" || !swallowed(said[1])) write.apply(target, said);
    };
  }

  /** The handler that failed, if that is what was said. */
  #hear(text: string, error: unknown): string | undefined {
    if (text.startsWith("The ")) {
      const [, url, segment] = UNKNOWN_AGENT.exec(text.slice(0, TEXT_MAX)) ?? [];
      if (url !== undefined) this.#segments.put(url, segment ?? "");
      return undefined;
    }
    const handler = text.startsWith("Error in ") ? FAILED.exec(text.slice(0, TEXT_MAX))?.[1] : undefined;
    if (handler === "fetch" && error instanceof Error && typeof error.stack === "string") {
      this.#failures.put(error.stack, error);
      this.#failures.put(JSON.stringify({ error: error.stack }), error);
    }
    return handler;
  }

  /** The segment that no binding has; empty: the SDK did not name it; undefined: it has said nothing. */
  unknownAgent(url: string): string | undefined {
    return this.#segments.get(url);
  }

  get anyFailure(): boolean {
    return this.#failures.size > 0;
  }

  /** The error whose bare stack this text is: a response's body, or a frame. */
  failure(text: string): Error | undefined {
    return this.#failures.take(text);
  }

  /** The same, of a whole body. */
  madeOf(body: unknown): Error | undefined {
    return this.anyFailure ? this.failure(textOf(body) ?? "") : undefined;
  }

  /** Another host's SDK has said this error, and made the body of it. */
  learn(body: unknown, error: Error): void {
    const text = textOf(body);
    if (text !== undefined) this.#failures.put(text, error);
  }
}

/** Of a body that is whole and not large. */
export function textOf(body: unknown): string | undefined {
  if (typeof body === "string") return body;
  return body instanceof Uint8Array && body.byteLength <= BODY_BYTES_MAX ? Buffer.from(body).toString("utf8") : undefined;
}
