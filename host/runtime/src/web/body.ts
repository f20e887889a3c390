// What Request and Response share: a body that stays what it was given as (a string, bytes, a Blob,
// a stream) until somebody reads it, and is used once. The string and byte forms never become a
// stream unless code asks for `body`; the dispatcher takes them as they are.
// Source: Fetch standard, section 5.3; error texts as the platform's.
import { Readable } from "node:stream";
import { Headers, freezeHeaders, headersFromPacked, packHeaders, type Packed } from "./headers.ts";
import { NodeResponse } from "./native.ts";
import { readAll, streamOf } from "./streams.ts";

/** A body that comes from elsewhere; opened at most once, when somebody reads it. */
export interface BodySource {
  open(): ReadableStream<Uint8Array>;
  /** Nobody will read it. */
  cancel?(reason?: unknown): void;
}
export type BodyInit = ReadableStream | string | ArrayBuffer | ArrayBufferView | Blob | URLSearchParams | FormData;

/** What a Request or Response is taken apart into: kind as on the wire (0 none, 1 whole, 2 streamed). */
export type TakenBody =
  | { readonly bodyKind: 0; readonly body: null }
  | { readonly bodyKind: 1; readonly body: string | Uint8Array }
  | { readonly bodyKind: 2; readonly body: ReadableStream<Uint8Array> };

/** Marks a construction by the runtime: the second argument is then the class's own parts. */
export const internal: unique symbol = Symbol("hearth");

export type Source = string | Uint8Array | Blob | globalThis.Response | ReadableStream | BodySource | null;

const usedText = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";
const lockedText = "This ReadableStream is currently locked to a reader.";
const utf8 = new TextEncoder();
/** Whether anything was ever read from a stream. */
const isDisturbed = Readable.isDisturbed as (stream: unknown) => boolean;
const fromUtf8 = new TextDecoder(); // strips a byte order mark

export const textType = "text/plain;charset=UTF-8";

/** The content type that the last `extract` found for its body; null if it has none. */
export let extractedType: string | null = null;

/** What a body argument stands for. Bytes are copied, as the standard has it. */
export function extract(body: unknown): Source {
  extractedType = null;
  if (body === null || body === undefined) return null;
  if (typeof body === "string") {
    extractedType = textType;
    return body;
  }
  if (body instanceof ReadableStream) {
    if (isDisturbed(body)) {
      throw new TypeError("This ReadableStream is disturbed (has already been read from), and cannot be used as a body.");
    }
    if (body.locked) throw new TypeError("This ReadableStream is locked to a reader, and cannot be used as a body.");
    return body;
  }
  if (body instanceof Uint8Array) return new Uint8Array(body);
  if (body instanceof ArrayBuffer || body instanceof SharedArrayBuffer) return new Uint8Array(body.slice(0));
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  if (body instanceof URLSearchParams) {
    extractedType = "application/x-www-form-urlencoded;charset=UTF-8";
    return body.toString();
  }
  if (body instanceof Blob) {
    extractedType = body.type || null;
    return body;
  }
  if (body instanceof FormData) {
    const encoded = new NodeResponse(body);
    extractedType = encoded.headers.get("content-type");
    return encoded;
  }
  if (typeof body === "object" && typeof (body as AsyncIterable<unknown>)[Symbol.asyncIterator] === "function") {
    return streamFrom(body as AsyncIterable<unknown>);
  }
  extractedType = textType;
  return String(body);
}

function streamFrom(chunks: AsyncIterable<unknown>): ReadableStream {
  async function* bytes(): AsyncGenerator<unknown> {
    for await (const chunk of chunks) yield typeof chunk === "string" ? utf8.encode(chunk) : chunk;
  }
  return (ReadableStream as unknown as { from(i: AsyncIterable<unknown>): ReadableStream }).from(bytes());
}

function isSource(value: Source): value is BodySource {
  return typeof value === "object" && value !== null && typeof (value as BodySource).open === "function";
}

function owned(bytes: Uint8Array, shared: boolean): Uint8Array<ArrayBuffer> {
  return shared || bytes.byteLength !== bytes.buffer.byteLength || bytes.constructor !== Uint8Array
    ? new Uint8Array(bytes) : (bytes as Uint8Array<ArrayBuffer>);
}

let takeSource: (body: Body, reconstruct: boolean) => Source;
let copySource: (body: Body) => Source;
let peekSource: (body: Body) => Source;
let packedHeaders: (body: Body) => Packed;
let immutable: (body: Body) => boolean;
let freezeBody: (body: Body) => void;

export class Body {
  #source: Source;
  #headers: Packed | Headers;
  /** Read, or handed on. A stream says by itself whether it was read. */
  #used = false;
  /** A clone reads the same bytes. */
  #shared = false;
  #immutable: boolean;

