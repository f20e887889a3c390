// Response as the platform has it: lazy, with `webSocket`, `cf` and `encodeBody`. What a handler
// returns is taken apart for the core by `takeResponse`, which reads no stream and makes none when
// the body is a string or bytes.
// Source: Fetch standard, section 5.5; error texts and 101 with a WebSocket as on the platform.
import { coded } from "../faults/coded.ts";
import { STATUS_CODES } from "node:http";
import { Body, bodyHeaders, copyBody, extract, extractedType, hasImmutableHeaders, internal, takeBody, textType, toTaken,
         type BodyInit, type BodySource, type Source, type TakenBody } from "./body.ts";
import { encode, encodingOf, withoutEncoding } from "./encode.ts";
import { Headers, type HeadersInit, type Packed } from "./headers.ts";
import { NodeResponse } from "./native.ts";
import { lengthOf } from "./streams.ts";
import { WebSocket } from "./websocket.ts";

export interface ResponseInit {
  status?: number; statusText?: string; headers?: HeadersInit; webSocket?: WebSocket | null; cf?: object;
  encodeBody?: "automatic" | "manual";
}
export type ResponseParts = TakenBody & {
  readonly status: number; readonly statusText: string; readonly headers: Packed; readonly webSocket: WebSocket | null;
};

/** What few responses have. `decoded`: the headers tell of an encoding that the body no longer has. */
interface More {
  cf?: object | undefined; url?: string; redirected?: boolean; type?: "default" | "error"; manual?: boolean; decoded?: boolean;
}
interface Parts {
  source: Source; headers: Packed; immutable: boolean; shared: boolean; status: number; statusText: string;
  webSocket: WebSocket | null; more: More | null;
}

const textHeaders = `content-type\0${textType}\0`;
const badStatusText = /[^\t\x20-\x7e\x80-\xff]/;
const redirects = new Set([301, 302, 303, 307, 308]);

