// What a bundle finds on globalThis after installGlobals, and the smaller classes behind it.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { DigestStream } from "../../src/web/crypto.ts";
import { caches, configureCaches, lifetimeOf } from "../../src/web/caches.ts";
import { EventSource } from "../../src/web/event_source.ts";
import { installGlobals, setTimeoutOfAnyLength } from "../../src/web/globals.ts";
import { Headers } from "../../src/web/headers.ts";
import { setHooks } from "../../src/web/hooks.ts";
import { Request } from "../../src/web/request.ts";
import { Response } from "../../src/web/response.ts";
import { FixedLengthStream, IdentityTransformStream } from "../../src/web/streams.ts";
import { WebSocket } from "../../src/web/websocket.ts";
import { streamOf, until } from "./support.ts";

installGlobals({ compatibilityFlags: { nodejs_compat: true } });
const found = globalThis as any;

test("the platform's names are there, and are ours", () => {
  assert.ok(found.Request === Request && found.Response === Response && found.Headers === Headers && found.WebSocket === WebSocket);
  for (const name of ["WebSocketPair", "WebSocketRequestResponsePair", "FixedLengthStream", "IdentityTransformStream", "HTMLRewriter",
    "CompressionStream", "DecompressionStream", "URLPattern", "EventSource", "CloseEvent", "ErrorEvent", "MessageEvent", "fetch",
    "reportError", "addEventListener", "queueMicrotask", "structuredClone", "atob", "btoa"]) {
    assert.equal(typeof found[name], "function", name);
  }
  assert.equal(found.self, globalThis);
  assert.equal(found.navigator.userAgent, "Cloudflare-Workers");
  assert.deepEqual(found.Cloudflare.compatibilityFlags, { nodejs_compat: true });
  assert.ok(found.caches.default instanceof found.Cache);
});
test("reportError goes to the runtime", () => {
  const seen: unknown[] = [];
  setHooks({ reportError: (error) => seen.push(error) });
  found.reportError("x");
  assert.deepEqual(seen, ["x"]);
});
test("scheduler.wait waits, and aborts", async () => {
  await found.scheduler.wait(1);
  await assert.rejects(found.scheduler.wait(1e6, { signal: AbortSignal.abort() }), { name: "AbortError" });
  const controller = new AbortController();
  const waiting = found.scheduler.wait(1e6, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});
test("a timer beyond 2^31 ms does not fire at once, and can be cleared", async () => {
  let fired = false;
  const timer = setTimeoutOfAnyLength(() => { fired = true; }, 2 ** 33);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(fired, false);
  assert.equal(typeof +timer, "number");
  clearTimeout(timer);
  await promisify(setTimeout)(1);
});
test("a timer beyond 2^31 ms fires when its time has come, once, with its arguments", () => {
  const seen: unknown[] = [];
  let refreshed = 0;
  // Nobody can wait that long: the three parts of the timer are ended by hand.
  const timer = setTimeoutOfAnyLength((value: unknown) => seen.push(value), 2 ** 32, "arg") as any;
  timer.refresh = () => { refreshed += 1; };
  for (let part = 0; part < 3; part++) timer._onTimeout();
  clearTimeout(timer);
  assert.deepEqual([seen, refreshed], [["arg"], 2]);
});

test("timingSafeEqual compares, and wants the same length", () => {
  const { timingSafeEqual } = found.crypto.subtle;
  assert.equal(timingSafeEqual(new Uint8Array([1, 2]), new Uint8Array([1, 2]).buffer), true);
  assert.equal(timingSafeEqual(new Uint8Array([1, 2]), new Uint8Array([1, 3])), false);
  assert.throws(() => timingSafeEqual(new Uint8Array(1), new Uint8Array(2)), { name: "TypeError", message: "Input buffers must have the same byte length." });
  assert.throws(() => timingSafeEqual("a", "b"), { name: "TypeError" });
});
test("a DigestStream gives the hash of what was written", async () => {
  assert.equal(found.crypto.DigestStream, DigestStream);
  const stream = new DigestStream("SHA-256");
  const writer = stream.getWriter();
  await writer.write("a");
  await writer.write(new Uint8Array([98]));
  await writer.close();
  assert.equal(Buffer.from(await stream.digest).toString("hex"), createHash("sha256").update("ab").digest("hex"));
  assert.equal(stream.bytesWritten, 2n);
  assert.throws(() => new DigestStream("foo"), { name: "NotSupportedError" });
});

async function through(stream: IdentityTransformStream | FixedLengthStream, ...chunks: any[]): Promise<string> {
  const reading = new Response(stream.readable as never).text();
  const writer = stream.writable.getWriter();
  for (const chunk of chunks) writer.write(chunk).catch(() => {});
  writer.close().catch(() => {});
  return reading;
}
test("identity and fixed-length streams pass bytes on, and the latter counts them", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  assert.equal(await through(new IdentityTransformStream(), bytes("a"), bytes("bc").buffer), "abc");
  assert.equal(await through(new FixedLengthStream(3), bytes("a"), bytes("bc")), "abc");
  await assert.rejects(through(new FixedLengthStream(3), bytes("abcd")), { message: "Attempt to write too many bytes through a FixedLengthStream." });
  await assert.rejects(through(new FixedLengthStream(3), bytes("ab")), { message: "FixedLengthStream did not see all expected bytes before close()." });
  await assert.rejects(through(new IdentityTransformStream(), "text"), /received a string/);
  assert.throws(() => new FixedLengthStream(-1), { name: "TypeError" });
});

