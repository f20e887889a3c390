// Streamed bodies between the core and the worker's code, both ways, with credit: at most a window of
// bytes is on its way, whoever is slow. One BodyStreams a host.
import type { Addon, Database } from "../addon.ts";
import type { BodySource } from "../web/body.ts";

/** As kBodyWindowBytes in base/limits.h: what may be sent ahead of what the other side has taken. */
const WINDOW_BYTES = 256 * 1024;

/** A request's body as it comes in; the core sends no more than the window ahead of what was read. */
class IncomingBody implements BodySource {
  readonly #addon: Addon;
  readonly #request: number;
  readonly #forget: () => void;
  #chunks: Uint8Array[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #wanted: (() => void) | null = null;
  #ended = false;
  #discarding = false;
  #error: unknown = null;

  constructor(addon: Addon, request: number, forget: () => void) {
    this.#addon = addon;
    this.#request = request;
    this.#forget = forget;
  }

  open(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller as never;
        if (this.#error !== null) controller.error(this.#error);
      },
      pull: () => this.#pull(),
      cancel: () => this.cancel(),
    });
  }

  cancel(): void {
    this.#discarding = true;
    for (const chunk of this.#chunks.splice(0)) this.#addon.bodyCredit(this.#request, chunk.length);
  }

  data(chunk: Uint8Array): void {
    if (this.#discarding) {
      this.#addon.bodyCredit(this.#request, chunk.length);
      return;
    }
    this.#chunks.push(chunk);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#forget();
    this.#wake();
  }

  fail(error: unknown): void {
    this.#error = error;
    this.#chunks = [];
    this.#forget();
    if (this.#controller !== null && !this.#discarding) this.#controller.error(error);
    this.#wake();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    wanted?.();
  }

  async #pull(): Promise<void> {
    const controller = this.#controller!;
    while (this.#chunks.length === 0 && !this.#ended && this.#error === null) {
      await new Promise<void>((resolve) => (this.#wanted = resolve));
    }
    if (this.#error !== null) return;
    const chunk = this.#chunks.shift();
    if (chunk === undefined) {
      controller.close();
      // A byte stream answers whoever waits with a buffer of its own only then.
      (controller as unknown as ReadableByteStreamController).byobRequest?.respond(0);
      return;
    }
    const { length } = chunk; // a byte stream takes the chunk's buffer away
    controller.enqueue(chunk);
    this.#addon.bodyCredit(this.#request, length);
  }
}

/** What gates a response's chunks: the output gate of the agent that makes them. */
export interface StreamOwner {
  readonly gate: Database | null;
  hold(): () => void;
}

/** A response's body on its way out. */
class OutgoingBody {
  credit = WINDOW_BYTES;
  gone = false;
  reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  wake: (() => void) | null = null;
}

export class BodyStreams {
  readonly #addon: Addon;
  readonly #incoming = new Map<number, IncomingBody>();
  readonly #outgoing = new Map<number, OutgoingBody>();

  constructor(addon: Addon) {
    this.#addon = addon;
  }

  get busy(): boolean {
    return this.#outgoing.size > 0;
  }

  expect(request: number): BodySource {
    const body = new IncomingBody(this.#addon, request, () => this.#incoming.delete(request));
    this.#incoming.set(request, body);
    return body;
  }

  data(request: number, chunk: Uint8Array): void {
    this.#incoming.get(request)?.data(chunk);
  }

  end(request: number): void {
    this.#incoming.get(request)?.end();
  }

  credit(request: number, bytes: number): void {
    const body = this.#outgoing.get(request);
    if (body === undefined) return;
    body.credit += bytes;
    body.wake?.();
  }

  /** The client left: what it sends ends with an error, and what it was sent is cancelled. */
  gone(request: number, error: Error): void {
    this.#incoming.get(request)?.fail(error);
    const body = this.#outgoing.get(request);
    if (body === undefined) return;
    body.gone = true;
    body.wake?.();
    body.reader?.cancel(error).catch(() => {});
  }

  /** Sends a stream as the body of a response whose head is sent. Rejects with the stream's error. */
  async send(request: number, stream: ReadableStream<Uint8Array>, owner: StreamOwner | null): Promise<void> {
    const body = new OutgoingBody();
    this.#outgoing.set(request, body);
    const release = owner?.hold();
    try {
      body.reader = stream.getReader();
      for (;;) {
        const { done, value } = await body.reader.read();
        if (body.gone) return;
        if (done) break;
        await this.#chunk(request, body, bytesOf(value), owner);
        if (body.gone) return;
      }
      this.#addon.responseEnd(owner?.gate ?? null, request);
    } finally {
      this.#outgoing.delete(request);
      release?.();
    }
  }

  async #chunk(request: number, body: OutgoingBody, chunk: Uint8Array, owner: StreamOwner | null): Promise<void> {
    for (let sent = 0; sent < chunk.length && !body.gone; ) {
      while (body.credit <= 0 && !body.gone) {
        await new Promise<void>((resolve) => (body.wake = resolve));
        body.wake = null;
      }
      if (body.gone) return;
      const part = chunk.subarray(sent, sent + body.credit);
      body.credit -= part.length;
      sent += part.length;
      this.#addon.responseData(owner?.gate ?? null, request, part);
    }
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (typeof value === "string") return Buffer.from(value);
  throw new TypeError("This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
}
