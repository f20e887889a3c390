// Streams and HTTP objects as they are handed to the other side: bodies and streams move, they are not
// copied; the one that was given can no longer be used. Streams carry bytes, as on the platform. What
// an agent's stream does runs in that agent's context, and its bytes wait at its output gate.
import { makeRequest, Request as OurRequest, takeRequest } from "../web/request.ts";
import { makeResponse, type Response as OurResponse, takeResponse } from "../web/response.ts";
import { dataCloneError } from "./errors.ts";
import { currentOwner } from "./owner.ts";

export function bytesOf(chunk: unknown): Uint8Array<ArrayBuffer> {
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk.slice(0));
  throw new TypeError(
    "A stream that is sent over RPC must carry bytes (Uint8Array or ArrayBuffer), but it gave " +
      `${chunk === null ? "null" : typeof chunk}. Pipe it through a TextEncoderStream, or send the values as a ` +
      "callback's arguments.");
}

/** A stream for the other side that reads from this one. */
export function copyReadable(stream: ReadableStream): ReadableStream<Uint8Array> {
  if (stream.locked) throw new TypeError("The ReadableStream has been locked to a reader.");
  const owner = currentOwner();
  const reader = stream.getReader();
  const release = owner.hold();
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController) {
      try {
        let bytes: Uint8Array<ArrayBuffer>;
        do {
          const { done, value } = await owner.run(() => reader.read());
          if (done) {
            release();
            controller.close();
            controller.byobRequest?.respond(0);
            return;
          }
          bytes = bytesOf(value);
        } while (bytes.byteLength === 0);
        const gate = owner.gate();
        if (gate) await gate;
        controller.enqueue(bytes);
      } catch (error) {
        release();
        owner.run(() => reader.cancel(error)).catch(() => {});
        throw error;
      }
    },
    cancel(reason) {
      release();
      return owner.run(() => reader.cancel(reason));
    },
  });
}

/** A stream for the other side that writes to this one. */
export function copyWritable(stream: WritableStream): WritableStream<Uint8Array> {
  if (stream.locked) throw new TypeError("The WritableStream has been locked to a writer.");
  const owner = currentOwner();
  const writer = stream.getWriter();
  const release = owner.hold();
  return new WritableStream<Uint8Array>({
    write(chunk) {
      const bytes = bytesOf(chunk);
      return owner.run(() => writer.write(bytes));
    },
    close() {
      release();
      return owner.run(() => writer.close());
    },
    abort(reason) {
      release();
      return owner.run(() => writer.abort(reason));
    },
  });
}

export function copyHeaders(headers: Headers): Headers {
  return new Headers(headers);
}

/** A body for make…: whole ones as they are, streams moved. */
function moved(body: string | Uint8Array | ReadableStream<Uint8Array> | null) {
  if (!(body instanceof ReadableStream)) return body;
  const stream = copyReadable(body);
  return { open: () => stream, cancel: (reason?: unknown) => void stream.cancel(reason).catch(() => {}) };
}

export function copyRequest(request: Request): Request {
  const { signal } = request;
  const parts = takeRequest(request as unknown as OurRequest);
  const copy = makeRequest(parts.method, parts.url, parts.headers, moved(parts.body), parts.cf);
  const plain = copy.redirect === parts.redirect && !signal.aborted;
  return (plain ? copy : new OurRequest(copy, { redirect: parts.redirect, signal })) as unknown as Request;
}

export function copyResponse(response: Response): Response {
  const ours = response as unknown as OurResponse;
  if (ours.webSocket) {
    throw dataCloneError('Could not serialize object of type "WebSocket". This type does not support serialization.');
  }
  const parts = takeResponse(ours);
  return makeResponse(parts.status, parts.statusText, parts.headers, moved(parts.body)) as unknown as Response;
}

