// What the Cache API keeps: one file an entry, in a folder that all hosts share and that outlives them.
// An entry is written whole under a name of its own, synced and then renamed, so a reader finds all of it
// or nothing, whoever dies meanwhile; there is no index that could be wrong. The folder is bounded in
// bytes: what was used longest ago goes first, by the files' modification times, which a use renews.
// An entry's file: "HC1\n", u32 length of the head, u64 length of the body, the head as JSON, the body.
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { Readable } from "node:stream";
import type { BodySource } from "./body.ts";

const MAGIC = Buffer.from("HC1\n");
const PREFIX = MAGIC.length + 4 + 8;
const HEAD_MAX = 1024 * 1024;
/** A body up to this size is read at once, a larger one as it is asked for. */
const WHOLE_MAX = 256 * 1024;
/** A use is noted only if the last one is older: one write a minute and entry at most. */
const USE_NOTED_MS = 60_000;
/** What a writer that died left behind. */
const ABANDONED_MS = 600_000;
const TEMPORARY = "tmp-";

export interface EntryHead {
  key: string;
  status: number;
  statusText: string;
  /** Packed. */
  headers: string;
  storedAt: number;
  expiresAt: number;
}

export interface FoundEntry {
  head: EntryHead;
  length: number;
  /** All of the body, or a part of it; once. */
  body(start: number, end: number): Uint8Array | BodySource;
  /** In the place of body(). */
  close(): void;
}

// A large entry's descriptor whose response nobody read.
const forgotten = new FinalizationRegistry<{ fd: number }>((held) => close(held));

function close(held: { fd: number }): void {
  if (held.fd >= 0) fs.closeSync(held.fd);
  held.fd = -1;
}

export class CacheStore {
  readonly #folder: string;
  readonly #bytesMax: number;
  /** Written by this process since the folder was last looked through. */
  #written = 0;
  #looked = false;

