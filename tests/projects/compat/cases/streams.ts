// Streams, encoding and compression.
import { failure, text, type Area } from "../case.ts";

const bytes = (t: string) => new TextEncoder().encode(t);
const source = (...parts: string[]) => new ReadableStream<Uint8Array>({ start(c) { for (const p of parts) c.enqueue(bytes(p)); c.close(); } });

export const streams: Area[] = [
  {
    api: "ReadableStream", cases: {
      "reads, tees and pipes": async () => { const [a, b] = source("x", "y").tee(); return [await text(a), await text(b.pipeThrough(new TransformStream()))]; },
      "is iterable": async () => { const seen: number[] = []; for await (const part of source("a", "bc")) seen.push(part.length); return seen; },
      "has BYOB readers": async () => { const s = new ReadableStream({ type: "bytes", start(c) { c.enqueue(bytes("abc")); c.close(); } }); const r = s.getReader({ mode: "byob" }); const { value } = await r.read(new Uint8Array(2)); return value; },
      "a BYOB request says how many bytes its read still needs": async () => { const seen: unknown[] = []; const s = new ReadableStream({ type: "bytes", pull(c) { const q = (c as ReadableByteStreamController).byobRequest!; seen.push(q.atLeast, q.view!.byteLength); q.respond(1); } }); const r = s.getReader({ mode: "byob" }); await r.read(new Uint8Array(8)); await r.readAtLeast(3, new Uint8Array(8)); return seen.slice(0, 8); },
      "readAtLeast() waits for so many": async () => { const s = new ReadableStream({ type: "bytes", start(c) { c.enqueue(bytes("a")); c.enqueue(bytes("bcd")); c.close(); } }); const r = s.getReader({ mode: "byob" }) as ReadableStreamBYOBReader; const { value } = await r.readAtLeast(3, new Uint8Array(4)); return value?.length; },
      "BYOB of a response's body": async () => { const r = new Response("hello").body!.getReader({ mode: "byob" }); return (await r.read(new Uint8Array(3))).value; },
      "locks": async () => { const s = source("a"); s.getReader(); return [s.locked, await failure(() => s.getReader())]; },
      "from() takes iterables": async () => text((ReadableStream as unknown as { from(i: Iterable<Uint8Array>): ReadableStream }).from([bytes("a"), bytes("b")])),
      "cancels its source": async () => { let why; const s = new ReadableStream({ cancel(r) { why = r; } }); await s.cancel("enough"); return why; },
      "errors reach the reader": () => failure(() => new ReadableStream({ start(c) { c.error(new RangeError("x")); } }).getReader().read()),
    },
  },
  {
    api: "TransformStream, WritableStream", cases: {
      "transform": () => text(source("a", "b").pipeThrough(new TransformStream({ transform(p: Uint8Array, c) { c.enqueue(p); c.enqueue(p); } }))),
      "write in order and close": async () => { const seen: string[] = []; const w = new WritableStream({ write(p) { seen.push(p); }, close() { seen.push("closed"); } }).getWriter(); await w.write("a"); await w.write("b"); await w.close(); return seen; },
      "abort with a reason": async () => { let why; const w = new WritableStream({ abort(r) { why = r; } }); await w.abort("no"); return why; },
    },
  },
  {
    api: "FixedLengthStream, IdentityTransformStream", cases: {
      "let through the length that was told": async () => { const { readable, writable } = new FixedLengthStream(3); const w = writable.getWriter(); void w.write(bytes("abc")).then(() => w.close()); return text(readable); },
      "refuse more, told to the reader": async () => { const { readable, writable } = new FixedLengthStream(2); const w = writable.getWriter(); void w.write(bytes("abc")).catch(() => {}); void w.close().catch(() => {}); return failure(() => text(readable)); },
      "refuse less, told to the reader": async () => { const { readable, writable } = new FixedLengthStream(9); const w = writable.getWriter(); void w.write(bytes("abc")).then(() => w.close()).catch(() => {}); return failure(() => text(readable)); },
      "send Content-Length": async ({ env }) => { const { readable, writable } = new FixedLengthStream(3); const w = writable.getWriter(); void w.write(bytes("abc")).then(() => w.close()); const r = await env.SELF.fetch("http://x/echo", { method: "POST", body: readable }); return r.text(); },
      "pass bytes on": async () => { const { readable, writable } = new IdentityTransformStream(); const w = writable.getWriter(); void w.write(bytes("id")).then(() => w.close()); return text(readable); },
      "refuse what is not bytes": async () => { const { readable, writable } = new IdentityTransformStream(); void text(readable).catch(() => {}); return failure(() => writable.getWriter().write(5)); },
    },
  },
  {
    api: "CompressionStream, TextDecoderStream", cases: {
      "gzip, deflate and deflate-raw round trip": () => Promise.all((["gzip", "deflate", "deflate-raw"] as const).map((f) => text(source("zip me").pipeThrough(new CompressionStream(f)).pipeThrough(new DecompressionStream(f))))),
      "decode text over chunks": async () => { const whole = bytes("é✓"); const s = new ReadableStream({ start(c) { for (const b of whole) c.enqueue(new Uint8Array([b])); c.close(); } }).pipeThrough(new TextDecoderStream()); let out = ""; for await (const part of s) out += part; return out; },
      "encode text": () => text(new ReadableStream({ start(c) { c.enqueue("é"); c.close(); } }).pipeThrough(new TextEncoderStream())),
    },
  },
  {
    api: "TextDecoder, TextEncoder", cases: {
      "decode other encodings": () => ["windows-1252", "shift_jis", "utf-16le"].map((label) => new TextDecoder(label).encoding),
      "refuse bad bytes when fatal": () => failure(() => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([255]))),
      "encodeInto tells how far it came": () => new TextEncoder().encodeInto("aé", new Uint8Array(2)),
    },
  },
  {
    api: "Blob, File", cases: {
      "slice and stream": async () => [await new Blob(["abc"]).slice(1, 2).text(), await text(new Blob(["abc"]).stream())],
      "File has name and time": () => { const f = new File(["a"], "n", { lastModified: 5 }); return [f.name, f.lastModified, f.size]; },
    },
  },
];