const cacheFolder = mkdtempSync(join(tmpdir(), "hearth-cache-"));
const cacheBytesMax = 16 * 1024 * 1024;
configureCaches(cacheFolder, cacheBytesMax);
after(() => rmSync(cacheFolder, { recursive: true, force: true }));
const cache = caches.default;
test("the cache keeps what it may, by URL", async () => {
  await cache.put("http://c/a", new Response("body", { headers: { "x": "y", "cache-control": "max-age=60" } }));
  const hit = (await cache.match(new Request("http://c/a")))!;
  assert.deepEqual([await hit.text(), hit.headers.get("x"), hit.headers.get("cf-cache-status")], ["body", "y", "HIT"]);
  assert.equal(await (await cache.match("http://c/a"))!.text(), "body");
  assert.equal(await cache.match("http://c/b"), undefined);
  assert.equal(await (await caches.open("other")).match("http://c/a"), undefined);
  assert.equal(await cache.match(new Request("http://c/a", { method: "POST", body: "" })), undefined);
  assert.deepEqual([await cache.delete("http://c/a"), await cache.delete("http://c/a")], [true, false]);
});
test("the cache refuses what the platform refuses", async () => {
  await assert.rejects(cache.put("http://c/", new Response("a", { status: 206 })), { message: "Cannot cache response to a range request (206 Partial Content)." });
  await assert.rejects(cache.put(new Request("http://c/", { method: "POST" }), new Response("a")), { message: "Cannot cache response to non-GET request." });
  await assert.rejects(cache.put("http://c/", new Response("a", { headers: { vary: "*" } })), { message: "Cannot cache response with 'Vary: *' header." });
  for (const headers of [{ "set-cookie": "a=1" }, { "cache-control": "no-store" }, { "cache-control": "private" }, { "cache-control": "max-age=0" },
    { expires: "Thu, 01 Jan 1970 00:00:00 GMT" }] as Record<string, string>[]) {
    await cache.put("http://c/no", new Response("a", { headers }));
    assert.equal(await cache.match("http://c/no"), undefined, JSON.stringify(headers));
  }
  await cache.put("http://c/cookie", new Response("a", { headers: { "set-cookie": "a=1", "cache-control": "private=Set-Cookie" } }));
  assert.equal((await cache.match("http://c/cookie"))!.headers.has("set-cookie"), false);
});
test("lifetimes: s-maxage before max-age before Expires", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 0 });
  const of = (headers: Record<string, string>) => lifetimeOf(new Headers(headers));
  assert.equal(of({ "cache-control": "max-age=5, s-maxage=9" }), 9);
  assert.equal(of({ "cache-control": "max-age=5", expires: new Date(7000).toUTCString() }), 5);
  assert.equal(of({ expires: new Date(7000).toUTCString() }), 7);
});
test("an entry expires", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1e12 });
  await cache.put("http://c/short", new Response("a", { headers: { "cache-control": "max-age=10" } }));
  context.mock.timers.setTime(1e12 + 9000);
  assert.equal((await cache.match("http://c/short"))!.headers.get("age"), "9");
  context.mock.timers.setTime(1e12 + 10000);
  assert.equal(await cache.match("http://c/short"), undefined);
});
test("conditions and ranges are answered from the entry", async () => {
  await cache.put("http://c/r", new Response("0123456789", { headers: { etag: '"e"' } }));
  const match = async (headers: Record<string, string>) => {
    const response = (await cache.match(new Request("http://c/r", { headers })))!;
    return [response.status, await response.text(), response.headers.get("content-range")];
  };
  assert.deepEqual(await match({ "if-none-match": 'W/"e"' }), [304, "", null]);
  assert.deepEqual(await match({ range: "bytes=2-4" }), [206, "234", "bytes 2-4/10"]);
  assert.deepEqual(await match({ range: "bytes=-3" }), [206, "789", "bytes 7-9/10"]);
  assert.deepEqual(await match({ range: "bytes=20-" }), [200, "0123456789", null]);
});
test("large entries stream, whole and in part", async () => {
  const bytes = new Uint8Array(1_000_000).map((_byte, at) => at % 251);
  await cache.put("http://c/large", new Response(new Blob([bytes]).stream()));
  const whole = new Uint8Array(await (await cache.match("http://c/large"))!.arrayBuffer());
  assert.deepEqual(whole, bytes);
  const part = (await cache.match(new Request("http://c/large", { headers: { range: "bytes=100-900099" } })))!;
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.slice(100, 900_100));
  const kept = (await cache.match("http://c/large"))!;
  await cache.delete("http://c/large");
  assert.equal((await kept.arrayBuffer()).byteLength, bytes.length, "one that was found stays readable");
});
test("the cache stays within its bound, the least recently used go first, and others see it", async () => {
  const size = 1024 * 1024;
  const used = (url: string) => cacheFiles().find((file) => readFileSync(file).includes(`\\u0000${url}"`))!;
  const cacheFiles = () => readdirSync(cacheFolder).map((name) => join(cacheFolder, name));
  for (let i = 0; i < 14; i++) {
    await cache.put(`http://big/${i}`, new Response(new Uint8Array(size)));
    utimesSync(used(`http://big/${i}`), 1e9 + i, 1e9 + i);
  }
  assert.ok(await cache.match("http://big/0")); // used now
  for (let i = 14; i < 18; i++) await cache.put(`http://big/${i}`, new Response(new Uint8Array(size)));
  assert.ok(await cache.match("http://big/0"));
  assert.equal(await cache.match("http://big/1"), undefined);
  const bytes = cacheFiles().reduce((sum, file) => sum + statSync(file).size, 0);
  assert.ok(bytes <= cacheBytesMax * 17 / 16, `${bytes} bytes`);
  configureCaches(cacheFolder, cacheBytesMax); // as another host, or the next one
  assert.ok(await cache.match("http://big/17"));
});
test("what cannot be an entry is none, and too large a body is not kept", async () => {
  await cache.put("http://c/broken", new Response("a"));
  const broken = readdirSync(cacheFolder).map((name) => join(cacheFolder, name)).find((file) => readFileSync(file).includes("http://c/broken"))!;
  writeFileSync(broken, "HC1\n\u0001");
  assert.equal(await cache.match("http://c/broken"), undefined);
  assert.equal(existsSync(broken), false);
  await cache.put("http://c/huge", new Response(new Uint8Array(cacheBytesMax / 4 + 1)));
  assert.equal(await cache.match("http://c/huge"), undefined);
  await assert.rejects(cache.put("http://c/fails", new Response(new ReadableStream({ pull(controller) { controller.error(new Error("broke off")); } }))), { message: "broke off" });
  assert.deepEqual(readdirSync(cacheFolder).filter((name) => name.startsWith("tmp-")), []);
});

