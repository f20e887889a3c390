// What code sees of RPC, one small case each: a worker that runs on workerd as it is, and on the
// harness beside this file. differential.test.ts compares the two answers.
import { DurableObject, WorkerEntrypoint, RpcTarget, RpcStub, RpcPromise, RpcProperty, ServiceStub, env as liveEnv, exports as liveExports, withEnv, waitUntil } from "cloudflare:workers";

class Counter extends RpcTarget {
  #n; disposed = false; own = "own";
  constructor(n = 0, onDispose) { super(); this.#n = n; this.onDispose_ = onDispose; }
  increment(by = 1) { return this.#n += by; }
  get value() { return this.#n; }
  get nested() { return new Counter(100); }
  fail() { throw new RangeError("counter broke"); }
  alarm() { return "any name of a target"; }
  fetch() { return "fetch too"; }
  [Symbol.dispose]() { this.disposed = true; this.onDispose_?.(); }
}
class Plain { constructor() { this.x = 1; } m() { return 1; } }
class MyError extends Error { constructor(m) { super(m); this.name = "MyError"; this.code = 42; } }

export class Target extends DurableObject {
  ownField = "secret";
  ownFn = () => 1;
  kept = null; log = [];
  get prop() { return "prop-value"; }
  get objProp() { return { a: { b: 7 } }; }
  get counterProp() { return new Counter(5); }
  echo(...a) { return a.length === 1 ? a[0] : a; }
  kind(x) { return Object.prototype.toString.call(x) + " " + typeof x + " " + (x?.constructor?.name ?? "none"); }
  async echoAsync(x) { return x; }
  nothing() {}
  counter(n) { return new Counter(n); }
  objWithCounter() { return { c: new Counter(1), f: (x) => x + 1, deep: [{ c: new Counter(2) }] }; }
  fn() { return (a, b) => a + b; }
  throwError() { throw new Error("plain error"); }
  throwType() { throw new TypeError("type error"); }
  throwMy() { throw new MyError("mine"); }
  throwString() { throw "a string"; }
  throwObject() { throw { a: 1 }; }
  throwNull() { throw null; }
  throwUndefined() { throw undefined; }
  throwExtra() { const e = new Error("extra"); e.extra = { k: 1 }; e.cause = new TypeError("why"); throw e; }
  async throwAsync() { await null; throw new SyntaxError("async"); }
  throwRetry() { const e = new Error("x"); e.retryable = true; e.overloaded = true; throw e; }
  throwDom() { throw new DOMException("dom", "AbortError"); }
  throwUncloneable() { const e = new Error("unc"); e.f = new Plain(); throw e; }
  returnPlain() { return new Plain(); }
  returnUrl() { return new URL("http://x/"); }
  returnNullProto() { return Object.create(null); }
  returnSymbol() { return Symbol("x"); }
  returnPromiseInObj() { return { p: Promise.resolve(1) }; }
  async call(f, ...a) { return await f(...a); }
  async callMethod(t, m, ...a) { return await t[m](...a); }
  async getProp(t, m) { return await t[m]; }
  keep(f) { this.kept = f; return 1; }
  keepDup(f) { this.kept = f.dup(); return 1; }
  async callKept(...a) { return await this.kept(...a); }
  async callTwice(f) { return [await f(1), await f(2)]; }
  instance(x) { return { stub: x instanceof RpcStub, target: x instanceof RpcTarget, type: typeof x, ctor: x?.constructor?.name }; }
  passBack(f) { return f; }
  stream() { return new ReadableStream({ type: "bytes", start(c) { c.enqueue(new TextEncoder().encode("hello ")); c.enqueue(new TextEncoder().encode("stream")); c.close(); } }); }
  jsStream() { return new ReadableStream({ start(c) { c.enqueue("str"); c.enqueue({a:1}); c.close(); } }); }
  async readStream(s) { return await new Response(s).text(); }
  async writeTo(w) { const x = w.getWriter(); await x.write(new TextEncoder().encode("written")); await x.close(); return "ok"; }
  async req(r) { return { is: r instanceof Request, url: r.url, method: r.method, h: r.headers.get("x-a"), body: await r.text() }; }
  resp() { return new Response("body", { status: 201, headers: { "x-b": "c" } }); }
  headers(h) { return h.get("a"); }
  respObj() { return { r: new Response("inner") }; }
  same(a, b) { return a === b; }
  sameIn(o) { return [o.a === o.b, o.self === o]; }
  mutate(o) { o.changed = true; return o; }
  order(n) { this.log.push(n); return n; }
  getLog() { return this.log; }
  async slow(n) { await scheduler.wait(20); this.log.push("slow" + n); return n; }
  fetch(req) { return new Response("fetched " + new URL(req.url).pathname + " " + req.method); }
  alarm() { return "alarm called"; }
  webSocketMessage() { return "wsm"; }
  static stat() { return 1; }
  dup() { return "user dup"; }
  then2() { return 1; }
  toString() { return "user toString"; }
  hasOwnProperty2() {}
  ["with space"]() { return "spaced"; }
  set setOnly(v) {}
  stubPass(stub) { return stub.echo("via"); }
  nsPass(s) { return typeof s; }
  getter(n) { return this.ctx.exports ? Object.keys(this.ctx.exports).sort() : null; }
  async abortMe() { this.ctx.abort("aborted on purpose"); }
  async abortErr() { const e=new Error("err abort"); this.ctx.abort(e); }
  selfId() { return this.ctx.id.toString().length + ":" + this.ctx.id.name; }
  manyArgs(a, b, c) { return [a, b, c].map(x => x === undefined ? "undef" : x); }
  callerDispose(f) { const d = f[Symbol.dispose]; return typeof d; }
  async useDisposed(f) { f[Symbol.dispose](); try { return await f(1); } catch (e) { return e.message; } }
  async onBroken(f) { return typeof f.onRpcBroken; }
  async nestedCallback(f) { return await f(async (x) => x * 2); }
  async holdCounter(c) { const v = await c.increment(5); return v; }
  async errorFromCallback(f) { try { await f(); return "no"; } catch (e) { return [e.constructor.name, e.name, e.message, e.remote ?? null]; } }
}
export class NoBase {
  constructor(ctx) { this.ctx = ctx; }
  hi() { return "hi"; }
  fetch() { return new Response("nobase"); }
}
export class Entry extends WorkerEntrypoint {
  hello(n) { return "hello " + n; }
  props() { return this.ctx.props; }
  async fetch(req) { return new Response("entry " + new URL(req.url).pathname); }
  get prop() { return 3; }
}
export class Hidden extends WorkerEntrypoint { hi(n) { return "hidden " + n; } myProps() { return this.ctx.props ?? null; } }

function show(v, depth = 0) {
  if (v === undefined) return "<undefined>";
  if (typeof v === "bigint") return "<bigint " + v + ">";
  if (typeof v === "function") return "<fn>";
  if (typeof v === "number" && (Number.isNaN(v) || !Number.isFinite(v) || Object.is(v, -0))) return "<number " + (Object.is(v, -0) ? "-0" : v) + ">";
  if (v === null || typeof v !== "object") return v;
  if (v instanceof Date) return "<date " + v.getTime() + ">";
  if (v instanceof RegExp) return "<regexp " + v + ">";
  if (v instanceof Map) return { map: [...v].map(x => show(x, depth + 1)) };
  if (v instanceof Set) return { set: [...v].map(x => show(x, depth + 1)) };
  if (v instanceof Error) return err(v);
  if (v instanceof ArrayBuffer) return "<ab " + v.byteLength + ">";
  if (ArrayBuffer.isView(v)) return "<" + v.constructor.name + " " + v.byteLength + ">";
  if (Array.isArray(v)) return v.map(x => show(x, depth + 1));
  if (depth > 6) return "...";
  const o = {}; for (const k of Object.keys(v)) o[k] = show(v[k], depth + 1);
  return o;
}
function err(e) {
  if (!(e instanceof Error)) return { thrown: typeof e, value: show(e) };
  const o = { ctor: e.constructor.name, name: e.name, message: e.message };
  for (const k of Object.keys(e).sort()) o["." + k] = show(e[k], 4);
  if (e.cause !== undefined) o.cause = show(e.cause);
  return o;
}

const cases = {
  // values
  async primitives({ s }) { const out = []; for (const v of [1, "a", true, null, undefined, 10n, NaN, -0, Infinity, "é\u{1f600}", ""]) out.push(await s.echo(v)); return out; },
  async noArgs({ s }) { return await s.echo(); },
  async nothing({ s }) { return await s.nothing(); },
  async objects({ s }) { return await s.echo({ a: [1, { b: 2 }], d: new Date(5), r: /a/gi, m: new Map([[1, { x: 1 }]]), set: new Set([1, "b"]), u8: new Uint8Array([1, 2]), ab: new ArrayBuffer(3), dv: new DataView(new ArrayBuffer(4)), f64: new Float64Array(2), n: null, u: undefined, big: 5n }); },
  async boxed({ s }) { return [await s.kind(new Number(1)), await s.kind(new String("a")), await s.kind(new Boolean(true)), await s.kind(Object(1n))]; },
  async errorValue({ s }) { const e = await s.echo(new TypeError("as value")); return [e instanceof TypeError, e.name, e.message, "remote" in e]; },
  async myErrorValue({ s }) { const e = await s.echo(new MyError("as value")); return [e.constructor.name, e.name, e.message, e.code ?? null]; },
  async cycle({ s }) { const o = {}; o.self = o; const r = await s.echo(o); return r.self === r; },
  async alias({ s }) { const o = {}; const p = { a: o, b: o }; p.self = p; return await s.sameIn(p); },
  async aliasArgs({ s }) { const o = {}; return await s.same(o, o); },
  async copyArgs({ s }) { const o = { a: 1 }; const r = await s.mutate(o); return [o, r]; },
  async sparse({ s }) { const a = [1, , 3]; a.extra = 1; const r = await s.echo(a); return [r.length, 1 in r, r.extra ?? null]; },
  async symbolKey({ s }) { return await s.echo({ [Symbol("x")]: 1, a: 2 }); },
  async getterValue({ s }) { return await s.echo({ get a() { return 9; } }); },
  async nonEnum({ s }) { const o = { a: 1 }; Object.defineProperty(o, "b", { value: 2 }); return await s.echo(o); },
  async frozen({ s }) { const r = await s.echo(Object.freeze({ a: 1 })); return Object.isFrozen(r); },
  async subArray({ s }) { class A extends Array {} const a = new A(); a.push(1); return await s.echo(a); },
  async subMap({ s }) { class M extends Map {} return await s.kind(new M([[1, 2]])); },
  async subDate({ s }) { class M extends Date {} return await s.kind(new M(1)); },
  async subU8({ s }) { class M extends Uint8Array {} return await s.kind(new M(1)); },
  async arguments({ s }) { return await (function () { return s.kind(arguments); })(1, 2); },
  async undefinedTrail({ s }) { return await s.manyArgs(1, undefined); },
  async u8View({ s }) { const b = new Uint8Array(100).subarray(10, 20); const r = await s.echo(b); return [r.byteLength, r.buffer.byteLength, r.byteOffset]; },
  async sharedBuffer({ s }) { const b = new ArrayBuffer(8); const r = await s.echo({ a: new Uint8Array(b), b }); return r.a.buffer === r.b; },
  // refusals
  async rPlain({ s }) { return await s.echo(new Plain()); },
  async rPlainDeep({ s }) { return await s.echo({ a: [new Plain()] }); },
  async rUrl({ s }) { return await s.echo(new URL("http://x/")); },
  async rUsp({ s }) { return await s.echo(new URLSearchParams("a=b")); },
  async rBlob({ s }) { return await s.echo(new Blob(["a"])); },
  async rFile({ s }) { return await s.echo(new File(["a"], "b")); },
  async rFormData({ s }) { return await s.echo(new FormData()); },
  async rAbortSignal({ s }) { return await s.kind(new AbortController().signal); },
  async rAbortController({ s }) { return await s.kind(new AbortController()); },
  async rNullProto({ s }) { return await s.echo(Object.create(null)); },
  async rSymbol({ s }) { return await s.echo(Symbol("q")); },
  async rWeakMap({ s }) { return await s.echo(new WeakMap()); },
  async rPromise({ s }) { return await s.echo(Promise.resolve(5)); },
  async rPromiseDeep({ s }) { return await s.echo({ a: Promise.resolve(5) }); },
  async rEvent({ s }) { return await s.echo(new Event("x")); },
  async rSocketPair({ s }) { return await s.echo(new WebSocketPair()[0]); },
  async rGenerator({ s }) { return await s.echo((function* () {})()); },
  async rCryptoKey({ s }) { return await s.kind(await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"])); },
  async rSab({ s }) { return typeof SharedArrayBuffer === "undefined" ? "none" : await s.kind(new SharedArrayBuffer(1)); },
  async rWasm({ s }) { return await s.kind(new WebAssembly.Memory({ initial: 1 })); },
  async rGlobal({ s }) { return await s.kind(globalThis); },
  async rClass({ s }) { return await s.instance(Plain); },
  async rEnv({ s, env }) { return await s.kind(env); },
  async rNs({ s, env }) { return await s.kind(env.TARGET); },
  async rId({ s, env }) { return await s.kind(env.TARGET.idFromName("a")); },
  async rDomException({ s }) { const e = await s.echo(new DOMException("m", "AbortError")); return [e.constructor.name, e.name, e.message, e.code]; },
  async retPlain({ s }) { return await s.returnPlain(); },
  async retUrl({ s }) { return await s.returnUrl(); },
  async retNullProto({ s }) { return await s.returnNullProto(); },
  async retSymbol({ s }) { return await s.returnSymbol(); },
  async retPromiseInObj({ s }) { return await s.returnPromiseInObj(); },
  async getterThrows({ s }) { return await s.echo({ get a() { throw new Error("getter threw"); } }); },
  async syncThrow({ s }) { let sync = true; try { const p = s.echo(new Plain()); sync = false; await p; } catch (e) { return [sync, err(e)]; } },
  // names
  async prop({ s }) { return await s.prop; },
  async objProp({ s }) { return [await s.objProp, await s.objProp.a, await s.objProp.a.b]; },
  async propMissing({ s }) { return await s.missing; },
  async propMissingDeep({ s }) { return await s.objProp.nope.nope; },
  async methodMissing({ s }) { return await s.missing(); },
  async ownField({ s }) { return await s.ownField; },
  async ownFn({ s }) { return await s.ownFn(); },
  async protoConstructor({ s }) { return typeof s.constructor; },
  async callConstructor({ s }) { return await s.constructor(); },
  async callToString({ s }) { return String(s.toString()); },
  async callHasOwn({ s }) { return s.hasOwnProperty("x"); },
  async callValueOf({ s }) { return s.valueOf() === s; },
  async isProto({ s }) { return await s.isPrototypeOf(1); },
  async protoProp({ s }) { return typeof s.__proto__; },
  async defineGetter({ s }) { return await s.__defineGetter__; },
  async alarm({ s }) { return await s.alarm(); },
  async wsm({ s }) { return await s.webSocketMessage(); },
  async fetchRpc({ s }) { const r = await s.fetch("http://h/p"); return [r.status, await r.text()]; },
  async fetchInit({ s }) { const r = await s.fetch("http://h/p", { method: "POST" }); return await r.text(); },
  async fetchRel({ s }) { return await (await s.fetch("/p")).text(); },
  async connectName({ s }) { return typeof s.connect; },
  async dupName({ s }) { return await s.dup(); },
  async thenName({ s }) { return typeof s.then; },
  async spaced({ s }) { return await s["with space"](); },
  async setOnly({ s }) { return await s.setOnly; },
  async env({ s }) { return await s.env; },
  async ctx({ s }) { return await s.ctx; },
  async numName({ s }) { return await s[0]; },
  async symName({ s }) { return typeof s[Symbol("x")]; },
  async idName({ s }) { return [typeof s.id, typeof s.name, s.name ?? null, s.id.toString().length]; },
  async typeofs({ s }) { const p = s.echo(1); const q = s.prop; const r = [typeof s, typeof s.echo, typeof p, typeof q, p instanceof Promise, p instanceof RpcPromise, q instanceof RpcProperty, s instanceof RpcStub, p.constructor.name, q.constructor.name, s.constructor.name, Object.prototype.toString.call(s), Object.prototype.toString.call(p), Object.prototype.toString.call(q)]; await p; return r; },
  async keysOfStub({ s }) { return [Object.keys(s), "echo" in s, "nope" in s, Object.getOwnPropertyNames(s), Object.getPrototypeOf(s) === null]; },
  async noBaseRpc({ env }) { return await env.NOBASE.get(env.NOBASE.idFromName("a")).hi(); },
  async noBaseProp({ env }) { return await env.NOBASE.get(env.NOBASE.idFromName("a")).hi; },
  async noBaseFetch({ env }) { return await (await env.NOBASE.get(env.NOBASE.idFromName("a")).fetch("http://x/")).text(); },
  async setOnStub({ s }) { s.foo = 1; return s.foo; },
  async methodAsValue({ s }) { const f = await s.echo; return [typeof f, await f(3)]; },
  async propCall({ s }) { return await s.prop(); },
  async stringMethod({ s }) { return await s.prop.length; },
  async stringMethod2({ s }) { return await s.prop.toUpperCase(); },
  async arrayIndex({ s }) { return await s.echo([1, 2, 3])[1]; },
  async arrayLength({ s }) { return await s.echo([1, 2, 3]).length; },
  async arrayMap({ s }) { return await s.echo([1, 2, 3]).map((x) => x); },
  async mapSize({ s }) { return await s.echo(new Map([[1, 2]])).size; },
  async bindCall({ s }) { return await s.echo.call(null, 5); },
  async bindApply({ s }) { return await s.echo.apply(null, [5]); },
  async bindBind({ s }) { return await s.echo.bind(null)(5); },
  async newCall({ s }) { return await new s.echo(5); },
  // errors
  async eError({ s }) { return await s.throwError(); },
  async eType({ s }) { return await s.throwType(); },
  async eMy({ s }) { return await s.throwMy(); },
  async eString({ s }) { return await s.throwString(); },
  async eObject({ s }) { return await s.throwObject(); },
  async eNull({ s }) { return await s.throwNull(); },
  async eUndefined({ s }) { return await s.throwUndefined(); },
  async eExtra({ s }) { return await s.throwExtra(); },
  async eAsync({ s }) { return await s.throwAsync(); },
  async eRetry({ s }) { return await s.throwRetry(); },
  async eDom({ s }) { return await s.throwDom(); },
  async eUncloneable({ s }) { return await s.throwUncloneable(); },
  async eAbort({ env }) { return await env.TARGET.get(env.TARGET.idFromName("abort")).abortMe(); },
  async eAbortErr({ env }) { return await env.TARGET.get(env.TARGET.idFromName("abort2")).abortErr(); },
  async eAbortThen({ env }) { const t = env.TARGET.get(env.TARGET.idFromName("abort3")); try { await t.abortMe(); } catch {} return await t.echo("after"); },
  async eStack({ s }) { try { await s.throwError(); } catch (e) { return [typeof e.stack, e.stack.includes("throwError"), e.stack.split("\n")[0]]; } },
  // pipelining
  async pipe({ s }) { return await s.counter(3).increment(); },
  async pipeProp({ s }) { return await s.counter(3).value; },
  async pipeDeep({ s }) { return await s.objWithCounter().deep[0].c.increment(4); },
  async pipeFn({ s }) { return await s.fn()(1, 2); },
  async pipeObjFn({ s }) { return await s.objWithCounter().f(1); },
  async pipeNested({ s }) { return await s.counter(1).nested.increment(); },
  async pipeProto({ s }) { return await s.counterProp.increment(); },
  async pipeErr({ s }) { return await s.throwError().foo.bar(); },
  async pipeMissing({ s }) { return await s.counter(1).nope(); },
  async pipeUndef({ s }) { return await s.nothing().x; },
  async pipeOwn({ s }) { return await s.counter(1).own; },
  async pipeArg({ s }) { const p = s.counter(4); return await s.holdCounter(p); },
  async pipeArgValue({ s }) { const p = s.echo(4); return await s.echo(p); },
  async pipeCatch({ s }) { return await s.throwError().catch((e) => "caught " + e.message); },
  async pipeFinally({ s }) { let f = 0; const r = await s.echo(1).finally(() => { f = 1; }); return [r, f]; },
  async pipeThen2({ s }) { const p = s.echo({ a: 1 }); const a = await p; const b = await p; return [a === b, a]; },
  // by reference
  async stubCounter({ s }) { const c = await s.counter(1); const r = [await c.increment(), await c.increment(2), await c.value]; c[Symbol.dispose](); return r; },
  async stubAfterDispose({ s }) { const c = await s.counter(1); c[Symbol.dispose](); return await c.increment(); },
  async stubOwn({ s }) { const c = await s.counter(1); return await c.own; },
  async stubTypes({ s }) { const c = await s.counter(1); const f = await s.fn(); return [c instanceof RpcStub, c instanceof RpcTarget, typeof c, typeof f, f instanceof RpcStub, c.constructor.name, Object.prototype.toString.call(c), typeof c.dup, typeof c[Symbol.dispose], typeof c.onRpcBroken]; },
  async stubDup({ s }) { const c = await s.counter(1); const d = c.dup(); c[Symbol.dispose](); const r = await d.increment(); d[Symbol.dispose](); return r; },
  async stubBothDisposed({ s }) { const c = await s.counter(1); const d = c.dup(); c[Symbol.dispose](); d[Symbol.dispose](); return await d.increment(); },
  async targetNames({ s }) { const c = await s.counter(1); return [await c.alarm(), await c.fetch(), await s.counter(1).alarm()]; },
  async stubFail({ s }) { const c = await s.counter(1); return await c.fail(); },
  async stubFnCall({ s }) { const f = await s.fn(); return await f(2, 3); },
  async objDispose({ s }) { const o = await s.objWithCounter(); const t = typeof o[Symbol.dispose]; const k = Object.keys(o); const v = await o.c.increment(); o[Symbol.dispose](); try { await o.c.increment(); return [t, k, v, "alive"]; } catch (e) { return [t, k, v, e.message]; } },
  async plainDispose({ s }) { const o = await s.echo({ a: 1 }); return [typeof o[Symbol.dispose], Object.getOwnPropertySymbols(o).length, Object.getOwnPropertyDescriptor(o, Symbol.dispose)?.enumerable ?? null]; },
  async arrayDispose({ s }) { const o = await s.echo([1]); return [typeof o[Symbol.dispose]]; },
  async callCallback({ s }) { return await s.call((a) => a + 1, 1); },
  async callCallbackObj({ s }) { return await s.call((a) => ({ got: a }), { z: 1 }); },
  async callTwice({ s }) { return await s.callTwice((a) => a * 10); },
  async callbackThrows({ s }) { return await s.errorFromCallback(() => { throw new RangeError("cb"); }); },
  async callbackThrowsThrough({ s }) { return await s.call(() => { throw new RangeError("cb"); }); },
  async nestedCb({ s }) { return await s.nestedCallback(async (f) => await f(21)); },
  async targetArg({ s }) { const c = new Counter(7); return [await s.callMethod(c, "increment", 3), c.value]; },
  async targetArgOwn({ s }) { return await s.getProp(new Counter(7), "own"); },
  async targetArgProp({ s }) { return await s.getProp(new Counter(7), "value"); },
  async argTypes({ s }) { return [await s.instance(new Counter()), await s.instance(() => 1), await s.instance(s)]; },
  async passBack({ s }) { const c = new Counter(1); const r = await s.passBack(c); return [r === c, r instanceof RpcStub, await r.increment()]; },
  async passStub({ s }) { const c = await s.counter(1); const r = [await s.holdCounter(c), await c.value]; return r; },
  async passDoStub({ s, env }) { const other = env.TARGET.get(env.TARGET.idFromName("other")); return await s.stubPass(other); },
  async keepNoDup({ s }) { await s.keep(() => "kept"); return await s.callKept(); },
  async keepDup({ s }) { await s.keepDup(() => "kept"); return await s.callKept(); },
  async useDisposedIn({ s }) { return await s.useDisposed(() => 1); },
  async argDispose({ s }) { let n = 0; const c = new Counter(1, () => n++); await s.holdCounter(c); await scheduler.wait(10); return n; },
  async argDisposeTwice({ s }) { let n = 0; const c = new Counter(1, () => n++); await s.holdCounter(c); await s.holdCounter(c); await scheduler.wait(10); return n; },
  async argStubDispose({ s }) { let n = 0; const st = new RpcStub(new Counter(1, () => n++)); await s.holdCounter(st); await scheduler.wait(5); const a = n; st[Symbol.dispose](); await scheduler.wait(5); return [a, n]; },
  async localStub({ s }) { const st = new RpcStub(new Counter(1)); return [await st.increment(), await st.value, typeof st, st instanceof RpcStub]; },
  async localFnStub({ s }) { const st = new RpcStub((x) => x + 1); return [await st(1), typeof st]; },
  async localStubCopies({ s }) { const o = { a: 1 }; let seen; const st = new RpcStub((x) => { seen = x; }); await st(o); return [seen === o, seen]; },
  async stubOfPlain() { try { const st = new RpcStub({ a: 1 }); return await st.a; } catch (e) { return err(e); } },
  async stubOfNothing() { return new RpcStub(5); },
  async onBroken({ s }) { return await s.onBroken(() => 1); },
  async callerDispose({ s }) { return await s.callerDispose(() => 1); },
  async usingStub({ s }) { const p = s.counter(1); const t = typeof p[Symbol.dispose]; const c = await p; return [t, typeof c[Symbol.dispose]]; },
  async fnWithProps({ s }) { const f = () => 1; f.extra = 2; return await s.getProp(f, "extra"); },
  async fnName({ s }) { function named() {} return await s.getProp(named, "name"); },
  // streams and http
  async stream({ s }) { return await new Response(await s.stream()).text(); },
  async jsStream({ s }) { const r = (await s.jsStream()).getReader(); const a = await r.read(); const b = await r.read(); return [a, b]; },
  async streamArg({ s }) { const { readable, writable } = new IdentityTransformStream(); const w = writable.getWriter(); const p = s.readStream(readable); w.write(new TextEncoder().encode("up")); w.close(); return await p; },
  async streamJsArg({ s }) { return await s.readStream(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("bytes")); c.close(); } })); },
  async writableArg({ s }) { const { readable, writable } = new IdentityTransformStream(); const p = new Response(readable).text(); return [await s.writeTo(writable), await p]; },
  async writableJs({ s }) { const got = []; const w = new WritableStream({ write(c) { got.push(c.constructor.name + ":" + new TextDecoder().decode(c)); } }); return [await s.writeTo(w), got]; },
  async lockedStream({ s }) { const r = new ReadableStream(); r.getReader(); return await s.readStream(r); },
  async usedAfter({ s }) { const st = new ReadableStream({ type: "bytes", start(c) { c.close(); } }); const p = s.readStream(st); const l = st.locked; await p; return l; },
  async reqArg({ s }) { return await s.req(new Request("http://a/b", { method: "POST", body: "hi", headers: { "x-a": "1" } })); },
  async respRet({ s }) { const r = await s.resp(); return [r instanceof Response, r.status, r.headers.get("x-b"), await r.text()]; },
  async respObj({ s }) { const o = await s.respObj(); return [await o.r.text(), typeof o[Symbol.dispose]]; },
  async respPipe({ s }) { return await s.resp().status; },
  async headersArg({ s }) { return await s.headers(new Headers({ a: "b" })); },
  // order
  async order({ env }) { const s = env.TARGET.get(env.TARGET.idFromName("order")); const ps = []; for (let i = 0; i < 5; i++) ps.push(s.order(i)); await Promise.all(ps); return await s.getLog(); },
  async orderSlow({ env }) { const s = env.TARGET.get(env.TARGET.idFromName("order2")); await Promise.all([s.slow(1), s.order(2), s.slow(3)]); return await s.getLog(); },
  // service bindings
  async svcMethod({ env }) { return await env.ENTRY.hello("bob"); },
  async svcProps({ env }) { return await env.ENTRY.props(); },
  async svcFetch({ env }) { return await (await env.ENTRY.fetch("http://x/y")).text(); },
  async svcProp({ env }) { return await env.ENTRY.prop; },
  async svcMissing({ env }) { return await env.ENTRY.nope(); },
  async svcSelfMissing({ env }) { return await env.SELF.nope(); },
  async svcDefaultOwn({ env }) { return await env.SELF.helper("x"); },
  async svcDefaultProp({ env }) { return await env.SELF.data; },
  async svcType({ env }) { return [typeof env.SELF, env.SELF.constructor.name, env.SELF instanceof ServiceStub, env.TARGET.get(env.TARGET.idFromName("a")) instanceof ServiceStub]; },
  async svcPass({ s, env }) { return await s.callMethod(env.ENTRY, "hello", "passed"); },
  async exportsKeys({ ctx }) { return Object.keys(ctx.exports).sort(); },
  async exportsLive() { return Object.keys(liveExports).sort(); },
  async exportsNs({ ctx }) { const n = ctx.exports.Target; return [typeof n, n.constructor.name, await n.getByName("zz").echo(5), Object.prototype.toString.call(n)]; },
  async exportsEntry({ ctx }) { return [typeof ctx.exports.Entry, await ctx.exports.Hidden.hi("a"), await ctx.exports.Hidden.myProps()]; },
  async exportsEntryProps({ ctx }) { const h = ctx.exports.Hidden({ props: { q: 1 } }); return [await h.myProps(), typeof h, h.constructor.name]; },
  async exportsDefault({ ctx }) { return await (await ctx.exports.default.fetch("http://x/inner")).text(); },
  async exportsCtor({ ctx }) { return [ctx.exports.Hidden.constructor.name, ctx.exports.Target.constructor.name, ctx.exports.constructor?.name]; },
  async envLive({ env }) { return [liveEnv.TARGET === env.TARGET, liveEnv === env, withEnv({ A: 1 }, () => liveEnv.A), liveEnv.A ?? null]; },
  async svcRet({ s, env }) { const r = await s.echo(env.ENTRY); return [r.constructor.name, await r.hello("x")]; },
  async doRet({ s, env }) { const r = await s.echo(s); return [r.constructor.name, await r.echo("x")]; },
  async dupDo({ s }) { return await s.dup().catch ? "has" : "no"; },
  async ctorNew() { const r = []; for (const C of [RpcTarget, WorkerEntrypoint, DurableObject, RpcPromise, RpcProperty, ServiceStub, RpcStub]) { try { new C(); r.push("ok"); } catch (e) { r.push(e.message); } } return r; },
  async selfId({ s }) { return await s.selfId(); },
};

export default {
  helper(x) { return "helped " + x; },
  data: 5,
  async fetch(request, env, ctx) {
    const path = new URL(request.url).pathname.slice(1);
    if (path === "inner") return new Response("inner default");
    const out = {};
    const s = env.TARGET.get(env.TARGET.idFromName("main"));
    for (const [name, run] of Object.entries(cases)) {
      if (path && path !== name) continue;
      let timer;
      try {
        const value = await Promise.race([run({ s, env, ctx }), new Promise((_, no) => { timer = setTimeout(() => no(new Error("TIMED OUT")), 1500); })]);
        out[name] = { ok: show(value) };
      } catch (e) { out[name] = { err: err(e) }; }
      clearTimeout(timer);
    }
    return new Response(Object.entries(out).map(([k, v]) => k + " " + JSON.stringify(v)).join("\n") + "\n");
  }
};
