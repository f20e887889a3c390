// What is measured, without any SDK: the same file runs on hearth and on workerd.
import { DurableObject } from "cloudflare:workers";

export class Echo extends DurableObject {
  async fetch(request) {
    if (request.headers.get("Upgrade") !== "websocket") return new Response("hello");
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(ws, message) {
    if (message === "block") for (;;) { /* held until someone ends the process */ }
    if (message === "pid") return ws.send(String(globalThis.process?.pid ?? 0));
    ws.send(message);
  }
}

export class Counter extends DurableObject {
  async fetch() {
    const value = ((await this.ctx.storage.get("n")) ?? 0) + 1;
    this.ctx.storage.put("n", value);
    return new Response(String(value));
  }
}

export default {
  async fetch(request, env) {
    const [, kind, name] = new URL(request.url).pathname.split("/");
    if (kind === "echo") return env.ECHO.get(env.ECHO.idFromName(name)).fetch(request);
    if (kind === "count") return env.COUNTER.get(env.COUNTER.idFromName(name)).fetch(request);
    return new Response("hello");
  },
};
