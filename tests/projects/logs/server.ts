import { DurableObject } from "cloudflare:workers";
import { print } from "./print.ts";
interface Env {
  GREETING: string;
  PARTNER_TOKEN: string;
  DEPLOY_PASSWORD: string;
  SIGNING_KEY: string;
  Room: DurableObjectNamespace<Room>;
}

function say(env: Env, line: string): void | Promise<void> {
  const [verb, ...rest] = line.split(" ");
  const text = rest.join(" ");
  switch (verb) {
    case "log": return console.log("%s for %d of %o", text, 2, ["a"]);
    case "debug": return console.debug(text);
    case "warn": return console.warn(text);
    case "error": return console.error(new Error(text));
    case "table": return console.table([{ a: 1, b: text }]);
    case "group": console.group("outer"); console.info("inner"); return console.groupEnd();
    case "repaint": return console.log(`\u001b[2J\u001b[31m${text}\u001b[0m`);
    case "secrets": return console.log(env.DEPLOY_PASSWORD, env, { nested: env.SIGNING_KEY }, encodeURIComponent(env.DEPLOY_PASSWORD));
    case "flood": for (let i = 0; i < Number(text); i++) console.log(`flood ${i}`); return;
    case "long": return console.log("x".repeat(Number(text)) + env.DEPLOY_PASSWORD);
    case "float": void Promise.reject(new Error(text)); return;
    case "late": setTimeout(() => { throw new Error(text); }, 1); return;
    case "print": return print(env, rest[0]!, rest.slice(1).join(" "));
    case "abort": process.abort();
    case "stall": console.log("about to stall"); for (;;);
    default: throw new Error(`${line} on purpose`);
  }
}

export class Room extends DurableObject<Env> {
  async fetch(request: Request): Promise<Response> {
    if (request.headers.get("Upgrade") !== "websocket") {
      await this.ctx.storage.get("anything");
      await say(this.env, decodeURIComponent(new URL(request.url).search.slice(1)));
      return new Response("said");
    }
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(ws: WebSocket, message: string): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await say(this.env, message);
    ws.send("said");
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/") {
      await say(env, decodeURIComponent(search.slice(1)));
      return new Response("said");
    }
    const stub = env.Room.get(env.Room.idFromName(pathname.slice(1)));
    return stub.fetch(request);
  },
};
