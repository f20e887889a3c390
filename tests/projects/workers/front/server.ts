// The worker that gets the requests: what it answers is made by the worker "back" and its objects.
import { DurableObject, env as moduleEnv, WorkerEntrypoint } from "cloudflare:workers";

interface Room { add(by: number): number; use(admin: Admin): Promise<string>; whose(): unknown }
interface Admin {
  add(a: number, b: number): number;
  who(): unknown;
  each(list: string[], callback: (item: string) => unknown): Promise<unknown[]>;
  counter(): { next(): number };
}
interface Env {
  WHO: string;
  BACK: Fetcher;
  ADMIN: Fetcher & Admin;
  FAR: Fetcher;
  OWN: DurableObjectNamespace<Own>;
  Room: { getByName(name: string): Room & Fetcher };
}

/** An object of this worker; the worker "back" reaches it too. */
export class Own extends DurableObject<Env> {
  async count(): Promise<number> {
    const count = ((await this.ctx.storage.get<number>("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return count;
  }
  /** Hands a service of the other worker to an object of that worker, which may be on another host. */
  async lend(room: string): Promise<string> {
    return this.env.Room.getByName(room).use(this.env.ADMIN);
  }
  whose(): unknown {
    return { who: this.env.WHO, exports: Object.keys(this.ctx.exports).sort() };
  }
}

export class Desk extends WorkerEntrypoint<Env> {
  greet(name: string): string {
    return `${name}, this is ${this.env.WHO}`;
  }
}

const routes: Record<string, (env: Env, request: Request, ctx: ExecutionContext, url: URL) => unknown> = {
  "/fetch": (env, request) => env.BACK.fetch("http://back/hello?x=1", request),
  "/asset": (env) => env.BACK.fetch("http://back/page.txt"),
  "/rpc": async (env) => ({ sum: await env.ADMIN.add(1, 2), who: await env.ADMIN.who() }),
  "/callback": async (env) => env.ADMIN.each(["a", "b"], async (item) => `${item} of ${env.WHO}`),
  "/pipelined": async (env) => {
    using counter = await env.ADMIN.counter();
    return [await counter.next(), await counter.next()];
  },
  "/room": (env, _request, _ctx, url) => env.Room.getByName(url.searchParams.get("name")!).add(1),
  "/room-whose": (env) => env.Room.getByName("whose").whose(),
  "/own-whose": (env) => env.OWN.getByName("whose").whose(),
  "/lend": (env, _request, _ctx, url) => env.OWN.getByName(url.searchParams.get("from")!).lend(url.searchParams.get("to")!),
  "/back-to-front": (env) => env.BACK.fetch("http://back/front"),
  "/module": async (env, _request, ctx) => ({
    front: { who: (moduleEnv as Env).WHO, exports: Object.keys(ctx.exports).sort() },
    back: await (await env.BACK.fetch("http://back/module")).json(),
  }),
  "/far": (env) => env.FAR.fetch("http://far/"),
  "/error": (env) => (env.ADMIN as unknown as { fail(): Promise<never> }).fail(),
  "/crons": (env) => env.BACK.fetch("http://back/crons"),
  "/socket": (env, request, _ctx, url) => env.Room.getByName(url.searchParams.get("name")!).fetch(request),
};

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    const route = routes[url.pathname];
    if (route === undefined) return new Response("Not found", { status: 404 });
    try {
      const answer = await route(env, request, ctx, url);
      return answer instanceof Response ? answer : Response.json(answer);
    } catch (error) {
      return Response.json({ error: (error as Error).message, remote: (error as { remote?: boolean }).remote }, { status: 500 });
    }
  },
};
