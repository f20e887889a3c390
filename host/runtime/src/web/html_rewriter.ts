// HTMLRewriter, over npm's html-rewriter-wasm: Cloudflare's own lol-html, compiled to WebAssembly. The
// package is loaded at the first use of a rewriter, so it costs a host that needs none nothing. Text is
// UTF-8, whatever the response says. What a transformed body does runs in the context of transform().
// Source: Cloudflare's documentation of HTMLRewriter.
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import { isResponse, Response } from "./response.ts";

interface RawToken { [member: string]: unknown }
interface RawRewriter {
  on(selector: string, handlers: object): void;
  onDocument(handlers: object): void;
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  free(): void;
}
interface Library {
  HTMLRewriter: new (sink: (chunk: Uint8Array) => void, options?: { enableEsiTags?: boolean }) => RawRewriter;
}

let library: Library | null = null;
function load(): Library {
  return (library ??= createRequire(import.meta.url)("html-rewriter-wasm") as Library);
}

type Content = string | ReadableStream<Uint8Array> | Response;
interface ContentOptions { html?: boolean }
type Handler = (token: object) => unknown;

const STALE =
  "This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.";

/** One call of a handler: its token is valid until it ends, and content that streams in is awaited then. */
class Call {
  live = true;
  later: Promise<void> | null = null;

  check(): void {
    if (!this.live) throw new TypeError(STALE);
  }

  /** At once where it can be; after what was asked for before, where that still streams in. */
  change(raw: RawToken, member: string, content: Content, options: ContentOptions | undefined): void {
    this.check();
    const html = options?.html === true;
    const apply = (text: string): void => void (raw[member] as (text: string, options: ContentOptions) => void).call(raw, text, { html });
    const streams = isResponse(content) || content instanceof ReadableStream;
    if (!streams && this.later === null) apply(String(content));
    else this.later = (this.later ?? Promise.resolve()).then(async () => apply(await textOf(content)));
  }
}

async function textOf(content: Content): Promise<string> {
  if (isResponse(content)) return content.text();
  return content instanceof ReadableStream ? new Response(content as never).text() : String(content);
}

