// A worker that no request reaches by itself: a default entrypoint, a named one, and objects that
// other workers bind.
import { DurableObject, env as moduleEnv, RpcTarget, waitUntil, WorkerEntrypoint } from "cloudflare:workers";

interface Env {
  WHO: string;
  SECRET: string;
  ROOM: DurableObjectNamespace<Room>;
  DESK: Fetcher & { greet(name: string): Promise<string> };
  FRONT_OWN: { getByName(name: string): { count(): Promise<number> } };
}

class Counter extends RpcTarget {
  #count = 0;
  next(): number {
    return ++this.#count;
  }
}

export class Admin extends WorkerEntrypoint<Env> {
  add(a: number, b: number): number {
    return a + b;
  }
  who(): unknown {
    return { who: this.env.WHO, secret: this.env.SECRET, props: this.ctx.props, front: "ONLY_FRONT" in this.env };
  }
  each(list: string[], callback: (item: string) => Promise<unknown>): Promise<unknown[]> {
    return Promise.all(list.map((item) => callback(item)));
  }
  counter(): Counter {
    return new Counter();
  }
  fail(): never {
    throw new RangeError("the worker \"back\" refused");
  }
}

export class Room extends DurableObject<Env> {
  async add(by: number): Promise<number> {
    const sum = ((await this.ctx.storage.get<number>("sum")) ?? 0) + by;
    await this.ctx.storage.put("sum", sum);
    return sum;
  }
  async use(admin: { who(): Promise<{ who: string }>; add(a: number, b: number): Promise<number> }): Promise<string> {
    return `${(await admin.who()).who} ${await admin.add(20, 22)}`;
  }
  whose(): unknown {
    return { who: this.env.WHO, exports: Object.keys(this.ctx.exports).sort() };
  }
  async fetch(): Promise<Response> {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, ["guest"]);
    server.serializeAttachment({ greeted: 0 });
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(socket: WebSocket, message: string): Promise<void> {
    if (message === "alarm") {
      await this.ctx.storage.setAlarm(Date.now() + 50);
      return;
    }
    const { greeted } = socket.deserializeAttachment() as { greeted: number };
    socket.serializeAttachment({ greeted: greeted + 1 });
    socket.send(`${message} ${greeted + 1} of ${this.env.WHO}`);
  }
  async alarm(): Promise<void> {
    for (const socket of this.ctx.getWebSockets("guest")) socket.send(`alarm of ${this.env.WHO}`);
  }
}

let crons = 0;
export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/hello":
        return new Response(`${env.WHO} got ${request.method} ${url.host}${url.search} ${await request.text()}`, { status: 201 });
      case "/front":
        return Response.json([await env.DESK.greet("back"), await env.FRONT_OWN.getByName("shared").count()]);
      case "/module": {
        const waited = Promise.withResolvers<string>();
        waitUntil(waited.promise);
        waited.resolve("kept");
        return Response.json({
          who: (moduleEnv as unknown as Env).WHO, waited: await waited.promise, exports: Object.keys(ctx.exports).sort(),
        });
      }
      case "/crons":
        return Response.json(crons);
      default:
        return new Response("back knows no such page", { status: 404 });
    }
  },
  scheduled(): void {
    crons++;
  },
};
