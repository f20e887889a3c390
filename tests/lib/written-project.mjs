// A project that a test writes by itself: classes of plain Durable Objects that keep what they are
// given, bound under their own names, at /CLASS/NAME/put?v=TEXT, get, id and alarm.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./folders.mjs";

const kKeeper = `
import { DurableObject } from "cloudflare:workers";
class Keeper extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    const verb = url.pathname.split("/")[3];
    if (request.headers.get("Upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      server.serializeAttachment({ since: VERSION });
      return new Response(null, { status: 101, webSocket: client });
    }
    if (verb === "put") {
      await this.ctx.storage.put("v", url.searchParams.get("v"));
      return new Response("kept");
    }
    if (verb === "get") return new Response(String(await this.ctx.storage.get("v")));
    if (verb === "id") return new Response(this.ctx.id.toString());
    if (verb === "class") return new Response(this.constructor.name);
    if (verb === "wait") { await scheduler.wait(Number(url.searchParams.get("ms"))); return new Response("waited " + VERSION); }
    if (verb === "alarm") { await this.ctx.storage.setAlarm(Date.now() + Number(url.searchParams.get("in"))); return new Response("set"); }
    return new Response("no such verb", { status: 404 });
  }
  async alarm() { await this.ctx.storage.put("v", "alarm in " + this.constructor.name); }
  async webSocketMessage(ws, message) {
    const [n] = message.split(" ");
    const seen = ((await this.ctx.storage.get("seen")) ?? 0) + 1;
    await this.ctx.storage.put("seen", seen);
    if (Number(n) % 5 === 0) await scheduler.wait(Number(n) % 11);
    ws.send(n + " " + seen + " " + VERSION + " " + ws.deserializeAttachment().since);
  }
}
export default {
  async fetch(request, env) {
    const [, name, agent] = new URL(request.url).pathname.split("/");
    if (name === "version") return new Response(VERSION + " " + (env.GREETING ?? ""));
    const binding = env[name];
    return binding ? binding.getByName(agent).fetch(request) : new Response("no such class", { status: 404 });
  },
};
`;

/** Returns the folder. `rest` is what the configuration has besides; `code` follows the classes. */
export function writeProject({ folder = temporaryFolder("hearth-test-"), name = "mig", classes, version = "one", code = "", ...rest }) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
    name, main: "server.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
    durable_objects: { bindings: classes.map((each) => ({ name: each, class_name: each })) },
    ...rest,
  }, null, 2));
  writeFileSync(join(folder, "server.js"), `const VERSION = ${JSON.stringify(version)};\n${kKeeper}
${classes.map((each) => `export class ${each} extends Keeper {}`).join("\n")}\n${code}\n`);
  return folder;
}