class Token {
  readonly #raw: RawToken;
  readonly #call: Call;
  constructor(raw: RawToken, call: Call) {
    this.#raw = raw;
    this.#call = call;
  }
  protected static read(token: Token, member: string): unknown {
    token.#call.check();
    return token.#raw[member];
  }
  protected static write(token: Token, member: string, value: unknown): void {
    token.#call.check();
    token.#raw[member] = value;
  }
  protected static call(token: Token, member: string, ...args: unknown[]): unknown {
    token.#call.check();
    return (token.#raw[member] as (...args: unknown[]) => unknown).apply(token.#raw, args);
  }
  protected static change<T extends Token>(token: T, member: string, content: Content, options?: ContentOptions): T {
    token.#call.change(token.#raw, member, content, options);
    return token;
  }
}

class Changeable extends Token {
  before(content: Content, options?: ContentOptions): this { return Token.change(this, "before", content, options); }
  after(content: Content, options?: ContentOptions): this { return Token.change(this, "after", content, options); }
  replace(content: Content, options?: ContentOptions): this { return Token.change(this, "replace", content, options); }
  remove(): this { Token.call(this, "remove"); return this; }
  get removed(): boolean { return Token.read(this, "removed") as boolean; }
}

class Element extends Changeable {
  get tagName(): string { return Token.read(this, "tagName") as string; }
  set tagName(name: string) { Token.write(this, "tagName", name); }
  get namespaceURI(): string { return Token.read(this, "namespaceURI") as string; }
  get attributes(): IterableIterator<[string, string]> {
    return [...(Token.read(this, "attributes") as Iterable<[string, string]>)][Symbol.iterator]();
  }
  getAttribute(name: string): string | null { return (Token.call(this, "getAttribute", String(name)) as string | null | undefined) ?? null; }
  hasAttribute(name: string): boolean { return Token.call(this, "hasAttribute", String(name)) as boolean; }
  setAttribute(name: string, value: string): this { Token.call(this, "setAttribute", String(name), String(value)); return this; }
  removeAttribute(name: string): this { Token.call(this, "removeAttribute", String(name)); return this; }
  prepend(content: Content, options?: ContentOptions): this { return Token.change(this, "prepend", content, options); }
  append(content: Content, options?: ContentOptions): this { return Token.change(this, "append", content, options); }
  setInnerContent(content: Content, options?: ContentOptions): this { return Token.change(this, "setInnerContent", content, options); }
  removeAndKeepContent(): this { Token.call(this, "removeAndKeepContent"); return this; }
  onEndTag(handler: (tag: EndTag) => unknown): void {
    Token.call(this, "onEndTag", wrap(handler as Handler, EndTag));
  }
}

class EndTag extends Token {
  get name(): string { return Token.read(this, "name") as string; }
  set name(name: string) { Token.write(this, "name", name); }
  before(content: Content, options?: ContentOptions): this { return Token.change(this, "before", content, options); }
  after(content: Content, options?: ContentOptions): this { return Token.change(this, "after", content, options); }
  remove(): this { Token.call(this, "remove"); return this; }
}

class Comment extends Changeable {
  get text(): string { return Token.read(this, "text") as string; }
  set text(text: string) { Token.write(this, "text", text); }
}

class Text extends Changeable {
  get text(): string { return Token.read(this, "text") as string; }
  get lastInTextNode(): boolean { return Token.read(this, "lastInTextNode") as boolean; }
}

class Doctype extends Token {
  get name(): string | null { return (Token.read(this, "name") as string | null | undefined) ?? null; }
  get publicId(): string | null { return (Token.read(this, "publicId") as string | null | undefined) ?? null; }
  get systemId(): string | null { return (Token.read(this, "systemId") as string | null | undefined) ?? null; }
}

class DocumentEnd extends Token {
  append(content: Content, options?: ContentOptions): this { return Token.change(this, "append", content, options); }
}

type TokenClass = new (raw: RawToken, call: Call) => Token;

/** The library awaits what a handler returns, if it is a promise. */
function wrap(handler: Handler, Type: TokenClass): (raw: RawToken) => unknown {
  return (raw) => {
    const call = new Call();
    let result: unknown;
    try {
      result = handler(new Type(raw, call));
    } catch (error) {
      call.live = false;
      throw error;
    }
    const waits = typeof (result as PromiseLike<unknown> | null | undefined)?.then === "function";
    if (!waits && call.later === null) {
      call.live = false;
      return undefined;
    }
    return (async () => {
      try {
        await result;
        await call.later;
      } finally {
        call.live = false;
      }
    })();
  };
}

type Handlers = Record<string, unknown>;
const ELEMENT_TOKENS: Record<string, TokenClass> = { element: Element, comments: Comment, text: Text };
const DOCUMENT_TOKENS: Record<string, TokenClass> = { doctype: Doctype, comments: Comment, text: Text, end: DocumentEnd };

/** An error of a handler, kept as it is: the library rethrows only what a synchronous one throws. */
class Failure {
  error: unknown = null;
  failed = false;
}

function wrapAll(handlers: Handlers, tokens: Record<string, TokenClass>, failure: Failure): object {
  const wrapped: Record<string, (raw: RawToken) => unknown> = {};
  for (const [name, Type] of Object.entries(tokens)) {
    const handler = handlers[name];
    if (typeof handler !== "function") continue;
    const inner = wrap((token) => Reflect.apply(handler, handlers, [token]), Type);
    wrapped[name] = (raw) => {
      if (failure.failed) return undefined;
      const note = (error: unknown): void => {
        if (!failure.failed) Object.assign(failure, { error, failed: true });
      };
      try {
        const result = inner(raw);
        return result instanceof Promise ? result.catch(note) : result;
      } catch (error) {
        note(error);
        return undefined;
      }
    };
  }
  return wrapped;
}

function requireHandlers(method: string, handlers: unknown, place: number): asserts handlers is Handlers {
  if ((typeof handlers !== "object" && typeof handlers !== "function") || handlers === null) {
    throw new TypeError(`Failed to execute '${method}' on 'HTMLRewriter': parameter ${place} is not of type 'ContentHandlers'.`);
  }
}

function asTypeError(error: unknown): unknown {
  return typeof error === "string" ? new TypeError(error) : error;
}

export class HTMLRewriter {
  readonly #elements: [selector: string, handlers: Handlers][] = [];
  readonly #documents: Handlers[] = [];

