import { DurableObject } from "cloudflare:workers";

interface Env {
  GREETING: string;
  LIMITS?: unknown;
  COUNTER: DurableObjectNamespace<Counter>;
}

export class Counter extends DurableObject<Env> {
  async next(): Promise<number> {
    const count = ((await this.ctx.storage.get<number>("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return count;
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    if (new URL(request.url).pathname === "/count") {
      return new Response(String(await env.COUNTER.getByName("one").next()));
    }
    return Response.json({ greeting: env.GREETING, limits: env.LIMITS ?? null });
  },
};
