// Streams that the platform has and Node lacks, and reading a byte stream to its end. ReadableStream
// and its kin stay Node's own.

const utf8 = new TextEncoder();

/** One chunk of a body: bytes are bytes, anything else is the user's error. */
export function toBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (chunk instanceof Uint8Array) return chunk as Uint8Array<ArrayBuffer>;
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError("This ReadableStream did not return bytes.");
}

/** Reads a stream to its end. The result owns its memory. */
export async function readAll(stream: globalThis.ReadableStream): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const bytes = toBytes(value);
      chunks.push(bytes);
      length += bytes.byteLength;
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** A byte stream of one chunk. */
export function streamOf(data: string | Uint8Array): globalThis.ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      // The stream may be transferred to its reader (BYOB), so bytes that others hold are copied.
      const bytes = typeof data === "string" ? utf8.encode(data) : data.slice();
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      controller.close();
      controller.byobRequest?.respond(0);
    },
  }) as ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** Passes bytes on as they are. */
export class IdentityTransformStream extends TransformStream<ArrayBuffer | ArrayBufferView, Uint8Array> {
  constructor(queuingStrategy?: { highWaterMark?: number }) {
    super({
      transform(chunk, controller) {
        if (typeof chunk === "string") {
          throw new TypeError("This TransformStream is being used as a byte stream, but received a string on its writable side. If you wish to write a string, you'll probably want to explicitly UTF-8-encode it with TextEncoder.");
        }
        controller.enqueue(toBytes(chunk));
      },
    }, queuingStrategy);
  }
  get [Symbol.toStringTag](): string { return "IdentityTransformStream"; }
}

const lengths = new WeakMap<object, number>();
/** How long a stream is that a FixedLengthStream gives; undefined for any other. */
export function lengthOf(stream: object): number | undefined {
  return lengths.get(stream);
}

/** Passes on exactly as many bytes as it was made for. */
export class FixedLengthStream extends TransformStream<ArrayBuffer | ArrayBufferView, Uint8Array> {
  constructor(expectedLength: number | bigint, queuingStrategy?: { highWaterMark?: number }) {
    if (typeof expectedLength !== "number" && typeof expectedLength !== "bigint") {
      throw new TypeError("Failed to construct 'FixedLengthStream': constructor parameter 1 is not of type 'bigint'.");
    }
    if (expectedLength < 0) {
      throw new TypeError("The value cannot be converted because it is negative and this API expects a positive bigint.");
    }
    let left = Number(expectedLength);
    super({
      transform(chunk, controller) {
        const bytes = toBytes(chunk);
        if (bytes.byteLength > left) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
        left -= bytes.byteLength;
        controller.enqueue(bytes);
      },
      flush() {
        if (left > 0) throw new TypeError("FixedLengthStream did not see all expected bytes before close().");
      },
    }, queuingStrategy);
    lengths.set(this.readable, left);
  }
  get [Symbol.toStringTag](): string { return "FixedLengthStream"; }
}
