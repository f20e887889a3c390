// Request as the platform has it. One that came in from the core costs four stores until somebody
// looks closer: headers stay packed, the signal is made when asked for, the body when read.
// Source: Fetch standard, section 5.4; differences of the platform: credentials in the URL, a stream
// without `duplex`, `cf`, any method name that HTTP knows, immutable headers on what came in.
import { Body, bodyHeaders, copyBody, extract, extractedType, hasImmutableHeaders, internal, takeBody, toTaken,
         type BodyInit, type BodySource, type Source, type TakenBody } from "./body.ts";
import { Headers, headersFromPacked, type HeadersInit, type Packed } from "./headers.ts";
import { type Fetcher, hooks } from "./hooks.ts";
import { NodeRequest } from "./native.ts";

export type Redirect = "follow" | "manual";
export interface RequestInit {
  method?: string; headers?: HeadersInit; body?: BodyInit | null; redirect?: string;
  signal?: AbortSignal | null; cf?: object; integrity?: string; cache?: string; keepalive?: boolean;
  fetcher?: unknown;
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "COPY", "LOCK", "MKCOL", "MOVE",
  "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "ACL", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "M-SEARCH", "NOTIFY",
  "SUBSCRIBE", "UNSUBSCRIBE", "PURGE", "MKCALENDAR", "LINK", "UNLINK", "QUERY"]);
const cacheModes = new Set(["no-store", "no-cache", "reload", "default", "force-cache", "only-if-cached"]);

