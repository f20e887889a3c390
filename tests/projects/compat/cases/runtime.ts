// Crypto, timers, events, globals of the runtime itself.
import { failure, until, type Area } from "../case.ts";

const hex = (buffer: ArrayBuffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
const bytes = (t: string) => new TextEncoder().encode(t);

async function evaluates(): Promise<unknown> { return new Function("return 1")(); }

export const runtime: Area[] = [
  {
    api: "crypto", cases: {
      "digests, MD5 included": async () => [hex(await crypto.subtle.digest("SHA-256", bytes("a"))), hex(await crypto.subtle.digest("MD5", bytes("a")))],
      "DigestStream": async () => { const d = new crypto.DigestStream("SHA-1"); const w = d.getWriter(); await w.write(bytes("a")); await w.close(); return [hex(await d.digest), Number(d.bytesWritten)]; },
      "timingSafeEqual": () => [crypto.subtle.timingSafeEqual(bytes("a"), bytes("a")), crypto.subtle.timingSafeEqual(bytes("a"), bytes("b"))],
      "timingSafeEqual refuses other lengths": () => failure(() => crypto.subtle.timingSafeEqual(bytes("a"), bytes("ab"))),
      "HMAC signs and verifies": async () => { const k = await crypto.subtle.importKey("raw", bytes("k"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]); const s = await crypto.subtle.sign("HMAC", k, bytes("m")); return [hex(s).slice(0, 8), await crypto.subtle.verify("HMAC", k, s, bytes("m"))]; },
      "AES-GCM round trips": async () => { const k = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt", "decrypt"]) as CryptoKey; const iv = new Uint8Array(12); return hex(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, k, await crypto.subtle.encrypt({ name: "AES-GCM", iv }, k, bytes("a")))); },
      "ECDSA, Ed25519 and RSA keys": () => Promise.all([{ name: "ECDSA", namedCurve: "P-256" }, { name: "Ed25519" }, { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" }].map(async (a) => ((await crypto.subtle.generateKey(a, true, ["sign", "verify"])) as CryptoKeyPair).publicKey.type)),
      "PBKDF2 and HKDF derive": async () => { const k = await crypto.subtle.importKey("raw", bytes("p"), "PBKDF2", false, ["deriveBits"]); const h = await crypto.subtle.importKey("raw", bytes("p"), "HKDF", false, ["deriveBits"]); return [hex(await crypto.subtle.deriveBits({ name: "PBKDF2", salt: bytes("s"), iterations: 10, hash: "SHA-256" }, k, 64)), hex(await crypto.subtle.deriveBits({ name: "HKDF", salt: bytes("s"), info: bytes("i"), hash: "SHA-256" }, h, 64))]; },
      "PBKDF2 is limited to 100,000 iterations": async () => { const k = await crypto.subtle.importKey("raw", bytes("p"), "PBKDF2", false, ["deriveBits"]); return failure(() => crypto.subtle.deriveBits({ name: "PBKDF2", salt: bytes("s"), iterations: 100_001, hash: "SHA-256" }, k, 64)); },
      "random values and UUIDs": () => [crypto.randomUUID().length, crypto.getRandomValues(new Uint8Array(4)).length],
    },
  },
  {
    api: "scheduler, timers", cases: {
      "scheduler.wait waits": async () => { const at = Date.now(); await scheduler.wait(20); return Date.now() - at >= 15; },
      "scheduler.wait ends by its signal": () => failure(() => scheduler.wait(10_000, { signal: AbortSignal.timeout(10) })),
      "setTimeout passes arguments": () => new Promise((done) => setTimeout((a: number) => done(a), 1, 7)),
      "setTimeout of more than 2^31 ms does not fire": () => new Promise((done) => { const t = setTimeout(() => done("fired"), 2 ** 31 + 1); setTimeout(() => { clearTimeout(t); done("waits"); }, 50); }),
      "handles are objects with Node's compatibility": () => { const t = setTimeout(() => {}, 1); clearTimeout(t); return typeof t; },
      "clearTimeout takes null and nonsense": () => { clearTimeout(null); clearTimeout(123_456); return true; },
      "queueMicrotask runs before timers": () => new Promise((done) => { const seen: string[] = []; setTimeout(() => done([...seen, "timer"]), 0); queueMicrotask(() => seen.push("micro")); }),
    },
  },
  {
    api: "events", cases: {
      "EventTarget dispatches": () => { const seen: unknown[] = []; const t = new EventTarget(); t.addEventListener("x", (e) => seen.push((e as CustomEvent).detail), { once: true }); t.dispatchEvent(new CustomEvent("x", { detail: 1 })); t.dispatchEvent(new CustomEvent("x", { detail: 2 })); return seen; },
      "a listener's error does not stop the others": () => { const seen: string[] = []; const t = new EventTarget(); t.addEventListener("x", () => { seen.push("a"); }); t.addEventListener("x", () => { seen.push("b"); }); t.dispatchEvent(new Event("x")); return seen; },
      "AbortSignal.any and timeout": async () => { const s = AbortSignal.any([AbortSignal.timeout(5), new AbortController().signal]); await scheduler.wait(30); return [s.aborted, (s.reason as Error).name]; },
      "MessageChannel carries copies": () => new Promise((done) => { const { port1, port2 } = new MessageChannel(); port2.onmessage = (e: MessageEvent) => { port1.close(); done(e.data); }; port1.postMessage({ a: [1] }); }),
      "unhandledrejection is dispatched": async () => { let seen: unknown; const listener = (e: Event) => { const { reason, promise } = e as PromiseRejectionEvent; seen = [e.constructor.name, (reason as Error).message, promise instanceof Promise]; e.preventDefault(); }; addEventListener("unhandledrejection", listener); void Promise.reject(new Error("floating")); await scheduler.wait(20); removeEventListener("unhandledrejection", listener); return seen; },
      "structuredClone copies": () => { const m = structuredClone(new Map([[1, new Date(5)]])); return m; },
      "structuredClone refuses functions": () => failure(() => structuredClone(() => {})),
      "EventSource reads a stream": async () => { const s = EventSource.from(new Response("data: hi\nevent: message\n\n").body!); return new Promise((done) => { s.onmessage = (e: MessageEvent) => { s.close(); done(e.data); }; }); },
    },
  },
  {
    api: "navigator, Cloudflare, performance", cases: {
      "navigator names the platform": () => [navigator.userAgent, typeof navigator.hardwareConcurrency, navigator.language],
      "Cloudflare tells the flags": () => [Cloudflare.compatibilityFlags.nodejs_compat, Cloudflare.compatibilityFlags.no_such_flag ?? "absent"],
      "performance has now, marks and measures": () => { performance.mark("a"); return [typeof performance.now(), typeof performance.timeOrigin, performance.measure("m", "a").name]; },
      "self is the global": () => self === globalThis,
      "console has its methods": () => ["log", "table", "group", "time", "assert", "trace", "dir", "count"].map((name) => typeof (console as unknown as Record<string, unknown>)[name]),
    },
  },
  {
    api: "eval, WebAssembly", cases: {
      "new Function is refused": () => failure(evaluates),
      "WebAssembly from bytes is refused": () => failure(() => WebAssembly.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))),
    },
  },
  {
    api: "ctx of the worker", cases: {
      "waitUntil goes on after the answer": async ({ ctx, env }) => { const name = crypto.randomUUID(); ctx.waitUntil(scheduler.wait(20).then(() => env.PROBE.getByName(name).remember("late", 1))); return until(() => env.PROBE.getByName(name).recall("late") as Promise<unknown>); },
      "exports has the classes and entrypoints": ({ ctx }) => { const e = ctx.exports as unknown as Record<string, unknown>; return ["default", "Named", "Probe", "Small"].map((name) => e[name] !== undefined); },
      "exports.Named is called with props": async ({ ctx }) => { const e = ctx.exports as unknown as Record<string, (o: object) => { props(): Promise<unknown> }>; return e.Named!({ props: { a: 1 } }).props(); },
      "exports.Probe is a namespace": async ({ ctx }) => (ctx.exports as unknown as Record<string, DurableObjectNamespace<import("../classes.ts").Probe>>).Probe!.getByName("x").add(1, 2),
      "props are empty by default": ({ ctx }) => ctx.props,
      "passThroughOnException can be called": ({ ctx }) => { ctx.passThroughOnException(); return true; },
    },
  },
  {
    api: "env", cases: {
      "variables are text and JSON": ({ env }) => [env.TEXT, env.JSON],
      "process.env has them too": () => [process.env.TEXT, process.env.JSON],
      "an unknown name is undefined": ({ env }) => (env as unknown as Record<string, unknown>).NOPE,
      "a service binding to the worker itself fetches": async ({ env }) => { const r = await env.SELF.fetch("http://any/p"); return [await r.text(), r.headers.get("x-path")]; },
      "a service binding calls a named entrypoint": async ({ env }) => [await env.NAMED.hello("you"), await (await env.NAMED.fetch("http://x")).text()],
      "a service binding returns RpcTargets": async ({ env }) => { using c = await env.NAMED.counter(); await c.increment(2); return c.increment(3); },
      "scheduled() of a service runs the handler": async ({ env }) => { const time = new Date(1_000_000); const r = await (env.SELF as unknown as { scheduled(o: object): Promise<{ outcome: string }> }).scheduled({ scheduledTime: time, cron: "1 2 3 4 5" }); return [r.outcome, await env.PROBE.getByName("cron").recall("cron")]; },
    },
  },
];