  constructor(folder: string, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  /** Larger entries are not kept. */
  get entryBytesMax(): number { return this.#bytesMax / 4; }

  #path(key: string): string {
    const hash = createHash("sha256").update(key).digest("hex");
    return `${this.#folder}/${hash.slice(0, 40)}`;
  }

  find(key: string): FoundEntry | null {
    const path = this.#path(key);
    const held = { fd: -1 };
    try {
      held.fd = fs.openSync(path, "r");
      const found = readHead(held.fd);
      const { size, mtimeMs } = fs.fstatSync(held.fd);
      const whole = found !== null && found.offset + found.length === size;
      if (!whole || found.head.key !== key || found.head.expiresAt <= Date.now()) {
        close(held);
        if (!whole || found.head.key === key) fs.rmSync(path, { force: true });
        return null;
      }
      if (mtimeMs < Date.now() - USE_NOTED_MS) fs.futimesSync(held.fd, new Date(), new Date());
      return new OpenEntry(held, found.head, found.offset, found.length);
    } catch {
      close(held); // it is not there, or cannot be read: not cached
      return null;
    }
  }

  /** Bodies are written as they come; one that grows too large is dropped in silence, as the platform does. */
  async put(head: EntryHead, body: Uint8Array | ReadableStream<Uint8Array> | null): Promise<void> {
    fs.mkdirSync(this.#folder, { recursive: true });
    this.#trim();
    const temporary = `${this.#folder}/${TEMPORARY}${process.pid}-${randomBytes(6).toString("hex")}`;
    const json = Buffer.from(JSON.stringify(head));
    if (json.length > HEAD_MAX) return void (await drop(body));
    const prefix = Buffer.alloc(PREFIX);
    MAGIC.copy(prefix);
    prefix.writeUInt32LE(json.length, MAGIC.length);
    const file = await fs.promises.open(temporary, "wx", 0o600);
    try {
      const start = PREFIX + json.length;
      let size = start;
      await file.writev([prefix, json]);
      for await (const chunk of chunksOf(body)) {
        size += chunk.byteLength;
        if (size > this.entryBytesMax) {
          fs.rmSync(temporary, { force: true });
          return;
        }
        await file.write(chunk);
      }
      prefix.writeBigUInt64LE(BigInt(size - start), MAGIC.length + 4);
      await file.write(prefix, 0, PREFIX, 0);
      await file.datasync();
      fs.renameSync(temporary, this.#path(head.key));
      this.#written += size;
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    this.#trim();
  }

  delete(key: string): boolean {
    const found = this.find(key);
    found?.close();
    if (found === null) return false;
    fs.rmSync(this.#path(key), { force: true });
    return true;
  }

  /**
   * Looks through the folder at the first write and whenever this process has written a sixteenth of
   * the bound: with several hosts it is exceeded by that much for each, at most.
   */
  #trim(): void {
    if (this.#looked && this.#written < this.#bytesMax / 16) return;
    this.#looked = true;
    this.#written = 0;
    const entries: { path: string; size: number; usedMs: number }[] = [];
    let total = 0;
    for (const name of fs.readdirSync(this.#folder)) {
      const path = `${this.#folder}/${name}`;
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue; // another host was faster
      if (name.startsWith(TEMPORARY)) {
        if (stat.mtimeMs < Date.now() - ABANDONED_MS) fs.rmSync(path, { force: true });
        continue;
      }
      total += stat.size;
      entries.push({ path, size: stat.size, usedMs: stat.mtimeMs });
    }
    if (total <= this.#bytesMax) return;
    entries.sort((a, b) => a.usedMs - b.usedMs);
    for (const { path, size } of entries) {
      if (total <= this.#bytesMax * 0.9) break;
      fs.rmSync(path, { force: true });
      total -= size;
    }
  }
}

class OpenEntry implements FoundEntry {
  readonly head: EntryHead;
  readonly length: number;
  readonly #held: { fd: number };
  readonly #offset: number;

  constructor(held: { fd: number }, head: EntryHead, offset: number, length: number) {
    this.#held = held;
    this.head = head;
    this.#offset = offset;
    this.length = length;
  }

  body(start: number, end: number): Uint8Array | BodySource {
    const held = this.#held;
    if (end - start > WHOLE_MAX) {
      const source = new FileBody(held, this.#offset + start, this.#offset + end);
      forgotten.register(source, held, held);
      return source;
    }
    const bytes = new Uint8Array(end - start);
    try {
      let filled = 0;
      while (filled < bytes.length) {
        const read = fs.readSync(held.fd, bytes, filled, bytes.length - filled, this.#offset + start + filled);
        if (read === 0) throw new Error("The cached response was cut short.");
        filled += read;
      }
    } finally {
      close(held);
    }
    return bytes;
  }

  close(): void {
    close(this.#held);
  }
}

class FileBody implements BodySource {
  readonly #held: { fd: number };
  readonly #start: number;
  readonly #end: number;

  constructor(held: { fd: number }, start: number, end: number) {
    this.#held = held;
    this.#start = start;
    this.#end = end;
  }

  open(): ReadableStream<Uint8Array> {
    const { fd } = this.#held;
    this.#held.fd = -1; // the stream closes it
    forgotten.unregister(this.#held);
    const stream = fs.createReadStream("", { fd, start: this.#start, end: this.#end - 1, highWaterMark: 256 * 1024 });
    return Readable.toWeb(stream) as unknown as ReadableStream<Uint8Array>;
  }

  cancel(): void {
    close(this.#held);
  }
}

function readHead(fd: number): { head: EntryHead; offset: number; length: number } | null {
  const prefix = Buffer.alloc(PREFIX);
  if (fs.readSync(fd, prefix, 0, PREFIX, 0) !== PREFIX || !prefix.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const length = prefix.readUInt32LE(MAGIC.length);
  if (length > HEAD_MAX) return null;
  const json = Buffer.alloc(length);
  if (fs.readSync(fd, json, 0, length, PREFIX) !== length) return null;
  const body = Number(prefix.readBigUInt64LE(MAGIC.length + 4));
  return { head: JSON.parse(json.toString()) as EntryHead, offset: PREFIX + length, length: body };
}

async function* chunksOf(body: Uint8Array | ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  if (body instanceof Uint8Array) yield body;
  else for await (const chunk of body as AsyncIterable<Uint8Array>) yield chunk;
}

async function drop(body: Uint8Array | ReadableStream<Uint8Array> | null): Promise<void> {
  if (body instanceof ReadableStream) await body.cancel();
}
