interface Env {
  ASSETS: { fetch(request: Request | string): Promise<Response> };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/api/page") return env.ASSETS.fetch(new Request(new URL("/about", url)));
    return Response.json({ worker: url.pathname });
  },
};
