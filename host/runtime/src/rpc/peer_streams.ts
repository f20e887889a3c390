// Streams between two hosts. The side that has the real stream gives it an id; the other side makes a
// stream that stands for it. Bytes flow under credit: a sender has at most WINDOW bytes on the way.
// Ids are counted by each side for itself, so every message says whose id it carries.
import { connectionLost } from "./errors.ts";
import { bytesOf } from "./transfer.ts";

export const WINDOW_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;
export const MAX_STREAMS = 4096;

/** "mine": the sender of the message gave the id. */
export type Whose = "mine" | "yours";
export type StreamMessage =
  | readonly ["end", Whose, number]
  | readonly ["fail", Whose, number, unknown]
  | readonly ["credit", Whose, number, number]
  | readonly ["cancel", Whose, number, unknown]
  | readonly ["closed", Whose, number];

export interface StreamLink {
  data(whose: Whose, id: number, bytes: Uint8Array): void;
  control(message: StreamMessage): void;
}

/** One end of a stream between hosts: what may arrive for it. */
interface End {
  data?(bytes: Uint8Array<ArrayBuffer>): void;
  end?(): void;
  fail(error: unknown): void;
  credit?(bytes: number): void;
  cancel?(reason: unknown): void;
  closed?(): void;
}

/** Waits until there is credit to send with. */
class Credit {
  #bytes = WINDOW_BYTES;
  #wake: (() => void) | null = null;
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#wake?.();
    this.#wake = null;
  }
  async take(bytes: number): Promise<void> {
    while (this.#bytes <= 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#bytes -= bytes;
  }
}

export class StreamTable {
  readonly #link: StreamLink;
  readonly #mine = new Map<number, End>();
  readonly #theirs = new Map<number, End>();
  #next = 1;

  constructor(link: StreamLink) {
    this.#link = link;
  }

  get size(): number {
    return this.#mine.size + this.#theirs.size;
  }

  #add(end: End): number {
    if (this.size >= MAX_STREAMS) {
      throw Object.assign(new Error("Too many streams are open between two hosts."), { overloaded: true });
    }
    const id = this.#next++;
    this.#mine.set(id, end);
    return id;
  }

  /** Sends what a stream of ours gives. Returns its id. */
  exportReadable(stream: ReadableStream<Uint8Array>): number {
    const reader = stream.getReader();
    const credit = new Credit();
    let over = false;
    const stop = (reason: unknown): void => {
      over = true;
      this.#mine.delete(id);
      credit.add(1);
      reader.cancel(reason).catch(() => {});
    };
    const id = this.#add({ credit: (bytes) => credit.add(bytes), cancel: stop, fail: stop });
    const pump = async (): Promise<void> => {
      try {
        for (;;) {
          await credit.take(0);
          if (over) return;
          const { done, value } = await reader.read();
          if (over) return;
          if (done) break;
          const bytes = bytesOf(value);
          for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
            const part = bytes.subarray(at, at + CHUNK_BYTES);
            await credit.take(part.byteLength);
            if (over) return;
            this.#link.data("mine", id, part);
          }
        }
        this.#link.control(["end", "mine", id]);
      } catch (error) {
        if (over) return;
        this.#link.control(["fail", "mine", id, error]);
      }
      this.#mine.delete(id);
    };
    void pump();
    return id;
  }

  /** A stream for what the other side sends under its id. */
  importReadable(id: number): ReadableStream<Uint8Array> {
    let owed = 0;
    let controller!: ReadableByteStreamController;
    const finish = (): void => void this.#theirs.delete(id);
    const stream = new ReadableStream({
      type: "bytes",
      start(given: ReadableByteStreamController) {
        controller = given;
      },
      pull: () => {
        if (owed === 0) return;
        this.#link.control(["credit", "yours", id, owed]);
        owed = 0;
      },
      cancel: (reason) => {
        if (this.#theirs.delete(id)) this.#link.control(["cancel", "yours", id, reason]);
      },
    }, { highWaterMark: CHUNK_BYTES }) as ReadableStream<Uint8Array>;
    this.#theirs.set(id, {
      data: (bytes) => {
        owed += bytes.byteLength;
        controller.enqueue(bytes);
        if ((controller.desiredSize ?? 0) <= 0) return;
        this.#link.control(["credit", "yours", id, owed]);
        owed = 0;
      },
      end: () => {
        finish();
        controller.close();
        controller.byobRequest?.respond(0);
      },
      fail: (error) => {
        finish();
        controller.error(error);
      },
    });
    return stream;
  }

  /** Writes what the other side sends to a stream of ours. Returns its id. */
  exportWritable(stream: WritableStream<Uint8Array>): number {
    const writer = stream.getWriter();
    const failed = (error: unknown): void => {
      if (this.#mine.delete(id)) this.#link.control(["fail", "mine", id, error]);
    };
    const id = this.#add({
      data: (bytes) => {
        const length = bytes.byteLength;
        writer.write(bytes).then(() => {
          if (this.#mine.has(id)) this.#link.control(["credit", "mine", id, length]);
        }, failed);
      },
      end: () => {
        writer.close().then(() => {
          if (this.#mine.delete(id)) this.#link.control(["closed", "mine", id]);
        }, failed);
      },
      cancel: (reason) => {
        this.#mine.delete(id);
        writer.abort(reason).catch(() => {});
      },
      fail: (error) => {
        this.#mine.delete(id);
        writer.abort(error).catch(() => {});
      },
    });
    return id;
  }

  /** A stream whose bytes go to the other side's. */
  importWritable(id: number): WritableStream<Uint8Array> {
    const credit = new Credit();
    const closed = Promise.withResolvers<void>();
    closed.promise.catch(() => {});
    let broken: { error: unknown } | null = null;
    const stream = new WritableStream<Uint8Array>({
      write: async (chunk) => {
        const bytes = bytesOf(chunk);
        for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) {
          const part = bytes.subarray(at, at + CHUNK_BYTES);
          await credit.take(part.byteLength);
          if (broken) throw broken.error;
          this.#link.data("yours", id, part);
        }
      },
      close: () => {
        this.#link.control(["end", "yours", id]);
        return closed.promise;
      },
      abort: (reason) => {
        if (this.#theirs.delete(id)) this.#link.control(["cancel", "yours", id, reason]);
      },
    });
    this.#theirs.set(id, {
      credit: (bytes) => credit.add(bytes),
      closed: () => {
        this.#theirs.delete(id);
        closed.resolve();
      },
      fail: (error) => {
        this.#theirs.delete(id);
        broken = { error };
        closed.reject(error);
        credit.add(1);
      },
    });
    return stream;
  }

  #end(whose: Whose, id: number): End | undefined {
    return (whose === "mine" ? this.#theirs : this.#mine).get(id);
  }

  receivedData(whose: Whose, id: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#end(whose, id)?.data?.(bytes);
  }

  received(message: StreamMessage): void {
    const end = this.#end(message[1], message[2]);
    if (end === undefined) return;
    switch (message[0]) {
      case "end": return end.end?.();
      case "fail": return end.fail(message[3]);
      case "credit": return end.credit?.(message[3]);
      case "cancel": return end.cancel?.(message[3]);
      case "closed": return end.closed?.();
    }
  }

  /** The other host is gone. */
  break(): void {
    const ends = [...this.#mine.values(), ...this.#theirs.values()];
    this.#mine.clear();
    this.#theirs.clear();
    for (const end of ends) end.fail(connectionLost());
  }
}
