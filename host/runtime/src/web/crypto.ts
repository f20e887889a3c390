// What the platform adds to Web Crypto: crypto.DigestStream, crypto.subtle.timingSafeEqual, and MD5 in
// crypto.subtle.digest.
import { createHash, timingSafeEqual as equalBytes, type Hash } from "node:crypto";

const algorithms = new Map([["MD5", "md5"], ["SHA-1", "sha1"], ["SHA-256", "sha256"], ["SHA-384", "sha384"], ["SHA-512", "sha512"]]);

/** A stream that keeps only the hash of what was written; `digest` resolves when it is closed. */
export class DigestStream extends WritableStream<string | ArrayBuffer | ArrayBufferView> {
  readonly #digest: Promise<ArrayBuffer>;
  #written = 0n;

  constructor(algorithm: string | { name: string }) {
    const name = String(typeof algorithm === "string" ? algorithm : algorithm?.name).toUpperCase();
    const known = algorithms.get(name);
    if (known === undefined) throw new DOMException("Unrecognized or unimplemented digest algorithm requested.", "NotSupportedError");
    const hash: Hash = createHash(known);
    const { promise, resolve, reject } = deferred<ArrayBuffer>();
    promise.catch(() => {}); // a digest that nobody asks for is no floating rejection
    let count: (bytes: number) => void = () => {};
    super({
      write(chunk) {
        const bytes = typeof chunk === "string" ? Buffer.from(chunk, "utf8")
          : ArrayBuffer.isView(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
          : chunk instanceof ArrayBuffer ? new Uint8Array(chunk) : null;
        if (bytes === null) throw new TypeError("DigestStream is a byte stream but received an object of non-ArrayBuffer/ArrayBufferView/string type on its writable side.");
        hash.update(bytes);
        count(bytes.byteLength);
      },
      close() { resolve(new Uint8Array(hash.digest()).buffer); },
      abort(reason) { reject(reason); },
    });
    count = (bytes) => { this.#written += BigInt(bytes); };
    this.#digest = promise;
  }

  get digest(): Promise<ArrayBuffer> { return this.#digest; }
  get bytesWritten(): bigint { return this.#written; }
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => { resolve = yes; reject = no; });
  return { promise, resolve, reject };
}

function view(value: unknown, place: number, method: string): Uint8Array {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`Failed to execute '${method}' on 'SubtleCrypto': parameter ${place} is not of type 'BufferSource'.`);
}

const nodeDigest = SubtleCrypto.prototype.digest;

/** As Node's own, and MD5, which the platform has for the sake of older systems. */
export async function digest(this: SubtleCrypto, algorithm: string | { name: string }, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer> {
  const name = typeof algorithm === "string" ? algorithm : algorithm?.name;
  if (String(name).toUpperCase() !== "MD5") return nodeDigest.call(this, algorithm, data as BufferSource);
  return new Uint8Array(createHash("md5").update(view(data, 2, "digest")).digest()).buffer;
}

export function timingSafeEqual(a: ArrayBuffer | ArrayBufferView, b: ArrayBuffer | ArrayBufferView): boolean {
  const left = view(a, 1, "timingSafeEqual");
  const right = view(b, 2, "timingSafeEqual");
  if (left.byteLength !== right.byteLength) throw new TypeError("Input buffers must have the same byte length.");
  return equalBytes(left, right);
}
