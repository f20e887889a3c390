// Answers with everything that is in `env`; /cache uses a binding of a kind that hearth lacks.
declare const BUILD: string;

export default {
  async fetch(request: Request, env: Record<string, unknown>): Promise<Response> {
    if (new URL(request.url).pathname === "/cache") {
      const cache = env["CACHE"] as { get(key: string): Promise<string> };
      return new Response(await cache.get("key"));
    }
    const plain = Object.entries(env).filter(([name]) => name !== "CACHE");
    return Response.json({ build: BUILD, env: Object.fromEntries(plain) });
  },
};
