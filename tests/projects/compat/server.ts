// The probe: GET /api says what of api.json is there, POST /node what modules of Node.js export,
// GET /cases which cases there are, and GET /case/AREA/SENTENCE what a case answers. The same code runs on hearth and on workerd.
import { exported, present } from "./api.ts";
import { answer, type Area } from "./case.ts";
import { web } from "./cases/web.ts";
import { streams } from "./cases/streams.ts";
import { runtime } from "./cases/runtime.ts";
import { sockets } from "./cases/sockets.ts";
import { objects } from "./cases/objects.ts";
import { storage } from "./cases/storage.ts";
import { modules } from "./cases/modules.ts";
import type { Env } from "./env.ts";

export { Named, Plain, Probe, Small } from "./classes.ts";

const areas: Area[] = [...web, ...streams, ...runtime, ...sockets, ...objects, ...storage, ...modules];

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    const [kind, area, sentence] = url.pathname.slice(1).split("/").map(decodeURIComponent);
    if (kind === "api") return Response.json(await present(env, ctx, url.host));
    if (kind === "node") return Response.json(await exported(await request.json()));
    if (kind === "cases") return Response.json(Object.fromEntries(areas.map(({ api, cases }) => [api, Object.keys(cases)])));
    if (kind === "case") {
      const run = areas.find(({ api }) => api === area)?.cases[sentence!];
      return run ? Response.json(await answer(() => run({ env, ctx, request, url }))) : new Response("no such case", { status: 404 });
    }
    if (kind === "socket") return socket(url);
    if (kind === "echo") {
      return new Response(request.body, { headers: { "X-Method": request.method, "X-Headers": JSON.stringify([...request.headers]) } });
    }
    if (kind === "slow") { await scheduler.wait(5_000); return new Response("slow"); }
    if (kind === "redirect") return new Response(null, { status: 302, headers: { Location: "/echo" } });
    return new Response("hello", { headers: { "X-Path": url.pathname } });
  },
  async scheduled(controller: ScheduledController, env: Env): Promise<void> {
    await env.PROBE.getByName("cron").remember("cron", { cron: controller.cron, time: controller.scheduledTime, noRetry: typeof controller.noRetry });
  },
} satisfies ExportedHandler<Env>;

/** A socket that the worker itself accepts: it repeats what it hears. */
function socket(url: URL): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.addEventListener("message", ({ data }) => {
    if (data === "close") server.close(4001, "as asked");
    else server.send(data as string);
  });
  if (url.searchParams.has("hello")) server.send("hello");
  return new Response(null, { status: 101, webSocket: client });
}
