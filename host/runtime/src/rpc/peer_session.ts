// RPC and fetch with one other host. Calls have ids; a result can be asked for members before it has come (its
// id stands for it); stubs that crossed are released when they are disposed of or forgotten. Everything is
// bounded, and when the other host is gone everything that waits for it fails with "Network connection
// lost.". On the JavaScript thread.
import type { Addon } from "../addon.ts";
import { overloaded } from "../agent/errors.ts";
import { type Cause, currentCause, runFor } from "../agent/scope.ts";
import type { AgentAddress, RuntimeServices } from "../agent/types.ts";
import { headersFromPacked, packHeaders } from "../web/headers.ts";
import { abortRequest, makeRequest, Request as OurRequest, takeRequest } from "../web/request.ts";
import { makeResponse, type Response as OurResponse, takeResponse } from "../web/response.ts";
import type { Headers as OurHeaders } from "../web/headers.ts";
import { connectionLost } from "./errors.ts";
import { DISPOSED, failed, type Hook, Payload, type Reply } from "./hook.ts";
import { AgentHook, EntrypointHook } from "./local.ts";
import { Import, ImportHook, type ObjectSession, RemoteReply, type Target } from "./peer_hooks.ts";
import { SocketTable, type SocketMessage } from "./peer_sockets.ts";
import { StreamTable, type StreamMessage, type Whose } from "./peer_streams.ts";
import { hookOf, newFetcher, newStub, ServiceStub } from "./stub.ts";
import { decode, encode, type Table } from "./wire.ts";

const MAX_PENDING = 16_384;
/** Of questions that are not answered yet: past it nothing more is asked. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
const MAX_EXPORTS = 65_536;
const WHOLE_BODY_BYTES = 1024 * 1024;
const RAW = 1;
const RAW_HEADER_BYTES = 6;

/** The core's event behind a call: [request, connection]; null: none. */
type WireCause = readonly [number, number] | null;
type Body = null | string | Uint8Array | readonly ["stream", number];
type Message =
  | readonly ["call", number, Target, readonly string[], unknown[] | null, WireCause]
  | readonly ["fetch", number, Target, WireRequest, WireCause]
  | readonly ["return", number, unknown]
  | readonly ["throw", number, unknown]
  | readonly ["finish", number]
  | readonly ["abort", number]
  | readonly ["release", number]
  | readonly ["socketBind", number, number]
  | SocketMessage
  | StreamMessage;
interface WireRequest {
  method: string; url: string; headers: string; redirect: string; cf: object | undefined; body: Body;
}
interface WireResponse {
  status: number; statusText: string; headers: string; body: Body; socket: number | null;
  /** The error that the SDK made the body of, as the host says that ran it. */
  hidden?: Error;
}

export type MakeHooks = {
  agent(address: AgentAddress): AgentHook;
  entrypoint(name: string, props: unknown, worker: number): EntrypointHook;
  host(): Hook;
};
type Source = { open(): ReadableStream<Uint8Array>; cancel(reason?: unknown): void };

function addressOf([namespace, id, name]: readonly [number, string, string]): AgentAddress {
  return { namespace, id, name };
}

export function targetOf({ namespace, id, name }: AgentAddress): Target {
  return ["agent", namespace, id, name];
}

function causeNow(): WireCause {
  const { request, connection }: Cause = currentCause();
  return request === 0 && connection === 0 ? null : [request, connection];
}

/** As the worker's own code of that event, so that what is logged there tells it. */
function asOf<R>(cause: WireCause | undefined, work: () => R): R {
  return cause ? runFor(null, { request: cause[0], connection: cause[1] }, work) : work();
}

/** A promise's two ends. */
interface Pending {
  resolve(value: Payload): void;
  reject(error: unknown): void;
  /** Of the question. */
  bytes: number;
}

export class Session implements Table, ObjectSession {
  /** The other host's number; null: there is none yet, and what is sent waits for it. */
  #peer: number | null;
  #outbox: Uint8Array[] = [];
  readonly #services: RuntimeServices;
  readonly #make: MakeHooks;
  readonly #streams: StreamTable;
  readonly #sockets: SocketTable;
  #pending = new Map<number, Pending>();
  #pendingBytes = 0;
  #nextQuestion = 1;
  #exports = new Map<number, Hook>();
  #nextExport = 1;
  #answers = new Map<number, Reply>();
  #requests = new Map<number, OurRequest>();
  #broken: Set<(error: unknown) => void> = new Set();
  #gone = false;
  /** Questions of the other's that are being answered. */
  #answering = 0;
  /** The hooks made while a message is decoded. */
  #decoded: Hook[] = [];

