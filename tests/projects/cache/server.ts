import { DurableObject } from "cloudflare:workers";

const address = (key: string): string => `https://cached.example/${key}`;

/** Puts and asks on the host that it lives on. */
export class Keeper extends DurableObject {
  async put(key: string, bytes: number): Promise<void> {
    await caches.default.put(address(key), new Response("x".repeat(bytes), { headers: { ETag: '"e"', "Cache-Control": "max-age=600" } }));
  }
  async length(key: string): Promise<number | null> {
    const found = await caches.default.match(address(key));
    return found === undefined ? null : (await found.arrayBuffer()).byteLength;
  }
}

interface Env { Keeper: DurableObjectNamespace<Keeper> }

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const key = searchParams.get("key")!;
    const keeper = env.Keeper.getByName(searchParams.get("on") ?? "a");
    if (pathname === "/put") return Response.json((await keeper.put(key, Number(searchParams.get("bytes")))) ?? null);
    if (pathname === "/length") return Response.json(await keeper.length(key));
    if (pathname === "/delete") return Response.json(await caches.default.delete(address(key)));
    return (await caches.default.match(new Request(address(key), request))) ?? new Response("not cached", { status: 404 });
  },
};