function validStatus(value: unknown, webSocket: WebSocket | null): number {
  const status = Math.trunc(Number(value));
  if (webSocket !== null && status !== 101) throw new RangeError("Responses with a WebSocket must have status code 101.");
  if (webSocket === null && !(status >= 200 && status <= 599)) {
    const error = new RangeError("Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
    throw status === 101 ? coded(error, "R405") : error; // the socket was lost on the way
  }
  return status;
}

function hasNoBody(status: number): boolean {
  return status === 204 || status === 304 || status === 205 || status === 101;
}

let partsOf: (response: Response) => ResponseParts;
let ours: (value: object) => boolean;

export class Response extends Body {
  #status = 200;
  #statusText = "";
  #webSocket: WebSocket | null = null;
  #more: More | null = null;

  static {
    ours = (value) => #status in value;
    partsOf = (response) => response.#apart();
  }

  constructor(body?: BodyInit | null, init?: ResponseInit | Response | globalThis.Response | null) {
    if ((body as unknown) === internal) {
      const parts = init as unknown as Parts;
      super(parts.source, parts.headers, parts.immutable, parts.shared);
      this.#status = parts.status;
      this.#statusText = parts.statusText;
      this.#webSocket = parts.webSocket;
      this.#more = parts.more;
      return;
    }
    if (init === undefined || init === null) {
      const source = extract(body);
      super(source, extractedType === null ? "" : extractedType === textType ? textHeaders : `content-type\0${extractedType}\0`,
            false, false);
      return;
    }
    if (typeof init !== "object") {
      throw new TypeError("Failed to construct 'Response': constructor parameter 2 is not of type 'InitializerDict or Response'.");
    }
    const { status: givenStatus, statusText, headers, webSocket: socket, cf, encodeBody } = init as ResponseInit;
    if (socket !== undefined && socket !== null && !(socket instanceof WebSocket)) {
      throw new TypeError("Incorrect type for the 'webSocket' field on 'InitializerDict': the provided value is not of type 'WebSocket'.");
    }
    const webSocket = socket ?? null;
    const status = givenStatus === undefined ? validStatus(200, webSocket) : validStatus(givenStatus, webSocket);
    if (encodeBody !== undefined && encodeBody !== "automatic" && encodeBody !== "manual") {
      throw new TypeError(`encodeBody: unexpected value: ${encodeBody}`);
    }
    let source = extract(body);
    const type = extractedType;
    if (hasNoBody(status) && source !== null) {
      if (source !== "") throw new TypeError("Response with null body status (101, 204, 205, or 304) cannot have a body.");
      source = null;
    }
    super(source, initialHeaders(headers, type), false, false);
    this.#status = status;
    this.#webSocket = webSocket;
    if (statusText !== undefined && statusText !== "") {
      const text = String(statusText);
      if (badStatusText.test(text)) throw new TypeError("Invalid statusText");
      this.#statusText = text;
    }
    if (cf !== undefined || encodeBody === "manual") this.#more = { cf, manual: encodeBody === "manual" };
  }

  static json(data?: unknown, init?: ResponseInit | null): Response {
    const text = JSON.stringify(data);
    const headers = new Headers(init?.headers ?? undefined);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text ?? "undefined", { ...init, headers });
  }

  static redirect(url: string | URL, status = 302): Response {
    let location: string;
    try {
      location = new URL(url).href;
    } catch {
      throw new TypeError(`Unable to parse URL: ${url}`);
    }
    if (!redirects.has(status)) {
      throw new RangeError(`${status} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.`);
    }
    return fromParts({ status, headers: `Location\0${location}\0`, immutable: true });
  }

  static error(): Response {
    return fromParts({ status: 0, immutable: true, more: { type: "error" } });
  }

  get status(): number { return this.#status; }
  get statusText(): string { return this.#statusText || (STATUS_CODES[this.#status] ?? ""); }
  get ok(): boolean { return this.#status >= 200 && this.#status < 300; }
  get webSocket(): WebSocket | null { return this.#webSocket; }
  get url(): string { return this.#more?.url ?? ""; }
  get redirected(): boolean { return this.#more?.redirected ?? false; }
  get type(): "default" | "error" { return this.#more?.type ?? "default"; }
  get cf(): object | undefined { return this.#more?.cf; }

  clone(): Response {
    if (this.#webSocket !== null) throw new TypeError("Cannot clone a response to a WebSocket handshake.");
    const source = copyBody(this);
    return new Response(internal as never, {
      source, headers: bodyHeaders(this), immutable: hasImmutableHeaders(this), shared: source instanceof Uint8Array,
      status: this.#status, statusText: this.#statusText, webSocket: null, more: this.#more,
    } satisfies Parts as never);
  }

  #apart(): ResponseParts {
    const status = this.#status;
    if (status === 0) throw new TypeError("A network error (Response.error()) cannot be sent; return a response with a status.");
    const statusText = this.#statusText;
    const webSocket = this.#webSocket;
    const source = takeBody(this);
    let headers = bodyHeaders(this);
    if (headers !== textHeaders && headers !== "" && source !== null) {
      const name = encodingOf(headers);
      if (name !== null && this.#more?.decoded === true) {
        headers = withoutEncoding(headers);
      } else if (name !== null && this.#more?.manual !== true) {
        return { ...encode(source, name), status, statusText, headers, webSocket };
      }
    }
    if (typeof source === "string" || source instanceof Uint8Array) {
      return { bodyKind: 1, body: source, status, statusText, headers, webSocket };
    }
    const length = source === null ? undefined : lengthOf(source);
    if (length !== undefined && !/(?:^|\0)content-length\0/i.test(headers)) headers += `Content-Length\0${length}\0`;
    return { ...toTaken(source), status, statusText, headers, webSocket };
  }

  get [Symbol.toStringTag](): string { return "Response"; }
  [Symbol.for("nodejs.util.inspect.custom")](_depth: number, options: object, inspect: (v: unknown, o: object) => string): string {
    return `Response ${inspect({ status: this.#status, statusText: this.#statusText, headers: this.headers, bodyUsed: this.bodyUsed }, options)}`;
  }
}

function initialHeaders(given: HeadersInit | null | undefined, type: string | null): Packed | Headers {
  if (given === undefined || given === null) return type === null ? "" : `content-type\0${type}\0`;
  const headers = new Headers(given);
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return headers;
}

function fromParts(parts: Partial<Parts>): Response {
  return new Response(internal as never, {
    source: null, headers: "", immutable: false, shared: false, status: 200, statusText: "", webSocket: null, more: null, ...parts,
  } satisfies Parts as never);
}

/** What the core needs of a response. Its body is used by that. Throws TypeError if it was used before. */
export function takeResponse(response: Response): ResponseParts {
  return partsOf(response);
}

/** A response that came from elsewhere (another host, the core): immutable headers, as from fetch(). */
export function makeResponse(status: number, statusText: string, headers: Packed,
                             body: string | Uint8Array | BodySource | null, webSocket: WebSocket | null = null): Response {
  return fromParts({ status, statusText, headers, source: body, webSocket, immutable: true });
}

/** Node's own response, as ours; its body streams through when it is read. */
export function fromNodeResponse(response: globalThis.Response): Response {
  let headers = "";
  response.headers.forEach((value, name) => { if (name !== "set-cookie") headers += `${name}\0${value}\0`; });
  for (const cookie of response.headers.getSetCookie()) headers += `set-cookie\0${cookie}\0`;
  return fromParts({
    status: response.status, statusText: response.statusText, headers, immutable: true,
    source: response.body === null ? null : response,
    more: { url: response.url, redirected: response.redirected, decoded: response.headers.has("content-encoding"),
            type: response.type === "error" ? "error" : "default" },
  });
}

/** Whether a handler's answer is a Response (ours). */
export function isResponse(value: unknown): value is Response {
  return typeof value === "object" && value !== null && ours(value);
}

/** A handler's answer as our Response: ours as it is, Node's own converted, anything else null. */
export function asResponse(value: unknown): Response | null {
  if (isResponse(value)) return value;
  return value instanceof NodeResponse ? fromNodeResponse(value) : null;
}
