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
  async fetch(request) {
    if (new URL(request.url).pathname.startsWith("/value")) return new Response(String(await this.ctx.storage.get("n")));
    const value = ((await this.ctx.storage.get("n")) ?? 0) + 1;
    this.ctx.storage.put("n", value);
    return new Response(String(value));
  }
}

let fired = 0;

export class Keeper extends DurableObject {
  async fetch(request) {
    const [, , , due] = new URL(request.url).pathname.split("/");
    if (due) await this.ctx.storage.setAlarm(Number(due));
    return new Response("set");
  }

  alarm() {
    fired++;
  }

  add(a, b) {
    return a + b;
  }
}

/** Its alarm counts once what it wrote is on the disk. */
export class Writer extends Keeper {
  async alarm() {
    await this.ctx.storage.put("alarms", ((await this.ctx.storage.get("alarms")) ?? 0) + 1);
    await this.ctx.storage.sync();
    fired++;
  }
}

async function callMany(stub, calls, atOnce) {
  let sum = 0;
  if (atOnce) {
    for (const each of await Promise.all(Array.from({ length: calls }, (_, i) => stub.add(i, 1)))) sum += each;
  } else {
    for (let i = 0; i < calls; i++) sum += await stub.add(i, 1);
  }
  return sum;
}

export default {
  async fetch(request, env) {
    const [, kind, name, count, how] = new URL(request.url).pathname.split("/");
    if (kind === "echo") return env.ECHO.get(env.ECHO.idFromName(name)).fetch(request);
    if (kind === "count" || kind === "value") return env.COUNTER.get(env.COUNTER.idFromName(name)).fetch(request);
    if (kind === "alarm") return env.KEEPER.get(env.KEEPER.idFromName(name)).fetch(request);
    if (kind === "writer") return env.WRITER.get(env.WRITER.idFromName(name)).fetch(request);
    if (kind === "fired") return new Response(String(fired));
    if (kind === "rpc") return new Response(String(await callMany(env.KEEPER.get(env.KEEPER.idFromName(name)), Number(count), how === "at-once")));
    return new Response("hello");
  },
};
