// The objects that user code holds: RpcStub, RpcPromise, RpcProperty, and the stubs of agents and
// services. Each is a proxy over a Hook: names that its class does not have are methods or properties
// of the other side. As on the platform, a stub of a function or target is itself callable
// (`typeof` says "function"), a Durable Object's stub is not.
import { hooks } from "../web/hooks.ts";
import { copyArguments, copyTarget } from "./copy.ts";
import { DISPOSED, failed, Hook, LocalReply, Payload, type Reply } from "./hook.ts";

const INTERNALS = Symbol("hearth.rpc");
const MAX_REDIRECTS = 20;

/** What must be awaited before a call of the code that now runs may leave, or null. */
let outputGate: () => Promise<void> | null = () => null;
export function setOutputGate(gate: () => Promise<void> | null): void {
  outputGate = gate;
}

type Internals = StubHandler | PropertyHandler | PromiseHandler | ServiceHandler;

function internals(value: unknown): Internals | undefined {
  return (value as { [INTERNALS]?: Internals })[INTERNALS];
}

/** The hook behind a stub (of whatever kind), or null: for copying. */
export function hookOf(value: object): Hook | null {
  const handler = internals(value);
  return handler instanceof StubHandler || handler instanceof ServiceHandler ? handler.hook : null;
}

export function isStub(value: object): boolean {
  return hookOf(value) !== null;
}

/** True for RpcPromise and RpcProperty, which cannot be passed on themselves. */
export function isPending(value: object): boolean {
  const handler = internals(value);
  return handler instanceof PropertyHandler || handler instanceof PromiseHandler;
}

/** Makes the call when the caller's output gate is open. Arguments are copied now. */
function send(hook: Hook, path: readonly string[], args: readonly unknown[] | null): Reply {
  let payload: Payload | null = null;
  try {
    if (args) payload = copyArguments(args);
  } catch (error) {
    return failed(error);
  }
  const gate = outputGate();
  if (gate === null) return hook.call(path, payload);
  return new LocalReply(
    gate.then(
      () => hook.call(path, payload).promise,
      (error: unknown) => {
        payload?.dispose();
        throw error;
      },
    ),
  );
}

const INDEX = /^(?:0|[1-9][0-9]*)$/;

/** What all handlers share: names that the class has are its own, others are the other side's. */
abstract class BaseHandler implements ProxyHandler<object> {
  own: Map<PropertyKey, unknown> | null = null;

  abstract member(name: string): unknown;

  get(target: object, key: PropertyKey, receiver: unknown): unknown {
    if (key === INTERNALS) return this;
    if (this.own?.has(key)) return this.own.get(key);
    if (typeof key === "symbol" || Reflect.has(target, key)) return Reflect.get(target, key, receiver);
    if (key === "then" || INDEX.test(key as string)) return undefined;
    return this.member(key as string);
  }
  set(_target: object, key: PropertyKey, value: unknown): boolean {
    (this.own ??= new Map()).set(key, value);
    return true;
  }
  has(target: object, key: PropertyKey): boolean {
    return typeof key === "string" || Reflect.has(target, key);
  }
}

class StubHandler extends BaseHandler {
  readonly hook: Hook;
  constructor(hook: Hook) {
    super();
    this.hook = hook;
  }
  override member(name: string): unknown {
    return newProperty(this.hook, [name]);
  }
  apply(_target: object, _this: unknown, args: unknown[]): unknown {
    return newPromise(send(this.hook, [], args));
  }
}

class PropertyHandler extends BaseHandler {
  readonly hook: Hook;
  readonly path: readonly string[];
  constructor(hook: Hook, path: readonly string[]) {
    super();
    this.hook = hook;
    this.path = path;
  }
  override member(name: string): unknown {
    return newProperty(this.hook, [...this.path, name]);
  }
  apply(_target: object, _this: unknown, args: unknown[]): unknown {
    return newPromise(send(this.hook, this.path, args));
  }
  construct(_target: object, args: unknown[]): object {
    return newPromise(send(this.hook, this.path, args)) as object;
  }
  /** Each await reads anew. */
  read(): Promise<unknown> {
    return resultOf(send(this.hook, this.path, null));
  }
}

