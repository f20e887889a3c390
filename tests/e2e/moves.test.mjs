// Agents move one at a time when code is replaced: neighbours of one that is at work are on the new code
// at once, it ends what it has begun on the old, and whoever calls whom finds it.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own deploys", concurrency: 1 };
const kPatienceMs = 30_000;
const kTwoHosts = /--hosts/.test(process.env.HEARTH_ARGS ?? "") ? [] : ["--hosts", "2"];

const kCode = `
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Child extends RpcTarget {
  constructor(of) { super(); this.of = of; }
  async who() { return "child of " + this.of; }
}
export class A extends DurableObject {
  held = Promise.withResolvers();
  me() { return this.ctx.id.name + " " + VERSION; }
  count() {
    const n = (this.ctx.storage.kv.get("n") ?? 0) + 1;
    this.ctx.storage.kv.put("n", n);
    return n;
  }
  who() { return this.me(); }
  child() { return new Child(this.me()); }
  async through(name) { return this.me() + " > " + await this.env.A.getByName(name).who(); }
  // There and back: both wait for each other at once.
  async round(name) { return this.me() + " > " + await this.env.A.getByName(name).through(this.ctx.id.name); }
  async fetch(request) {
    const url = new URL(request.url);
    if (request.headers.get("Upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server, ["tag " + VERSION]);
      server.serializeAttachment({ since: VERSION });
      return new Response(null, { status: 101, webSocket: client });
    }
    if (url.pathname.endsWith("/body")) return new Response(this.me() + " heard " + await request.text());
    return new Response(this.me());
  }
  async webSocketMessage(ws, message) {
    const [what, other] = message.split(" ");
    if (what === "hold") {
      await this.held.promise;
      return ws.send("held " + VERSION + " " + this.count());
    }
    if (what === "go") return this.held.resolve();
    if (what === "pid") return ws.send(String(process.pid));
    if (what === "tick") {
      setInterval(() => this.count(), 50);
      return ws.send("ticks");
    }
    if (what === "who") return ws.send([this.me(), ws.deserializeAttachment().since, ...this.ctx.getTags(ws)].join(", "));
    if (what === "count") return ws.send(VERSION + " " + this.count());
    ws.send(await this[what](other));
  }
}
export default {
  async fetch(request, env) {
    const [, name, what, other] = new URL(request.url).pathname.split("/");
    if (name === "version") return new Response(VERSION);
    const stub = env.A.getByName(name);
    if (what === "child") {
      const child = stub.child(); // what is held of an agent keeps it where it is
      const answer = await child.who();
      child[Symbol.dispose]();
      return new Response(answer);
    }
    if (what === "through" || what === "round") return new Response(await stub[what](other));
    return stub.fetch(request);
  },
};
`;

function write(folder, version) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
    name: "moves", main: "server.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
    durable_objects: { bindings: [{ name: "A", class_name: "A" }] }, migrations: [{ tag: "v1", new_sqlite_classes: ["A"] }],
  }));
  writeFileSync(join(folder, "server.js"), `const VERSION = ${JSON.stringify(version)};\n${kCode}`);
  return folder;
}

/** A server with an agent "busy", whose handler lasts until it gets "go", and some others. */
class Scene {
  static async open(t, options) {
    const scene = new Scene();
    scene.folder = write(temporaryFolder("hearth-test-"), "one");
    scene.target = await startFor(t, scene.folder, options);
    scene.busy = await scene.connect("busy");
    scene.idle = await scene.connect("idle");
    scene.third = await scene.connect("third");
    assert.equal(await scene.idle.ask("who"), "idle one, one, tag one");
    scene.before = new Set(scene.target.hosts());
    scene.busy.send("hold");
    return scene;
  }
  connect(name) { return Socket.connect(`${this.target.ws}/${name}/socket`); }
  async get(path, options) { return (await http(`${this.target.url}/${path}`, options)).text; }

  /** New code; ends when it is served. */
  async replace(version) {
    write(this.folder, version);
    if (this.target.options.command !== "dev") {
      this.deployed = command(["deploy", "-c", join(this.folder, "wrangler.jsonc"), "--state", this.target.state], { timeoutMs: 60_000 });
    }
    await until(async () => (await this.get("version")) === version, `the code ${version}`, kPatienceMs);
  }
  /** What lasts is over: its agent moves too. */
  async letGo() {
    this.busy.send("go");
    assert.equal(await this.busy.next(), "held one 1");
    await until(async () => (await this.busy.ask("who")).startsWith("busy two, one"), "the move of the last one", kPatienceMs);
    assert.equal(await this.busy.ask("count"), "two 2");
    assert.match(await (this.deployed ?? "is served"), /is served/);
  }
}