  on(selector: string, handlers: object): this {
    requireHandlers("on", handlers, 2);
    const trial = new (load().HTMLRewriter)(() => {});
    try {
      trial.on(String(selector), {});
    } catch (error) {
      throw new TypeError(error instanceof Error ? error.message : String(error));
    } finally {
      trial.free();
    }
    this.#elements.push([String(selector), handlers]);
    return this;
  }

  onDocument(handlers: object): this {
    requireHandlers("onDocument", handlers, 1);
    this.#documents.push(handlers);
    return this;
  }

  transform(response: Response): Response {
    if (!isResponse(response)) {
      throw new TypeError("Failed to execute 'transform' on 'HTMLRewriter': parameter 1 is not of type 'Response'.");
    }
    const source = response.body as ReadableStream<Uint8Array> | null;
    if (source === null) return new Response(null, response);
    const transformed = new Response(this.#rewritten(source) as never, response);
    transformed.headers.delete("Content-Length");
    return transformed;
  }

  /** Reads the source as its reader asks, and ends both sides with the first error. */
  #rewritten(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const context = AsyncLocalStorage.snapshot();
    const failure = new Failure();
    const reader = source.getReader();
    let output: Uint8Array[] = [];
    let raw: RawRewriter | null = this.#raw((chunk) => output.push(chunk), failure);
    let running = false;
    const free = (): void => {
      if (running) return;
      raw?.free();
      raw = null;
    };
    const step = async (): Promise<boolean> => {
      const { done, value } = await reader.read();
      if (raw === null) return true;
      running = true;
      try {
        await (done ? raw.end() : raw.write(bytesOf(value)));
      } catch (error) {
        if (!failure.failed) Object.assign(failure, { error: asTypeError(error), failed: true });
      } finally {
        running = false;
      }
      if (failure.failed) throw failure.error;
      return done;
    };
    return new ReadableStream<Uint8Array>({
      type: "bytes",
      pull: (controller) => context(async () => {
        let done = false;
        try {
          while (output.length === 0 && !done) done = await step();
        } catch (error) {
          free();
          reader.cancel(error).catch(() => {});
          throw error;
        }
        for (const chunk of output.splice(0)) controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
        if (!done) return;
        free();
        controller.close();
        (controller as ReadableByteStreamController).byobRequest?.respond(0);
      }),
      cancel: (reason) => {
        output = [];
        free();
        return reader.cancel(reason);
      },
    });
  }

  #raw(sink: (chunk: Uint8Array) => void, failure: Failure): RawRewriter {
    const raw = new (load().HTMLRewriter)((chunk) => {
      if (chunk.length > 0) sink(chunk);
    });
    for (const [selector, handlers] of this.#elements) raw.on(selector, wrapAll(handlers, ELEMENT_TOKENS, failure));
    for (const handlers of this.#documents) raw.onDocument(wrapAll(handlers, DOCUMENT_TOKENS, failure));
    return raw;
  }

  get [Symbol.toStringTag](): string { return "HTMLRewriter"; }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError("HTMLRewriter can only transform a body of bytes.");
}
