// EventSource over our fetch, as the platform has it, including EventSource.from(stream).
// Source: HTML standard, section 9.2 (server-sent events).
import { ErrorEvent, MessageEvent, defineHandlers } from "./events.ts";
import { fetch } from "./fetch.ts";

const lineMax = 1024 * 1024;

/** What one event stream's lines come to. */
class Parser {
  data: string[] = [];
  type = "";
  lastId = "";
  retryMs: number | null = null;
  #rest = "";
  readonly #emit: (type: string, data: string, id: string) => void;
  constructor(emit: (type: string, data: string, id: string) => void) { this.#emit = emit; }

  feed(text: string): void {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    if (this.#rest.length > lineMax) throw new Error(`A line of the event stream is longer than ${lineMax} characters.`);
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === "") {
      if (this.data.length > 0) this.#emit(this.type || "message", this.data.join("\n"), this.lastId);
      this.data = [];
      this.type = "";
      return;
    }
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.data.push(value);
    else if (field === "event") this.type = value;
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }
}

export class EventSource extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  declare onopen: ((event: Event) => void) | null;
  declare onmessage: ((event: globalThis.MessageEvent) => void) | null;
  declare onerror: ((event: Event) => void) | null;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSED: 2;
  readonly #url: string;
  #state = 0;
  #retryMs = 3000;
  #lastId = "";
  readonly #abort = new AbortController();

  constructor(url: string | URL, init?: { withCredentials?: boolean; fetcher?: { fetch: typeof fetch } }) {
    super();
    try {
      this.#url = new URL(url).href;
    } catch {
      throw new DOMException("Cannot open an EventSource to an invalid URL.", "SyntaxError");
    }
    if (this.#url !== "about:blank") void this.#run(init?.fetcher ?? { fetch });
  }

  /** An EventSource over a stream of one's own; it is not reconnected. */
  static from(stream: ReadableStream): EventSource {
    const source = new EventSource("about:blank");
    void source.#read(stream).catch((error) => source.#fail(error)).finally(() => source.close());
    return source;
  }

  get url(): string { return this.#url; }
  get withCredentials(): boolean { return false; }
  get readyState(): number { return this.#state; }
  close(): void {
    this.#state = 2;
    this.#abort.abort();
  }

  async #run(fetcher: { fetch: typeof fetch }): Promise<void> {
    while (this.#state !== 2) {
      try {
        const headers: Record<string, string> = { accept: "text/event-stream", "cache-control": "no-cache" };
        if (this.#lastId !== "") headers["last-event-id"] = this.#lastId;
        const response = await fetcher.fetch(this.#url, { headers, signal: this.#abort.signal });
        const type = response.headers.get("content-type") ?? "";
        if (response.status !== 200 || !type.startsWith("text/event-stream")) {
          this.#fail(new Error(`An EventSource needs status 200 with text/event-stream; ${this.#url} answered ${response.status} with ${type || "no type"}.`));
          this.close();
          return;
        }
        await this.#read(response.body);
      } catch (error) {
        if (this.#isClosed()) return;
        this.#state = 0;
        this.#fail(error);
      }
      if (this.#isClosed()) return;
      this.#state = 0;
      await new Promise((resolve) => setTimeout(resolve, this.#retryMs));
    }
  }

  #isClosed(): boolean { return this.#state === 2; }

  async #read(stream: ReadableStream | null): Promise<void> {
    this.#state = 1;
    this.dispatchEvent(new Event("open"));
    const parser = new Parser((type, data, lastEventId) => {
      if (this.#state !== 2) this.dispatchEvent(new MessageEvent(type, { data, lastEventId, origin: this.#url }));
    });
    parser.lastId = this.#lastId;
    const decoder = new TextDecoder();
    for await (const chunk of stream ?? []) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      this.#lastId = parser.lastId;
      this.#retryMs = parser.retryMs ?? this.#retryMs;
      if (this.#state === 2) return;
    }
  }

  #fail(error: unknown): void {
    this.dispatchEvent(new ErrorEvent("error", { error, message: error instanceof Error ? error.message : String(error) }));
  }
}
for (const name of ["CONNECTING", "OPEN", "CLOSED"] as const) {
  Object.defineProperty(EventSource.prototype, name, { value: EventSource[name], enumerable: true });
}
defineHandlers(EventSource.prototype, ["open", "message", "error"]);
