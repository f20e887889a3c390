// The classes that the cases call: two Durable Objects, a named entrypoint, and a facet's class.
import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

import { answer } from "./case.ts";
import { inside } from "./cases/inside.ts";
import type { Env } from "./env.ts";

const lacks = (value: object, names: string[]): string[] => names.filter((name) => !(name in value));

export class Counter extends RpcTarget {
  #n = 0;
  own = "an own property";
  increment(by: number) { return (this.#n += by); }
  get total() { return this.#n; }
}

export class Probe extends DurableObject<Env> {
  #kept: unknown;
  #instance = crypto.randomUUID();
  ownProperty = 1;

  /** A case that runs inside of the object. */
  run(area: string, sentence: string) {
    return answer(() => inside.find(({ api }) => api === area)!.cases[sentence]!({ ctx: this.ctx, env: this.env }));
  }

  async lacking(lists: Record<string, string[]>) {
    const { storage } = this.ctx;
    const cursor = storage.sql.exec("SELECT 1");
    const found: Record<string, string[]> = {
      DurableObjectState: lacks(this.ctx, lists.DurableObjectState!), DurableObjectStorage: lacks(storage, lists.DurableObjectStorage!),
      SqlStorage: lacks(storage.sql, lists.SqlStorage!), SqlStorageCursor: lacks(cursor, lists.SqlStorageCursor!),
      SyncKvStorage: lacks(storage.kv, lists.SyncKvStorage!), DurableObjectFacets: lacks(this.ctx.facets, lists.DurableObjectFacets!),
    };
    cursor.toArray();
    await storage.transaction(async (transaction) => { found.DurableObjectTransaction = lacks(transaction, lists.DurableObjectTransaction!); });
    return found;
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (request.headers.get("Upgrade") === "websocket") return this.#accept(url);
    if (url.pathname === "/throw") throw new RangeError("the object failed on purpose");
    return Response.json({ method: request.method, url: request.url, body: await request.text(), cf: request.cf !== undefined });
  }

  #accept(url: URL): Response {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, url.searchParams.getAll("tag"));
    if (url.searchParams.has("auto")) this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    server.serializeAttachment({ tag: url.searchParams.get("tag"), map: new Map([[1, 2]]) });
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (message === "tell") {
      ws.send(JSON.stringify({
        tags: this.ctx.getTags(ws), attachment: [...ws.deserializeAttachment().map], all: this.ctx.getWebSockets().length,
        tagged: this.ctx.getWebSockets("red").length, same: this.ctx.getWebSockets().includes(ws), state: ws.readyState,
        auto: this.ctx.getWebSocketAutoResponseTimestamp(ws) instanceof Date, isWebSocket: ws instanceof WebSocket,
      }));
    } else if (message === "close") ws.close(4002, "by the object");
    else if (message === "throw") throw new Error("on purpose");
    else ws.send(typeof message === "string" ? `object: ${message}` : message);
  }
  async webSocketClose(ws: WebSocket, code: number, reason: string, wasClean: boolean) {
    this.#kept = { code, reason, wasClean };
    ws.close(code === 1005 ? 1000 : code, reason);
  }
  kept() { return this.#kept; }

  // ---- RPC
  remember(key: string, value: unknown) { this.ctx.storage.kv.put(key, value); }
  recall(key: string) { return this.ctx.storage.kv.get(key); }
  instance() { return this.#instance; }
  add(a: number, b: number) { return a + b; }
  echo(value: unknown) { return value; }
  get answer() { return 42; }
  get nested() { return { deep: { value: 7, call: (n: number) => n + 1 } }; }
  counter() { return new Counter(); }
  fails() { const error = new RangeError("failed on purpose"); Object.assign(error, { extra: 1 }); throw error; }
  async callBack(f: (n: number) => Promise<number>) { return (await f(1)) + 1; }
  keepCallback(f: () => Promise<string>) { this.#kept = f; }
  async callKept() { return (this.#kept as () => Promise<string>)(); }
  keepDuplicate(f: (() => Promise<string>) & { dup(): unknown }) { this.#kept = f.dup(); }
  stream() { return new Response("a stream").body!; }
  async readStream(stream: ReadableStream) { return new Response(stream).text(); }
  async readRequest(request: Request) { return { url: request.url, method: request.method, body: await request.text() }; }
  response() { return new Response("a response", { status: 201, headers: { "X-A": "b" } }); }
  async constructorName() { return this.constructor.name; }
  async slow(ms: number) { await scheduler.wait(ms); return Date.now(); }
  abort() { this.ctx.abort("aborted on purpose"); }
  async setAlarm(at: number) { await this.ctx.storage.setAlarm(at); }

  async alarm(info?: AlarmInvocationInfo) {
    const fired = (this.ctx.storage.kv.get("fired") as unknown[] | undefined) ?? [];
    this.ctx.storage.kv.put("fired", [...fired, {
      isRetry: info?.isRetry, retryCount: info?.retryCount, scheduledTime: typeof info?.scheduledTime, pending: await this.ctx.storage.getAlarm(),
    }]);
  }

  // ---- facets
  async facet(name: string, by: number) {
    const facet = this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Small as unknown as DurableObjectClass, id: name }));
    return (facet as unknown as Small).increment(by);
  }
  cloneFacet(from: string, to: string) { this.ctx.facets.clone(from, to); }
  async facetAlarm(name: string) {
    const facet = this.ctx.facets.get(name, () => ({ class: this.ctx.exports.Small as unknown as DurableObjectClass, id: name }));
    await (facet as unknown as Small).setAlarm();
  }
  dropFacet(name: string) { this.ctx.facets.delete(name); }
}

/** Of `new_classes`: without SQL. */
export class Plain extends DurableObject<Env> {
  run(area: string, sentence: string) {
    return answer(() => inside.find(({ api }) => api === area)!.cases[sentence]!({ ctx: this.ctx, env: this.env }));
  }
}

/** A facet's class: counts in a database of its own. */
export class Small extends DurableObject<Env> {
  async increment(by: number) {
    const next = ((await this.ctx.storage.get<number>("n")) ?? 0) + by;
    await this.ctx.storage.put("n", next);
    return { n: next, id: this.ctx.id.toString() };
  }
  async setAlarm() { await this.ctx.storage.setAlarm(Date.now() + 60_000); }
  override alarm() {}
}

export class Named extends WorkerEntrypoint<Env> {
  async fetch() { return new Response(`named ${JSON.stringify(this.ctx.props ?? null)}`); }
  hello(who: string) { return `hello ${who}`; }
  props() { return this.ctx.props; }
  counter() { return new Counter(); }
}

