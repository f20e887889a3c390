import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

import { http } from "./http.ts";
import { storage } from "./storage.ts";

interface NodeProcess {
  getBuiltinModule(name: string): { execFileSync(file: string, args: string[]): never };
}
const nodeProcess = (globalThis as unknown as { process: NodeProcess }).process;

interface Env {
  GREETING: string;
  LIMITS: { items: number };
  ROOM: DurableObjectNamespace<Room>;
  STORE: DurableObjectNamespace<Store>;
  BROKEN: DurableObjectNamespace<Broken>;
}

/** Sockets by the hibernation API; what it says of itself tells whether it was built anew. */
export class Room extends DurableObject<Env> {
  #instance = crypto.randomUUID();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (request.headers.get("Upgrade") !== "websocket") return new Response(`room ${url.pathname}`);
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, url.searchParams.getAll("tag"));
    server.serializeAttachment({ user: url.searchParams.get("user"), since: 1, map: new Map([["k", [1, 2n]]]) });
    if (url.searchParams.has("early")) server.send("sent before the 101");
    const protocol = request.headers.get("Sec-WebSocket-Protocol");
    return new Response(null, {
      status: 101, webSocket: client, headers: protocol ? { "Sec-WebSocket-Protocol": protocol.split(",")[0]!.trim() } : {},
    });
  }

  async webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (typeof message !== "string") return ws.send(message);
    const [verb, ...rest] = message.split(" ");
    const argument = rest.join(" ");
    switch (verb) {
      case "tell": {
        const { user, map } = ws.deserializeAttachment();
        return ws.send(JSON.stringify({
          user, nested: map instanceof Map ? String(map.get("k")) : "no map", tags: this.ctx.getTags(ws),
          instance: this.#instance, sockets: this.ctx.getWebSockets().length, state: ws.readyState,
        }));
      }
      case "all": for (const peer of this.ctx.getWebSockets()) peer.send(argument); return;
      case "tag": {
        const [tag, ...text] = argument.split(" ");
        for (const peer of this.ctx.getWebSockets(tag)) peer.send(text.join(" "));
        return;
      }
      case "keep": ws.serializeAttachment({ ...ws.deserializeAttachment(), user: argument }); return ws.send("kept");
      case "close": { const [code, ...why] = argument.split(" "); return ws.close(Number(code), why.join(" ")); }
      case "throw": throw new Error("the handler failed on purpose");
      case "later": setTimeout(() => ws.send(`later ${argument}`), 20); return;
      case "many": for (let i = 0; i < Number(argument); i++) ws.send(`m${i}`); return;
      case "big": return ws.send("x".repeat(Number(argument)));
      case "closes": return ws.send(JSON.stringify((await this.ctx.storage.get("closes")) ?? []));
      case "pid": return ws.send(String((globalThis as { process?: { pid?: number } }).process?.pid ?? 0));
      case "hang": for (;;) { /* the event loop is held */ }
      case "hang-native": return nodeProcess.getBuiltinModule("node:child_process").execFileSync("sleep", [argument]);
      case "die": return (globalThis as unknown as { process: { exit(code: number): never } }).process.exit(7);
      case "count": {
        const next = ((await this.ctx.storage.get<number>("count")) ?? 0) + 1;
        await this.ctx.storage.put("count", next);
        return ws.send(`count ${next}`);
      }
      default: return ws.send(message);
    }
  }

  async webSocketClose(ws: WebSocket, code: number, reason: string, wasClean: boolean): Promise<void> {
    const closes = ((await this.ctx.storage.get("closes")) ?? []) as unknown[];
    const { user } = ws.deserializeAttachment();
    await this.ctx.storage.put("closes", [...closes, { user, code, reason, wasClean }]);
    if (wasClean) ws.close(code === 1005 ? 1000 : code, reason); // the hibernation API leaves the reply to the code
  }
}