/** An abort that may happen before anybody has asked for the signal. Shared by a request's copies. */
class Abort {
  #controller: AbortController | null = null;
  #signal: AbortSignal | null;
  #reason: unknown;
  #aborted = false;
  constructor(signal: AbortSignal | null) { this.#signal = signal; }
  get signal(): AbortSignal {
    if (this.#signal !== null) return this.#signal;
    this.#controller = new AbortController();
    if (this.#aborted) this.#controller.abort(this.#reason);
    return this.#signal = this.#controller.signal;
  }
  /** The signal, if there is one that anybody could have aborted or listened to. */
  get signalIfAny(): AbortSignal | null { return this.#signal ?? (this.#aborted ? this.signal : null); }
  abort(reason: unknown): void {
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

function normalMethod(method: unknown): string {
  if (method === "GET" || method === "POST") return method;
  const text = String(method);
  const upper = text.toUpperCase();
  if (!methods.has(upper)) throw new TypeError(`Invalid HTTP method string: ${text}`);
  return upper;
}

function normalUrl(input: unknown): string {
  const text = String(input);
  try {
    return new URL(text).href;
  } catch {
    throw new TypeError(`Invalid URL: ${text}`);
  }
}

interface Parts {
  method: string; url: string; headers: Packed; source: Source; cf: object | undefined; immutable: boolean; shared: boolean;
}

let abortOf: (request: Request) => Abort;
let partsOf: (request: Request) => RequestParts;
let signalOf: (request: Request) => AbortSignal | null;

export class Request extends Body {
  #method: string;
  #url: string;
  #redirect: Redirect = "follow";
  #cf: object | undefined = undefined;
  #abort: Abort | null = null;
  #fetcher: Fetcher | null = null;
  #rest: { integrity: string; cache: string | null; keepalive: boolean } | null = null;

  static {
    abortOf = (request) => request.#abort ??= new Abort(null);
    signalOf = (request) => request.#abort === null ? null : request.#abort.signalIfAny;
    partsOf = (request) => ({
      ...toTaken(takeBody(request)), method: request.#method, url: request.#url, headers: bodyHeaders(request),
      redirect: request.#redirect, cf: request.#cf, signal: signalOf(request),
    });
  }

  constructor(input: Request | globalThis.Request | URL | string, init?: RequestInit | Request | null) {
    if ((input as unknown) === internal) {
      const parts = init as unknown as Parts;
      super(parts.source, parts.headers, parts.immutable, parts.shared);
      this.#method = parts.method;
      this.#url = parts.url;
      this.#cf = parts.cf;
      this.#redirect = "manual";
      return;
    }
    if (arguments.length === 0) {
      throw new TypeError("Failed to construct 'Request': constructor parameter 1 is not of type 'Request or string'.");
    }
    if (init !== undefined && init !== null && typeof init !== "object") {
      throw new TypeError("Failed to construct 'Request': constructor parameter 2 is not of type 'RequestInitializerDict or Request'.");
    }
    const base = asOurs(input);
    const url = base === null ? normalUrl(input) : base.#url;
    const method = init?.method === undefined ? (base === null ? "GET" : base.#method) : normalMethod(init.method);
    const { source, type } = chooseBody(base, init);
    if (source !== null && (method === "GET" || method === "HEAD")) {
      throw new TypeError("Request with a GET or HEAD method cannot have a body.");
    }
    super(source, chooseHeaders(base, init, type), false, false);
    this.#method = method;
    this.#url = url;
    if (base !== null) this.#inherit(base);
    if (init !== undefined && init !== null) this.#apply(init);
  }

  #inherit(base: Request): void {
    this.#redirect = base.#redirect;
    this.#cf = base.#cf;
    this.#abort = abortOf(base);
    this.#fetcher = base.#fetcher;
    this.#rest = base.#rest;
  }

  #apply(init: RequestInit | Request): void {
    if (#url in init) {
      const other = init as Request;
      this.#inherit(other);
      return;
    }
    const { redirect, signal, cf, integrity, cache, keepalive, fetcher } = init as RequestInit;
    if (redirect !== undefined) {
      if (redirect !== "follow" && redirect !== "manual") {
        throw new TypeError('Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented since it does not make sense at the edge; use "manual" and check the response status code).');
      }
      this.#redirect = redirect;
    }
    if (signal !== undefined) {
      if (signal !== null && !(signal instanceof AbortSignal)) {
        throw new TypeError("Incorrect type for the 'signal' field on 'RequestInitializerDict': the provided value is not of type 'AbortSignal'.");
      }
      this.#abort = signal === null ? null : new Abort(signal);
    }
    if (cf !== undefined) this.#cf = cf;
    if (fetcher !== undefined) {
      if (fetcher !== null && !hooks.isFetcher(fetcher)) {
        throw new TypeError("Incorrect type for the 'fetcher' field on 'RequestInitializerDict': the provided value is not of type 'Fetcher'.");
      }
      this.#fetcher = fetcher;
    }
    if (cache !== undefined && cache !== null && !cacheModes.has(cache)) throw new TypeError(`Unsupported cache mode: ${cache}`);
    if (integrity !== undefined || cache !== undefined || keepalive !== undefined) {
      this.#rest = { integrity: integrity ?? "", cache: cache ?? null, keepalive: keepalive ?? false };
    }
  }

  get url(): string { return this.#url; }
  get method(): string { return this.#method; }
  get redirect(): Redirect { return this.#redirect; }
  get cf(): object | undefined { return this.#cf; }
  /** Where the global fetch() sends it, if not to its URL's host. */
  get fetcher(): Fetcher | null { return this.#fetcher; }
  get signal(): AbortSignal { return abortOf(this).signal; }
  get integrity(): string { return this.#rest?.integrity ?? ""; }
  get cache(): RequestCache { return (this.#rest?.cache ?? undefined) as RequestCache; }
  get keepalive(): boolean { return this.#rest?.keepalive ?? false; }
  declare readonly credentials: RequestCredentials;
  declare readonly destination: RequestDestination;
  declare readonly mode: RequestMode;
  declare readonly referrer: string;
  declare readonly referrerPolicy: ReferrerPolicy;
  declare readonly duplex: "half";

  /** Keeps the guard of the headers: a copy of what came in is as immutable as it. */
  clone(): Request {
    const source = copyBody(this);
    const copy: Request = new Request(internal as never, {
      method: this.#method, url: this.#url, headers: bodyHeaders(this), source, cf: this.#cf,
      immutable: hasImmutableHeaders(this), shared: source instanceof Uint8Array,
    } satisfies Parts as never);
    copy.#inherit(this);
    return copy;
  }

  get [Symbol.toStringTag](): string { return "Request"; }
  [Symbol.for("nodejs.util.inspect.custom")](_depth: number, options: object, inspect: (v: unknown, o: object) => string): string {
    return `Request ${inspect({ method: this.#method, url: this.#url, headers: this.headers, bodyUsed: this.bodyUsed }, options)}`;
  }
}

function asOurs(input: unknown): Request | null {
  if (input instanceof Request) return input;
  return input instanceof NodeRequest ? fromNode(input) : null;
}

/** Node's own Request, made by code that took the class before us. */
function fromNode(input: globalThis.Request): Request {
  return new Request(input.url, {
    method: input.method, headers: input.headers, body: input.body, signal: input.signal,
    redirect: input.redirect === "error" ? "manual" : input.redirect,
  });
}

function chooseBody(base: Request | null, init: RequestInit | Request | null | undefined): { source: Source; type: string | null } {
  if (init instanceof Request) return { source: takeBody(init, true), type: null };
  const given = init?.body;
  if (given !== undefined && given !== null) {
    const source = extract(given);
    return { source, type: extractedType };
  }
  return { source: base === null || given === null ? null : takeBody(base, true), type: null };
}

function chooseHeaders(base: Request | null, init: RequestInit | Request | null | undefined, type: string | null): Packed | Headers {
  const given = init?.headers;
  if (given === undefined || given === null) {
    const packed = base === null ? "" : bodyHeaders(base);
    if (type === null) return packed;
    if (packed === "") return `content-type\0${type}\0`;
    const headers = headersFromPacked(packed);
    if (!headers.has("content-type")) headers.set("content-type", type);
    return headers;
  }
  const headers = new Headers(given);
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return headers;
}

export type RequestParts = TakenBody & {
  readonly method: string; readonly url: string; readonly headers: Packed; readonly cf: object | undefined;
  readonly redirect: Redirect;
  /** Null when nobody could abort it. */
  readonly signal: AbortSignal | null;
};

/** A request as it came in: immutable headers, nothing parsed until it is asked for. */
export function makeRequest(method: string, url: string, headers: Packed,
                            body: string | Uint8Array | BodySource | null, cf?: object): Request {
  return new Request(internal as never, { method, url, headers, source: body, cf, immutable: true, shared: false } satisfies Parts as never);
}

/** The client left: the request's signal (made lazily) aborts. */
export function abortRequest(request: Request, reason: unknown): void {
  abortOf(request).abort(reason);
}

/** Takes a request apart, to send it elsewhere. Its body is used by that. Throws TypeError if it was. */
export function takeRequest(request: Request): RequestParts {
  return partsOf(request);
}

/** What `fetch(input, init)` means, as our Request: the same object if there is nothing to change. */
export function asRequest(input: Request | globalThis.Request | URL | string, init?: RequestInit | null): Request {
  if ((init === undefined || init === null) && input instanceof Request) return input;
  return new Request(input, init);
}