  static {
    takeSource = (body, reconstruct) => {
      if (reconstruct && body.bodyUsed) throw new TypeError("Cannot reconstruct a Request with a used body.");
      return body.#take();
    };
    immutable = (body) => body.#immutable;
    freezeBody = (body) => {
      body.#immutable = true;
      if (typeof body.#headers !== "string") freezeHeaders(body.#headers);
    };
    copySource = (body) => body.#copy();
    peekSource = (body) => body.#source;
    packedHeaders = (body) => typeof body.#headers === "string" ? body.#headers : packHeaders(body.#headers);
  }

  /** Only Request and Response call this. */
  constructor(source: Source, headers: Packed | Headers, immutable: boolean, shared: boolean) {
    this.#source = source;
    this.#headers = headers;
    this.#immutable = immutable;
    this.#shared = shared;
    if (immutable && typeof headers !== "string") freezeHeaders(headers);
  }

  get headers(): Headers {
    const headers = this.#headers;
    return typeof headers === "string" ? (this.#headers = headersFromPacked(headers, this.#immutable)) : headers;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#stream() as ReadableStream<Uint8Array<ArrayBuffer>> | null;
  }

  get bodyUsed(): boolean {
    return this.#used || (this.#source instanceof ReadableStream && isDisturbed(this.#source));
  }

  #stream(): ReadableStream | null {
    const source = this.#source;
    if (source === null || source instanceof ReadableStream) return source;
    if (typeof source === "string" || source instanceof Uint8Array) {
      const stream = streamOf(source);
      // A body read by other means still has a stream, which is then at its end and used.
      if (this.#used) readAll(stream).catch(() => {});
      return this.#source = stream;
    }
    if (isSource(source)) return this.#source = source.open();
    return this.#source = source instanceof Blob ? (source.stream() as ReadableStream) : source.body;
  }

  /** The body, which is used by this. A null body can be taken any number of times. */
  #take(): Source {
    const source = this.#source;
    if (source === null) return null;
    if (this.#used) throw new TypeError(usedText);
    if (source instanceof ReadableStream) {
      if (source.locked) throw new TypeError(lockedText);
      if (isDisturbed(source)) throw new TypeError(usedText);
    }
    this.#used = true;
    return source;
  }

  #copy(): Source {
    const source = this.#source;
    if (source === null) return null;
    if (this.#used) throw new TypeError(usedText);
    if (typeof source === "string" || source instanceof Blob) return source;
    if (source instanceof Uint8Array) {
      this.#shared = true;
      return source;
    }
    if (source instanceof NodeResponse) return source.clone();
    const stream = this.#stream()!;
    if (stream.locked) throw new TypeError("This ReadableStream is currently locked to a reader,");
    if (isDisturbed(stream)) throw new TypeError(usedText);
    const [mine, other] = stream.tee();
    this.#source = mine;
    return other;
  }

  async #bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const source = this.#take();
    if (source === null) return new Uint8Array(0);
    if (typeof source === "string") return utf8.encode(source);
    if (source instanceof Uint8Array) return owned(source, this.#shared);
    if (source instanceof ReadableStream) return readAll(source);
    if (isSource(source)) return readAll(source.open());
    return new Uint8Array(await source.arrayBuffer());
  }

  text(): Promise<string> {
    if (typeof this.#source === "string" && !this.#used) {
      this.#used = true;
      const text = this.#source;
      return Promise.resolve((text.charCodeAt(0) === 0xfeff ? text.slice(1) : text).toWellFormed());
    }
    return this.#bytes().then((bytes) => fromUtf8.decode(bytes));
  }

  async json(): Promise<any> {
    return JSON.parse(await this.text());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.#bytes()).buffer;
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#bytes();
  }

  async blob(): Promise<Blob> {
    const type = this.headers.get("content-type") ?? "";
    return new Blob([await this.#bytes()], { type });
  }

  /** Node's own parser reads the form; here are only the platform's errors. */
  async formData(): Promise<FormData> {
    const type = this.headers.get("content-type") ?? "";
    const essence = type.split(";", 1)[0]!.trim().toLowerCase();
    if (essence !== "multipart/form-data" && essence !== "application/x-www-form-urlencoded") {
      throw new TypeError("Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded");
    }
    if (essence === "multipart/form-data" && !/;\s*boundary=/i.test(type)) {
      throw new TypeError("No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary parameter, e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC 7578, section 4.");
    }
    const bytes = await this.#bytes();
    try {
      return await new NodeResponse(bytes, { headers: { "content-type": type } }).formData();
    } catch (error) {
      throw new TypeError("The multipart/form-data body could not be parsed: no boundary string at its start, or a truncated message.", { cause: error });
    }
  }
}

/** The body as it is, used by this. `reconstruct`: for `new Request(request)`, whose error differs. */
export function takeBody(body: Body, reconstruct = false): Source {
  return takeSource(body, reconstruct);
}
/** A second body with the same content: shared where it can be, else the stream's other branch. */
export function copyBody(body: Body): Source {
  return copySource(body);
}
export function bodySource(body: Body): Source {
  return peekSource(body);
}
export function bodyHeaders(body: Body): Packed {
  return packedHeaders(body);
}

/** From now on its headers cannot be changed: it has come by a stub, as if from elsewhere. */
export function makeHeadersImmutable(body: Body): void {
  freezeBody(body);
}

export function hasImmutableHeaders(body: Body): boolean {
  return immutable(body);
}

/** The form in which a body leaves this process. */
export function toTaken(source: Source): TakenBody {
  if (source === null) return { bodyKind: 0, body: null };
  if (typeof source === "string" || source instanceof Uint8Array) return { bodyKind: 1, body: source };
  if (source instanceof ReadableStream) return { bodyKind: 2, body: source };
  if (isSource(source)) return { bodyKind: 2, body: source.open() };
  const stream = source instanceof Blob ? (source.stream() as ReadableStream) : source.body;
  return stream === null ? { bodyKind: 0, body: null } : { bodyKind: 2, body: stream };
}
