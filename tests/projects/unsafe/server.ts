import { DurableObject } from "cloudflare:workers";
import unsafe from "workerd:unsafe";

interface Env { COUNTER: DurableObjectNamespace<Counter> }

/** Counts in memory and in storage, and how often it was constructed. */
export class Counter extends DurableObject<Env> {
  #memory = 0;
  #finish: (() => void) | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.kv.put("lives", this.#stored("lives") + 1);
  }

  #stored(key: string): number { return ctx_get(this.ctx, key); }

  increment() {
    this.ctx.storage.kv.put("count", this.#stored("count") + 1);
    return { memory: ++this.#memory, stored: this.#stored("count"), lives: this.#stored("lives") };
  }

  /** Answers when finish() is called. */
  async slow() {
    await new Promise<void>((resolve) => { this.#finish = resolve; });
    return this.increment();
  }

  finish() { this.#finish?.(); return this.#finish !== null; }

  waits() { return this.#finish !== null; }

  async own(name: string) {
    return await said(unsafe.evict(this.env.COUNTER.getByName(name)));
  }

  override fetch(request: Request) {
    const pair = new WebSocketPair();
    if (new URL(request.url).searchParams.has("plain")) {
      pair[1].accept();
    } else {
      this.ctx.acceptWebSocket(pair[1], ["tag"]);
      pair[1].serializeAttachment({ of: "before" });
    }
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  override webSocketMessage(socket: WebSocket) {
    socket.send(JSON.stringify({ ...this.increment(), attachment: socket.deserializeAttachment(), tags: this.ctx.getTags(socket) }));
  }

  override webSocketClose() { this.ctx.storage.kv.put("closes", this.#stored("closes") + 1); }

  async alarm() {}
  async setAlarm() { await this.ctx.storage.setAlarm(Date.now() + 3_600_000); return "set"; }
  getAlarm() { return this.ctx.storage.getAlarm(); }

  closes() { return this.#stored("closes"); }
}

function ctx_get(ctx: DurableObjectState, key: string): number { return ctx.storage.kv.get<number>(key) ?? 0; }

const said = (promise: Promise<unknown>) => promise.then(() => "done", (error: Error) => `${error.name}: ${error.message}`);

export default {
  async fetch(request: Request, env: Env) {
    const { pathname, searchParams } = new URL(request.url);
    const [, action = "", name = ""] = pathname.split("/");
    const stub = env.COUNTER.getByName(name);
    const given = searchParams.get("webSockets");
    const options = given === null ? undefined : { webSockets: given };
    const attempt = async (work: () => unknown) => Response.json({ said: await said((async () => work())()) });
    switch (action) {
      case "socket": return stub.fetch(request);
      case "exports": return Response.json([Object.keys(unsafe).sort(), typeof unsafe.isTestAutogateEnabled]);
      case "evict": return attempt(() => unsafe.evict(stub, options));
      case "evict-what": return attempt(() => unsafe.evict({} as never));
      case "evict-all": return attempt(() => unsafe.evictAllDurableObjects(options));
      case "abort-all": return attempt(() => unsafe.abortAllDurableObjects());
      case "delete-all": return attempt(() => unsafe.deleteAllDurableObjects());
      case "own": return Response.json({ said: await stub.own(name) });
      case "alarm": return Response.json(await stub.setAlarm());
      case "alarm-at": return Response.json(await stub.getAlarm());
      case "increment": case "slow": case "finish": case "waits": case "closes":
        return stub[action]().then((value) => Response.json(value), (error: Error) => Response.json({ error: error.message }));
      default: return new Response("Not found", { status: 404 });
    }
  },
};