  constructor(peer: number | null, services: RuntimeServices, make: MakeHooks) {
    this.#peer = peer;
    this.#services = services;
    this.#make = make;
    this.#streams = new StreamTable({
      data: (whose, id, bytes) => this.#sendRaw(whose, id, bytes),
      control: (message) => this.#send(message, message[0] !== "fail" && message[0] !== "cancel"),
    });
    this.#sockets = new SocketTable({
      control: (message) => this.#send(message, true),
      bind: async (id) =>
        (await this.#ask((question) => this.#send(["socketBind", question, id], true)).promise).value as number,
    }, services);
  }

  get busy(): boolean {
    return this.#answering > 0 || this.#pending.size > 0 || this.#streams.size > 0 || this.#sockets.size > 0;
  }

  // ---- asking ------------------------------------------------------------------------------------

  waitsFor(question: number): boolean {
    return this.#pending.has(question);
  }

  onBroken(callback: (error: unknown) => void): void {
    if (this.#gone) callback(connectionLost());
    else if (this.#broken.size < MAX_EXPORTS) this.#broken.add(callback);
  }

  call(target: Target, path: readonly string[], args: Payload | null): Reply {
    try {
      const values = args === null ? null : (args.value as unknown[]);
      return this.#ask((question) => this.#send(["call", question, target, path, values, causeNow()], args?.plain ?? true));
    } catch (error) {
      return failed(error);
    } finally {
      args?.dispose();
    }
  }

  /** `send` answers how many bytes it sent. */
  #ask(send: (question: number) => number): RemoteReply {
    if (this.#gone) throw connectionLost();
    if (this.#pending.size >= MAX_PENDING) throw overloaded("requests");
    if (this.#pendingBytes >= MAX_PENDING_BYTES) throw overloaded("data");
    const question = this.#nextQuestion++;
    const { promise, resolve, reject } = Promise.withResolvers<Payload>();
    const pending: Pending = { resolve, reject, bytes: 0 };
    this.#pending.set(question, pending);
    try {
      pending.bytes = send(question);
      this.#pendingBytes += pending.bytes;
    } catch (error) {
      this.#pending.delete(question);
      throw error;
    }
    return new RemoteReply(this, question, promise);
  }

  async fetch(target: Target, given: Request): Promise<Response> {
    const request = given as unknown as OurRequest;
    const { signal } = request;
    signal.throwIfAborted();
    const { method, url, headers, redirect, cf, body } = takeRequest(request);
    const wire = { method, url, headers, redirect, cf, body: this.#sendBody(body) };
    let asked = 0;
    const reply = this.#ask((question) => {
      asked = question;
      return this.#send(["fetch", question, target, wire, causeNow()], true);
    });
    const abort = (): void => {
      if (!this.waitsFor(asked)) return;
      this.#send(["abort", asked], true);
      this.#settle(asked)?.reject(signal.reason);
    };
    signal.addEventListener("abort", abort);
    try {
      return this.#response((await reply.promise).value as WireResponse) as unknown as Response;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #response(wire: WireResponse): OurResponse {
    if (wire.hidden !== undefined) this.#services.complaints?.learn(wire.body, wire.hidden);
    const webSocket = wire.socket === null ? null : this.#sockets.borrow(wire.socket);
    return makeResponse(wire.status, wire.statusText, wire.headers, this.#receiveBody(wire.body), webSocket as never);
  }

  release(id: number): void {
    if (!this.#gone) this.#send(["release", id], true);
  }

  #settle(question: number): Pending | undefined {
    const pending = this.#pending.get(question);
    if (this.#pending.delete(question)) this.#pendingBytes -= pending!.bytes;
    return pending;
  }

  // ---- answering ---------------------------------------------------------------------------------

  receive(data: Uint8Array): void {
    if (data[0] === RAW) {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      const whose: Whose = data[1] === 1 ? "mine" : "yours";
      this.#streams.receivedData(whose, view.getUint32(2, true), new Uint8Array(data.subarray(RAW_HEADER_BYTES)));
      return;
    }
    this.#decoded = [];
    const message = decode(data, this) as Message;
    const hooks = this.#decoded;
    switch (message[0]) {
      case "call": return this.#onCall(message[1], message[2], message[3], message[4], message[5], hooks);
      case "fetch": return void asOf(message[4], () => this.#onFetch(message[1], message[2], message[3]));
      case "return": return this.#onReturn(message[1], new Payload(message[2], hooks.length > 0 ? hooks : null, false));
      case "throw": return this.#settle(message[1])?.reject(message[2]);
      case "finish": return this.#onFinish(message[1]);
      case "abort": return this.#onAbort(message[1]);
      case "release": return this.#onRelease(message[1]);
      case "socketBind": return this.#onSocketBind(message[1], message[2]);
      case "socketClaim": case "socketDrop": case "socketData": case "socketClose": case "socketCredit":
        return this.#sockets.received(message);
      default: return this.#streams.received(message);
    }
  }

  #target(target: Target): Hook {
    if (target[0] === "agent") return this.#make.agent(addressOf([target[1], target[2], target[3]]));
    if (target[0] === "host") return this.#make.host();
    const hook = target[0] === "export" ? this.#exports.get(target[1]) : this.#answers.get(target[1])?.pipeline();
    if (hook === undefined) throw new Error(DISPOSED);
    return hook;
  }

  #fetchable(target: Target): Hook {
    const hook = this.#target(target);
    if (hook.fetch === undefined) throw new TypeError("The RPC receiver does not implement the method \"fetch\".");
    return hook;
  }

  #onCall(question: number, target: Target, path: readonly string[], args: unknown[] | null, cause: WireCause, hooks: Hook[]): void {
    const payload = args === null ? null : new Payload(args, hooks.length > 0 ? hooks : null, false);
    let reply: Reply;
    try {
      reply = asOf(cause, () => this.#target(target).call(path, payload));
    } catch (error) {
      payload?.dispose();
      reply = failed(error);
    }
    this.#answers.set(question, reply);
    this.#answering++;
    reply.promise.then(
      (result) => this.#answer(question, ["return", question, result.value], result.plain),
      (error: unknown) => this.#answer(question, ["throw", question, error], false),
    );
  }

  #answer(question: number, message: Message, plain: boolean): void {
    this.#answering--;
    if (this.#gone) return;
    try {
      this.#send(message, plain);
    } catch (error) {
      this.#send(["throw", question, error], false);
    }
  }

  async #onFetch(question: number, target: Target, wire: WireRequest): Promise<void> {
    const made = makeRequest(wire.method, wire.url, wire.headers, this.#receiveBody(wire.body), wire.cf);
    const request = made.redirect === wire.redirect ? made : new OurRequest(made, { redirect: wire.redirect as "follow" });
    this.#answering++;
    this.#requests.set(question, made);
    try {
      const response = (await this.#fetchable(target).fetch!(request as unknown as Request)) as unknown as OurResponse;
      const { status, statusText, headers, webSocket, body } = takeResponse(response);
      if (this.#gone) return; // and nobody asks whether it is busy
      const socket = webSocket === null ? null : this.#sockets.lend(webSocket);
      const answer: WireResponse = { status, statusText, headers, body: this.#sendBody(body), socket };
      const hidden = status === 500 ? this.#services.complaints?.madeOf(body) : undefined;
      if (hidden !== undefined) answer.hidden = hidden;
      this.#answer(question, ["return", question, answer], hidden === undefined);
    } catch (error) {
      this.#answer(question, ["throw", question, error], false);
    } finally {
      this.#requests.delete(question);
    }
  }

  #onReturn(question: number, payload: Payload): void {
    const pending = this.#settle(question);
    this.#send(["finish", question], true);
    if (pending) {
      pending.resolve(payload);
      return;
    }
    // Only a fetch is given up before it is answered: nobody will read the body, or use the socket.
    payload.dispose();
    const { body, socket } = (payload.value ?? {}) as Partial<WireResponse>;
    if (typeof socket === "number") this.#sockets.refuse(socket);
    if (Array.isArray(body)) void this.#streams.importReadable((body as unknown as ["stream", number])[1]).cancel();
  }

  #onSocketBind(question: number, id: number): void {
    this.#answering++;
    this.#sockets.connectionOf(id).then(
      (connection) => this.#answer(question, ["return", question, connection], true),
      (error: unknown) => this.#answer(question, ["throw", question, error], false),
    );
  }

  #onFinish(question: number): void {
    const reply = this.#answers.get(question);
    this.#answers.delete(question);
    reply?.promise.then((result) => result.dispose(), () => {});
  }

  #onAbort(question: number): void {
    const request = this.#requests.get(question);
    if (request) abortRequest(request, new DOMException("The client has disconnected", "AbortError"));
  }

  #onRelease(id: number): void {
    const hook = this.#exports.get(id);
    this.#exports.delete(id);
    hook?.dispose();
  }

  // ---- values ------------------------------------------------------------------------------------

  #sendBody(body: string | Uint8Array | ReadableStream<Uint8Array> | null): Body {
    if (body === null) return null;
    if (body instanceof ReadableStream) return ["stream", this.#streams.exportReadable(body)];
    const length = typeof body === "string" ? body.length * 3 : body.byteLength;
    if (length <= WHOLE_BODY_BYTES) return body;
    return ["stream", this.#streams.exportReadable(new Blob([body as BlobPart]).stream())];
  }

  #receiveBody(body: Body): string | Uint8Array | Source | null {
    if (body === null || typeof body === "string" || body instanceof Uint8Array) return body;
    const stream = this.#streams.importReadable(body[1]);
    return { open: () => stream, cancel: (reason) => void stream.cancel(reason).catch(() => {}) };
  }

  #export(hook: Hook): number {
    if (this.#exports.size >= MAX_EXPORTS) throw Object.assign(new Error("Too many objects are held by another host."), { overloaded: true });
    const id = this.#nextExport++;
    this.#exports.set(id, hook.dup());
    return id;
  }

  describe(value: object): unknown[] | undefined {
    const hook = hookOf(value);
    if (hook) {
      if (hook instanceof AgentHook && hook.portable) return [...targetOf(hook.address)];
      if (hook instanceof EntrypointHook) return ["entrypoint", hook.entrypoint, hook.props, hook.worker];
      const known = hook instanceof ImportHook ? hook.idFor(this) : null;
      const kind = value instanceof ServiceStub ? "service" : "stub";
      return known === null ? [kind, this.#export(hook)] : ["back", known, kind];
    }
    if (value instanceof ReadableStream) return ["readable", this.#streams.exportReadable(value)];
    if (value instanceof WritableStream) return ["writable", this.#streams.exportWritable(value)];
    if (value instanceof Headers) return ["headers", packHeaders(value as unknown as OurHeaders)];
    if (value instanceof Request) {
      const { method, url, headers, redirect, cf, body } = takeRequest(value as unknown as OurRequest);
      return ["request", { method, url, headers, redirect, cf, body: this.#sendBody(body) }];
    }
    if (value instanceof Response) {
      const { status, statusText, headers, body } = takeResponse(value as unknown as OurResponse);
      return ["response", { status, statusText, headers, body: this.#sendBody(body), socket: null }];
    }
    return undefined;
  }

  restore(description: unknown[]): unknown {
    const [kind, first] = description;
    switch (kind) {
      case "stub": return newStub(this.#keep(new ImportHook(new Import(this, first as number))));
      case "service": return newFetcher(this.#keep(new ImportHook(new Import(this, first as number))));
      case "back":
        return (description[2] === "service" ? newFetcher : newStub)(this.#keep(this.#target(["export", first as number]).dup()));
      case "agent": return newFetcher(this.#make.agent(addressOf(description.slice(1) as [number, string, string])));
      case "entrypoint": return newFetcher(this.#make.entrypoint(first as string, description[2], description[3] as number));
      case "readable": return this.#streams.importReadable(first as number);
      case "writable": return this.#streams.importWritable(first as number);
      case "headers": return headersFromPacked(first as string);
      case "request": {
        const { method, url, headers, redirect, cf, body } = first as WireRequest;
        const made = makeRequest(method, url, headers, this.#receiveBody(body), cf);
        return made.redirect === redirect ? made : new OurRequest(made, { redirect: redirect as "follow" });
      }
      case "response": return this.#response(first as WireResponse);
      default: throw new Error("A value from another host is of a kind that is not known here.");
    }
  }

  #keep(hook: Hook): Hook {
    this.#decoded.push(hook);
    return hook;
  }

  // ---- sending -----------------------------------------------------------------------------------

  get #addon(): Addon {
    return this.#services.addon;
  }

  #send(message: Message, plain: boolean): number {
    if (this.#gone) return 0;
    const data = encode(message, this, plain);
    this.#post(data);
    return data.byteLength;
  }

  /** What waits is bounded as the questions are whose it is. */
  #post(data: Uint8Array): void {
    if (this.#peer === null) this.#outbox.push(data);
    else this.#addon.peerSend(null, this.#peer, data);
  }

  /** There is a host now. */
  reaches(peer: number): void {
    this.#peer = peer;
    for (const data of this.#outbox.splice(0)) this.#post(data);
  }

  #sendRaw(whose: Whose, id: number, bytes: Uint8Array): void {
    if (this.#gone) return;
    const frame = new Uint8Array(RAW_HEADER_BYTES + bytes.byteLength);
    frame[0] = RAW;
    frame[1] = whose === "mine" ? 1 : 0;
    new DataView(frame.buffer).setUint32(2, id, true);
    frame.set(bytes, RAW_HEADER_BYTES);
    this.#post(frame);
  }

  /** The other host is gone, and all that was between the two with it. */
  break(): void {
    this.#gone = true;
    for (const { reject } of this.#pending.values()) reject(connectionLost());
    this.#pending.clear();
    for (const request of this.#requests.values()) abortRequest(request, connectionLost());
    this.#requests.clear();
    this.#streams.break();
    this.#sockets.break();
    const exports = this.#exports;
    this.#exports = new Map();
    for (const hook of exports.values()) hook.dispose();
    for (const question of [...this.#answers.keys()]) this.#onFinish(question);
    const broken = this.#broken;
    this.#broken = new Set();
    for (const callback of broken) callback(connectionLost());
  }
}