const events = createServer((request, respond) => {
  if (request.url === "/bad") respond.writeHead(404).end();
  else respond.writeHead(200, { "content-type": "text/event-stream" }).write("retry: 1\nid: 7\ndata: one\ndata: two\n\nevent: own\ndata:x\n\n: comment\n");
});
await new Promise<void>((resolve) => events.listen(0, "127.0.0.1", resolve));
after(() => {
  events.closeAllConnections();
  events.close();
});
test("an EventSource reads events, and closes", async () => {
  const source = new EventSource(`http://127.0.0.1:${(events.address() as AddressInfo).port}/`);
  const log: unknown[] = [];
  source.onopen = () => log.push("open");
  source.onmessage = (event) => log.push([event.data, event.lastEventId]);
  source.addEventListener("own", (event) => log.push((event as MessageEvent).data));
  await until(() => log.length === 3, "the events");
  assert.deepEqual(log, ["open", ["one\ntwo", "7"], "x"]);
  source.close();
  assert.equal(source.readyState, EventSource.CLOSED);
});
test("an EventSource gives up on what is no event stream, and takes a stream of one's own", async () => {
  const source = new EventSource(`http://127.0.0.1:${(events.address() as AddressInfo).port}/bad`);
  let message = "";
  source.addEventListener("error", (event) => { message = (event as ErrorEvent).message; });
  await until(() => source.readyState === EventSource.CLOSED, "the end");
  assert.match(message, /answered 404/);
  const own = EventSource.from(streamOf("data: a\r\n", "\r\nda", "ta: b\n\n"));
  const log: unknown[] = [];
  own.onmessage = (event) => log.push(event.data);
  await until(() => own.readyState === EventSource.CLOSED, "the end");
  assert.deepEqual(log, ["a", "b"]);
});