class PromiseHandler extends BaseHandler {
  readonly reply: Reply;
  #result: Promise<unknown> | null = null;
  #pipeline: Hook | null = null;
  constructor(reply: Reply) {
    super();
    this.reply = reply;
  }
  get pipeline(): Hook {
    return (this.#pipeline ??= this.reply.pipeline());
  }
  override member(name: string): unknown {
    return newProperty(this.pipeline, [name]);
  }
  apply(_target: object, _this: unknown, args: unknown[]): unknown {
    return newPromise(send(this.pipeline, [], args));
  }
  read(): Promise<unknown> {
    return (this.#result ??= resultOf(this.reply));
  }
  dispose(): void {
    this.reply.promise.then((payload) => payload.dispose(), () => {});
    this.#pipeline?.dispose();
  }
}

const payloads = new WeakMap<object, Payload>();
function disposeResult(this: object): void {
  payloads.get(this)?.dispose();
}
const DISPOSER = { value: disposeResult, writable: true, configurable: true, enumerable: false };

/** Results that are objects can be disposed of, and all the stubs in them with that. */
function resultOf(reply: Reply): Promise<unknown> {
  return reply.promise.then((payload) => {
    const value = payload.value;
    if (typeof value === "object" && value !== null && !isStub(value) && Object.isExtensible(value)) {
      Object.defineProperty(value, Symbol.dispose, DISPOSER);
      if (payload.hasStubs) payloads.set(value, payload);
    }
    return value;
  });
}

type Then = (value: unknown) => unknown;

/** Refers to a function or RpcTarget on the other side; `new RpcStub(target)` makes one locally. */
export class RpcStub {
  constructor(target: unknown) {
    if ((typeof target !== "object" && typeof target !== "function") || target === null) {
      throw new TypeError("Failed to construct 'JsRpcStub': constructor parameter 1 is not of type 'Object'.");
    }
    return newStub(copyTarget(target)) as RpcStub;
  }
  dup(): unknown {
    return newStub(handlerOf(this, StubHandler).hook.dup());
  }
  /** Calls back with the error when the other side is lost. */
  onRpcBroken(callback: (error: unknown) => void): void {
    handlerOf(this, StubHandler).hook.onBroken(callback);
  }
  [Symbol.dispose](): void {
    handlerOf(this, StubHandler).hook.dispose();
  }
  get [Symbol.toStringTag](): string {
    return "JsRpcStub";
  }
}

let constructing = false;

/** A call's result, to be awaited, or used as it stands (pipelining). Not a Promise, as on the platform. */
export class RpcPromise {
  constructor() {
    if (!constructing) throw new TypeError("Illegal constructor");
  }
  then(onFulfilled?: Then | null, onRejected?: Then | null): Promise<unknown> {
    return handlerOf(this, PromiseHandler).read().then(onFulfilled, onRejected);
  }
  catch(onRejected?: Then | null): Promise<unknown> {
    return handlerOf(this, PromiseHandler).read().catch(onRejected);
  }
  finally(onFinally?: (() => void) | null): Promise<unknown> {
    return handlerOf(this, PromiseHandler).read().finally(onFinally);
  }
  [Symbol.dispose](): void {
    handlerOf(this, PromiseHandler).dispose();
  }
  get [Symbol.toStringTag](): string {
    return "JsRpcPromise";
  }
}

/** A member of the other side: to be called, or awaited to read it. */
export class RpcProperty {
  constructor() {
    if (!constructing) throw new TypeError("Illegal constructor");
  }
  then(onFulfilled?: Then | null, onRejected?: Then | null): Promise<unknown> {
    return handlerOf(this, PropertyHandler).read().then(onFulfilled, onRejected);
  }
  catch(onRejected?: Then | null): Promise<unknown> {
    return handlerOf(this, PropertyHandler).read().catch(onRejected);
  }
  finally(onFinally?: (() => void) | null): Promise<unknown> {
    return handlerOf(this, PropertyHandler).read().finally(onFinally);
  }
  get [Symbol.toStringTag](): string {
    return "JsRpcProperty";
  }
}

class ServiceHandler implements ProxyHandler<object> {
  readonly hook: Hook;
  constructor(hook: Hook) {
    this.hook = hook;
  }
  get(target: object, key: PropertyKey, receiver: unknown): unknown {
    if (key === INTERNALS) return this;
    if (typeof key === "symbol" || Reflect.has(target, key)) return Reflect.get(target, key, receiver);
    if (key === "then" || INDEX.test(key as string)) return undefined;
    return newProperty(this.hook, [key as string]);
  }
  has(target: object, key: PropertyKey): boolean {
    return typeof key === "string" || Reflect.has(target, key);
  }
}

/** What stands for an agent or a service: `fetch`, and any method of the other side's class. */
export class ServiceStub {
  constructor() {
    if (!constructing) throw new TypeError("Illegal constructor");
  }
  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const hook = handlerOf(this, ServiceHandler).hook;
    let request = input instanceof Request && init === undefined ? input : new Request(input as Request, init);
    for (let redirects = 0; ; redirects++) {
      const gate = outputGate();
      if (gate) await gate;
      const response = await hook.fetch!(request);
      if (response.status < 300 || response.status > 308) return response;
      const next = redirected(request, response);
      if (next === null) return response;
      if (redirects === MAX_REDIRECTS) throw new TypeError(`Too many redirects. ${request.url}`);
      request = next;
    }
  }
  connect(): never {
    throw new Error(
      "connect() on a service or Durable Object stub is not supported here: only fetch() and methods are. " +
        "Use connect() of \"cloudflare:sockets\" with an address instead.");
  }
  getRpcMethodForTestOnly(name: string): unknown {
    return newProperty(handlerOf(this, ServiceHandler).hook, [name]);
  }
}

export const isFetcher = (value: unknown): value is ServiceStub => value instanceof ServiceStub;

/**
 * The request that follows a redirect, to the same stub, as the platform does. Null where the answer is
 * the caller's to handle, and for a body that has been sent already and cannot be sent again.
 */
function redirected(request: Request, response: Response): Request | null {
  const location = response.headers.get("location");
  const { status } = response;
  if (location === null || request.redirect !== "follow" || ![301, 302, 303, 307, 308].includes(status)) {
    return null;
  }
  const bodiless = request.method === "GET" || request.method === "HEAD";
  if (!bodiless && (status === 307 || status === 308)) return null;
  const headers = new Headers(request.headers);
  if (!bodiless) for (const name of ["content-type", "content-length", "content-encoding"]) headers.delete(name);
  const method = request.method === "HEAD" ? "HEAD" : "GET";
  return new Request(new URL(location, request.url), { method, headers, signal: request.signal });
}

/** A Durable Object's stub. Its class is called `DurableObject` to code that asks. */
class DurableObjectStub extends ServiceStub {
  get [Symbol.toStringTag](): string {
    return "DurableObject";
  }
}
Object.defineProperty(DurableObjectStub, "name", { value: "DurableObject" });

export class Fetcher extends ServiceStub {
  /** Runs the worker's scheduled handler, as a cron trigger does, and tells how it ended. */
  async scheduled(options: { scheduledTime?: Date | number; cron?: string } = {}): Promise<unknown> {
    const { hook } = handlerOf(this, ServiceHandler);
    if (hook.scheduled === undefined) return invoke(hook, ["scheduled"], [options]);
    const gate = outputGate();
    if (gate) await gate;
    const result = { outcome: "ok", noRetry: false };
    const noRetry = (): void => void (result.noRetry = true);
    try {
      await hook.scheduled({ type: "scheduled", cron: options.cron ?? "", scheduledTime: Number(options.scheduledTime ?? Date.now()), noRetry });
    } catch (error) {
      hooks.reportError(error);
      result.outcome = "exception";
    }
    return result;
  }
  get [Symbol.toStringTag](): string {
    return "Fetcher";
  }
}

function handlerOf<T>(value: unknown, type: abstract new (...args: never[]) => T): T {
  const handler = internals(value);
  if (!(handler instanceof type)) throw new TypeError("Illegal invocation");
  return handler;
}

// One target for each class of proxy: nothing is stored on it.
function callableTarget(prototype: object, constructible: boolean): object {
  const target = constructible ? (function () {}) : () => {};
  delete (target as { name?: string }).name;
  delete (target as { length?: number }).length;
  Object.setPrototypeOf(target, prototype);
  return target;
}
const stubTarget = callableTarget(RpcStub.prototype, false);
const promiseTarget = callableTarget(RpcPromise.prototype, false);
const propertyTarget = callableTarget(RpcProperty.prototype, true);
Object.defineProperty(propertyTarget, "prototype", { value: undefined });

export function newStub(hook: Hook): object {
  return new Proxy(stubTarget, new StubHandler(hook));
}

function newPromise(reply: Reply): object {
  return new Proxy(promiseTarget, new PromiseHandler(reply));
}

function newProperty(hook: Hook, path: readonly string[]): object {
  return new Proxy(propertyTarget, new PropertyHandler(hook, path));
}

function construct<T extends object>(type: new () => T): T {
  constructing = true;
  try {
    return new type();
  } finally {
    constructing = false;
  }
}

/** The stub that `namespace.get(id)` returns. */
export function newAgentStub(hook: Hook, id: object, name: string | undefined): object {
  const target = construct(DurableObjectStub) as object as Record<string, unknown>;
  if (name !== undefined) target["name"] = name;
  target["id"] = id;
  return new Proxy(target, new ServiceHandler(hook));
}

/** A service binding, or an agent's stub that was passed to somebody. */
export function newFetcher(hook: Hook): object {
  return new Proxy(construct(Fetcher), new ServiceHandler(hook));
}

/** For calls that the runtime makes itself: as `await stub[path](…args)`. */
export function invoke(hook: Hook, path: readonly string[], args: readonly unknown[]): Promise<unknown> {
  return resultOf(send(hook, path, args));
}

/** What a disposed hook answers. */
export function disposedReply(args: Payload | null): Reply {
  args?.dispose();
  return failed(new Error(DISPOSED));
}
