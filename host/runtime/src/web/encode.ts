// Content-Encoding of what handlers answer. As on the platform, a body is given plain and encoded
// here when its headers say gzip, deflate or br, unless the response says `encodeBody: "manual"`.
import { Duplex, type Transform } from "node:stream";
import { brotliCompressSync, constants, createBrotliCompress, createDeflate, createGzip, deflateSync, gzipSync } from "node:zlib";
import { toTaken, type Source, type TakenBody } from "./body.ts";
import type { Packed } from "./headers.ts";

interface Encoder { whole(data: string | Uint8Array): Uint8Array; streamed(): Transform }

const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };
const encoders = new Map<string, Encoder>([
  ["gzip", { whole: (data) => gzipSync(data), streamed: () => createGzip({ flush: constants.Z_SYNC_FLUSH }) }],
  ["deflate", { whole: (data) => deflateSync(data), streamed: () => createDeflate({ flush: constants.Z_SYNC_FLUSH }) }],
  ["br", {
    whole: (data) => brotliCompressSync(data, quality),
    streamed: () => createBrotliCompress({ ...quality, flush: constants.BROTLI_OPERATION_FLUSH }),
  }],
]);

const encoding = /(?:^|\0)content-encoding\0([^\0]*)\0/i;

export function encodingOf(headers: Packed): string | null {
  return encoding.exec(headers)?.[1]?.trim().toLowerCase() ?? null;
}

/** Headers without those that tell of an encoding, for a body that has been decoded on its way here. */
export function withoutEncoding(headers: Packed): Packed {
  const flat = headers.split("\0");
  let kept = "";
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase();
    if (name !== "content-encoding" && name !== "content-length") kept += `${flat[i]}\0${flat[i + 1]}\0`;
  }
  return kept;
}

/** The body encoded as `name`; as it is when that is no encoding that is done here. */
export function encode(source: Source, name: string): TakenBody {
  const taken = toTaken(source);
  const encoder = encoders.get(name);
  if (encoder === undefined || taken.bodyKind === 0) return taken;
  if (taken.bodyKind === 1) return { bodyKind: 1, body: encoder.whole(taken.body) };
  const { readable, writable } = Duplex.toWeb(encoder.streamed());
  // A failure of the source shows on the readable side; the pipe's own promise says nothing more.
  taken.body.pipeTo(writable as WritableStream<Uint8Array>).catch(() => {});
  return { bodyKind: 2, body: readable as ReadableStream<Uint8Array> };
}