/** Storage, alarms and RPC. */
export class Store extends DurableObject<Env> {
  #calls = 0;
  #blocked: Promise<string>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    let ready = "constructor";
    this.#blocked = ctx.blockConcurrencyWhile(async () => {
      await scheduler.wait(5);
      return (ready = "blocked");
    });
    void ready;
  }

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/hang")) await new Promise(() => setTimeout(() => {}, 60_000));
    if (url.pathname.endsWith("/throw")) throw new Error("store failed on purpose");
    return storage(this.ctx, url, request);
  }

  async add(a: number, b: number): Promise<number> { this.#calls++; return a + b; }
  get calls(): number { return this.#calls; }
  async whoami() { return { name: this.ctx.id.name ?? null, id: this.ctx.id.toString(), blocked: await this.#blocked }; }
  async echo(value: unknown) { return value; }
  async fail(): Promise<never> { throw new RangeError("rpc failed on purpose"); }
  async callBack(f: (n: number) => Promise<number>) { return (await f(20)) + 1; }
  async stream() { return new Response("streamed").body!; }
  counter() { return new Counter(); }

  async alarm(info?: { retryCount: number; isRetry: boolean }) {
    const fired = ((await this.ctx.storage.get<unknown[]>("fired")) ?? []) as unknown[];
    const failures = ((await this.ctx.storage.get<number>("failures")) ?? 0);
    if (failures > 0) {
      await this.ctx.storage.put("failures", failures - 1);
      await this.ctx.storage.sync();
      throw new Error("alarm failed on purpose");
    }
    const again = (await this.ctx.storage.get<number>("again")) ?? 0;
    if (again > 0) {
      await this.ctx.storage.put("again", again - 1);
      await this.ctx.storage.setAlarm((await this.ctx.storage.get<number>("due"))!);
    }
    await this.ctx.storage.put("fired", [...fired, { at: Date.now(), retryCount: info?.retryCount, isRetry: info?.isRetry }]);
  }
}

import { RpcTarget } from "cloudflare:workers";
class Counter extends RpcTarget {
  #n = 0;
  async increment(by: number) { return (this.#n += by); }
}

export class Broken extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    throw new TypeError("the constructor failed on purpose");
  }
  async fetch() { return new Response("never"); }
}

export default class extends WorkerEntrypoint<Env> {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const [, kind, name, ...rest] = url.pathname.split("/");
    if (kind === "room" || kind === "store" || kind === "broken") {
      const namespace = { room: this.env.ROOM, store: this.env.STORE, broken: this.env.BROKEN }[kind];
      return namespace.get(namespace.idFromName(name!)).fetch(request);
    }
    if (kind === "rpc") return rpc(this.env.STORE.getByName(name!), rest[0]!);
    if (kind === "throw") throw new Error("the worker failed on purpose");
    if (kind === "env") return Response.json({ GREETING: this.env.GREETING, LIMITS: this.env.LIMITS });
    if (kind === "ids") return ids(this.env.STORE, name!);
    return http(request, url, this.ctx);
  }
}

async function rpc(store: DurableObjectStub<Store>, verb: string): Promise<Response> {
  switch (verb) {
    case "add": return Response.json(await store.add(2, 3));
    case "whoami": return Response.json(await store.whoami());
    case "fail": {
      const error = await store.fail().catch((e: unknown) => e);
      const { name, message, remote } = error as Error & { remote?: boolean };
      return Response.json({ name, message, remote, isError: error instanceof Error });
    }
    case "echo": {
      const shared = { s: 1 };
      const cyclic: Record<string, unknown> = { a: shared, b: shared };
      cyclic.self = cyclic;
      const back = (await store.echo({
        map: new Map([[1, new Set(["x"])]]), date: new Date(5), bytes: new Uint8Array([1, 2]), big: 9n, re: /a+/g, cyclic,
        undef: undefined, nan: NaN, error: new TypeError("as data"),
      })) as Record<string, any>;
      return Response.json({
        map: back.map.get(1).has("x"), date: back.date.getTime(), bytes: [...back.bytes], big: String(back.big),
        re: String(back.re), alias: back.cyclic.a === back.cyclic.b, cycle: back.cyclic.self === back.cyclic,
        undef: "undef" in back && back.undef === undefined, nan: Number.isNaN(back.nan),
        error: [back.error instanceof TypeError, back.error.message],
      });
    }
    case "copy": {
      const sent = { list: [1] };
      const back = (await store.echo(sent)) as typeof sent;
      back.list.push(2);
      return Response.json({ same: back === (sent as unknown), sent: sent.list, back: back.list });
    }
    case "refused": {
      class Point { x = 1; }
      const error = await Promise.resolve().then(() => store.echo(new Point())).catch((e: Error) => e);
      return Response.json({ refused: error instanceof Error, name: (error as Error).name });
    }
    case "callback": return Response.json(await store.callBack(async (n) => n * 2));
    case "stream": return new Response(await store.stream());
    case "target": {
      const counter = await store.counter();
      await counter.increment(1);
      return Response.json(await counter.increment(2));
    }
    case "pipeline": return Response.json(await store.counter().increment(7));
    case "property": await store.add(1, 1); return Response.json(await store.calls);
    case "missing": {
      const error = await (store as unknown as { nope(): Promise<unknown> }).nope().catch((e: Error) => e);
      return Response.json({ message: (error as Error).message });
    }
    default: return new Response("no such call", { status: 404 });
  }
}

function ids(namespace: DurableObjectNamespace<Store>, name: string): Response {
  const id = namespace.idFromName(name);
  const again = namespace.idFromString(id.toString());
  const unique = namespace.newUniqueId();
  let refused = "";
  try { namespace.idFromString("0".repeat(64)); } catch (error) { refused = (error as Error).name; }
  return Response.json({
    id: id.toString(), name: id.name, equal: id.equals(again), againName: again.name ?? null,
    unique: unique.toString().length, uniqueDiffers: !unique.equals(id), refused,
  });
}