async function moves(t, options) {
  const scene = await Scene.open(t, options);
  await scene.replace("two");
  // Its neighbours do not wait for it, and it goes on where it is.
  assert.equal(await scene.idle.ask("who"), "idle two, one, tag one");
  assert.equal(await scene.busy.ask("who"), "busy one, one, tag one");
  // Calls between the two, both ways, and back again while both wait.
  assert.equal(await scene.busy.ask("through idle"), "busy one > idle two");
  assert.equal(await scene.idle.ask("through busy"), "idle two > busy one");
  assert.equal(await scene.busy.ask("round idle"), "busy one > idle two > busy one");
  assert.equal(await scene.idle.ask("round busy"), "idle two > busy one > idle two");
  assert.equal(await scene.busy.ask("through asleep"), "busy one > asleep two");
  // The worker of the new code reaches it: requests, their bodies, pipelined calls, and new sockets.
  assert.equal(await scene.get("busy/who"), "busy one");
  assert.equal(await scene.get("busy/body", { method: "POST", body: "x".repeat(10) }), "busy one heard xxxxxxxxxx");
  assert.equal(await scene.get("busy/child"), "child of busy one");
  assert.equal(await scene.get("busy/round/third"), "busy one > third two > busy one");
  const late = await scene.connect("busy");
  assert.equal(await late.ask("who"), "busy one, one, tag one");
  await scene.letGo();
  assert.equal(await late.ask("who"), "busy two, one, tag one");
  assert.equal(await scene.get("busy/who"), "busy two");
  await until(() => ![...scene.before].some((pid) => scene.target.hosts().includes(pid)), "the end of the former hosts", kPatienceMs);
  for (const socket of [scene.busy, scene.idle, scene.third, late]) {
    assert.ok(socket.open);
    await socket.close();
  }
}

describe("agents move one at a time", suite, () => {
  test("at a deploy, while one is at work", (t) => moves(t, {}));
  test("at a deploy with two hosts", (t) => moves(t, { args: kTwoHosts }));
  test("at a reload in dev", (t) => moves(t, { command: "dev" }));

  test("in dev no timer keeps an agent, and what it is handling does", async (t) => {
    const scene = await Scene.open(t, { command: "dev" });
    assert.equal(await scene.idle.ask("tick"), "ticks");
    await scene.replace("two");
    await until(async () => (await scene.idle.ask("who")).startsWith("idle two"), "the move of the one that ticks", kPatienceMs);
    assert.equal(await scene.busy.ask("who"), "busy one, one, tag one");
    await scene.letGo();
    for (const socket of [scene.busy, scene.idle, scene.third]) await socket.close();
  });

  test("and what was at work goes to the new code when its host is killed meanwhile", async (t) => {
    const scene = await Scene.open(t, { expectErrors: [/host|SIGKILL|died|killed/i] });
    const busyPid = Number(await scene.busy.ask("pid"));
    await scene.replace("two");
    assert.equal(await scene.busy.ask("who"), "busy one, one, tag one");
    process.kill(busyPid, "SIGKILL");
    assert.equal(await scene.busy.ask("who", kPatienceMs), "busy two, one, tag one");
    assert.equal(await scene.idle.ask("through busy"), "idle two > busy two");
    assert.match(await scene.deployed, /is served/);
    assert.match(scene.target.output, /busy had begun when its host ended/);
    for (const socket of [scene.busy, scene.idle, scene.third]) await socket.close();
  });

  test("in order, each message once, however often code is replaced", async (t) => {
    const scene = await Scene.open(t, {});
    scene.busy.send("go");
    await scene.busy.next();
    const sockets = await Promise.all(Array.from({ length: 8 }, (_, i) => scene.connect(`load-${i}`)));
    let over = false;
    const versions = new Set();
    const clients = sockets.map(async (socket) => {
      let sent = 0;
      for (let answered = 0; !over || answered < sent;) {
        while (!over && sent - answered < 8) socket.send("count", sent++);
        if (answered === sent) continue;
        const [version, n] = (await socket.next(kPatienceMs)).split(" ");
        assert.equal(Number(n), ++answered, "every message was handled once, in order, and its write kept");
        versions.add(version);
      }
    });
    for (const version of ["two", "three"]) {
      await scene.replace(version);
      assert.match(await scene.deployed, /is served/);
    }
    over = true;
    await Promise.all(clients);
    assert.deepEqual([...versions], ["one", "two", "three"]);
    for (const socket of [scene.busy, scene.idle, scene.third, ...sockets]) await socket.close();
  });
});
