import { DurableObject } from "cloudflare:workers";

interface Env { HOLDER: DurableObjectNamespace<Holder> }

/** What a facet's class does. */
export class Part extends DurableObject<Env> {
  #instance = crypto.randomUUID();

  override fetch(request: Request) {
    const { 0: client, 1: server } = new WebSocketPair();
    const url = new URL(request.url);
    if (url.searchParams.has("plain")) {
      server.accept();
      server.addEventListener("message", ({ data }) => server.send(`plain ${data}`));
    } else {
      this.ctx.acceptWebSocket(server, url.searchParams.getAll("tag"));
      server.serializeAttachment({ kept: "with the socket" });
    }
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(ws: WebSocket, message: string) {
    if (message === "auto") this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    if (message === "all") return this.ctx.getWebSockets("red").forEach((each) => each.send("to red"));
    if (message === "count") this.put("count", Number(this.ctx.storage.kv.get("count") ?? 0) + 1);
    ws.send(JSON.stringify({
      message, sockets: this.ctx.getWebSockets().length, tags: this.ctx.getTags(ws), attachment: ws.deserializeAttachment(),
      count: this.ctx.storage.kv.get("count") ?? 0, instance: this.#instance,
    }));
  }

  override webSocketClose(ws: WebSocket, code: number, reason: string) {
    this.put("closed", [code, reason]);
    ws.close(code, reason);
  }

  put(key: string, value: unknown) { this.ctx.storage.kv.put(key, value); }
  get(key: string) { return this.ctx.storage.kv.get(key) ?? null; }
  instance() { return this.#instance; }
  putInner(key: string, value: unknown) { return part(this.ctx, "inner").put(key, value); }
  getInner(key: string) { return part(this.ctx, "inner").get(key); }
  async setAlarm() { await this.ctx.storage.setAlarm(Date.now() + 1_000); }

  /** Writes, waits for `then` in the middle of it, and writes again, or undoes it. */
  async inTransaction(then: () => Promise<unknown>) {
    await this.ctx.storage.transaction(async (transaction) => {
      await transaction.put("half", true);
      await then();
      transaction.rollback();
    });
  }
  override alarm() {}
}

type Stub = Part & Fetcher;
const part = (ctx: DurableObjectState, name: string) =>
  ctx.facets.get(name, () => ({ class: (ctx.exports as unknown as { Part: DurableObjectClass }).Part })) as unknown as Stub;
const failure = (run: () => unknown) => Promise.resolve().then(run).then(() => null, (error: Error) => error.message);

export class Holder extends DurableObject<Env> {
  override fetch(request: Request) { return part(this.ctx, new URL(request.url).searchParams.get("facet")!).fetch(request); }

  async run(what: string, [name = "", other = ""]: string[]): Promise<unknown> {
    const { facets } = this.ctx;
    const facet = (each: string) => part(this.ctx, each);
    switch (what) {
      case "closed": return facet(name).get("closed");
      case "abort": facets.abort(name, new Error("on purpose")); return null;
      case "alarm": return failure(() => facet(name).setAlarm());
      case "clone": {
        await facet("from").put("k", 1);
        await facet("from").putInner("k", 2);
        await facet("to").put("k", "gone");
        await facet("to").put("other", "gone");
        const [from, to] = [await facet("from").instance(), await facet("to").instance()];
        facets.clone("from", "to");
        await facet("from").put("k", 3);
        return {
          to: [await facet("to").get("k"), await facet("to").get("other"), await facet("to").getInner("k")],
          from: [await facet("from").get("k"), await facet("from").getInner("k")],
          ended: [await facet("from").instance() !== from, await facet("to").instance() !== to],
        };
      }
      case "cloned": return [await facet("to").get("k"), await facet("to").getInner("k"), await facet("from").get("k")];
      case "clone-nothing": {
        await facet("full").put("k", 1);
        facets.clone("nothing", "full");
        return facet("full").get("k");
      }
      case "clone-open": {
        await facet("open").put("k", 1);
        await facet("open").inTransaction(async () => facets.clone("open", "copy"));
        return [await facet("copy").get("k"), await facet("copy").get("half"), await facet("open").get("half")];
      }
      case "clone-wrong": return [await failure(() => (facets.clone as (from: string) => void)(name)), await failure(() => facet("x".repeat(257)).get("k"))];
      default: return `${what} ${other}?`;
    }
  }
}

export default {
  async fetch(request: Request, env: Env) {
    const [, name, what, ...rest] = new URL(request.url).pathname.split("/");
    const holder = env.HOLDER.getByName(name!);
    return what === "socket" ? holder.fetch(request) : Response.json((await holder.run(what!, rest)) ?? null);
  },
};
