// Code that hangs, code that ends its host again and again, and clients that vanish without a word.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { ask } from "../lib/admin.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { alive, commandLine, descendants, until } from "../lib/process.mjs";
import { RawWebSocket } from "../lib/raw-websocket.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own promises", concurrency: 1 };
const kPatienceMs = 30_000;
const kHostDied = /host|SIGKILL|died|killed|R409|R414/i;

describe("code that hangs", suite, () => {
  test("is ended with its JavaScript stack in the log, and no socket closes", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied], args: ["--hang-timeout", "2"] });
    const hanging = await Socket.connect(`${target.ws}/room/hangs?user=u`);
    const neighbour = await Socket.connect(`${target.ws}/room/other?user=v`);
    assert.equal(await neighbour.ask("before"), "before");
    await delay(600); // the host's watching thread has started
    const since = performance.now();
    hanging.send("hang");
    assert.equal(await neighbour.ask("after", 10_000), "after");
    assert.ok(performance.now() - since < 6_000, `${performance.now() - since} ms`);
    assert.match(target.output, /R409: its event loop was blocked for 2 seconds by Room\/hangs/);
    assert.match(target.output, /webSocketMessage .*tests\/projects\/raw\/server\.ts:\d+:\d+/);
    assert.equal(await hanging.ask("again", 10_000), "again");
    assert.ok(neighbour.open && hanging.open);
    await Promise.all([hanging.close(), neighbour.close()]);
  });

  test("in native code is ended too, without a stack", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied], args: ["--hang-timeout", "2"] });
    const hanging = await Socket.connect(`${target.ws}/room/native?user=u`);
    const neighbour = await Socket.connect(`${target.ws}/room/other?user=v`);
    const host = Number(await hanging.ask("pid", kPatienceMs));
    hanging.send("hang-native 120");
    const command = await until(() => descendants(host).find((pid) => commandLine(pid)[0] === "sleep"), "the command", kPatienceMs);
    t.after(() => { try { process.kill(command, "SIGKILL"); } catch { /* it has ended */ } }); // its host does not take it along
    assert.equal(await neighbour.ask("after", kPatienceMs), "after");
    const at = target.child.lines.findIndex(({ text }) => /R409: its event loop was blocked for 2 seconds by Room\/native/.test(text));
    assert.ok(at >= 0, target.output);
    assert.doesNotMatch(target.child.lines[at + 1].text, /^ {4}at /);
    assert.equal(await hanging.ask("again", kPatienceMs), "again");
    assert.ok(neighbour.open && hanging.open);
    await Promise.all([hanging.close(), neighbour.close()]);
  });

  test("for ever is left alone where that was asked for", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [/./], args: ["--hang-timeout", "0"] });
    const socket = await Socket.connect(`${target.ws}/room/hangs?user=u`);
    const host = Number(await socket.ask("pid"));
    socket.send("hang");
    await delay(1_500);
    assert.doesNotMatch(target.output, /R409/);
    process.kill(host, "SIGKILL");
    assert.equal(await socket.ask("back", 10_000), "back");
    await socket.close();
  });
});

describe("a host that somebody stops (SIGSTOP)", suite, () => {
  const health = async (target) => (await ask(target, "/_hearth/health")).json().hosts;
  const hosts = (target, state) => until(async () => {
    const found = (await health(target)).filter((each) => each.state === state);
    return found.length > 0 && found.map(({ pid }) => pid);
  }, `a host that is ${state}`, kPatienceMs);
  const gone = (pid) => until(() => !alive(pid), `the stopped host's end (${pid})`, kPatienceMs);

  test("is replaced within seconds, whatever its timeouts, and no socket closes", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied], args: ["--quarantine", "1"] });
    const socket = await Socket.connect(`${target.ws}/room/stops?user=u`);
    const host = Number(await socket.ask("pid", kPatienceMs));
    process.kill(host, "SIGSTOP");
    socket.send("waits");
    await gone(host);
    assert.equal(await socket.next(kPatienceMs), "waits");
    assert.match(target.output, /died: it was stopped by a signal/);
    assert.ok(socket.open);
    await socket.close();
  });

  test("is replaced too while it is the spare, or starts", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const [spare] = await hosts(target, "warm");
    process.kill(spare, "SIGSTOP");
    await gone(spare);
    // The next spare is stopped as soon as its process is there.
    const [next] = await hosts(target, "warm");
    const before = new Set(target.hosts());
    process.kill(next, "SIGKILL");
    const starting = await until(() => target.hosts().find((pid) => !before.has(pid)), "the next host", kPatienceMs);
    process.kill(starting, "SIGSTOP");
    await gone(starting); // a load may take a minute
    const [last] = await hosts(target, "warm");
    assert.ok(![spare, next, starting].includes(last));
  });
});

describe("an agent that ends its host again and again", suite, () => {
  test("is quarantined by name, and its neighbours go on", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const good = await Socket.connect(`${target.ws}/room/good?user=u`);
    const bad = await Socket.connect(`${target.ws}/room/bad?user=u`);
    for (let i = 0; i < 3; i++) {
      bad.send("die");
      await until(() => (target.output.match(/host \d+ died/g) ?? []).length > i, "the host's end");
      assert.equal(await good.ask(`still ${i}`, 15_000), `still ${i}`);
    }
    const { code, reason } = await bad.closed;
    assert.equal(code, 4503);
    assert.match(reason, /^R414: Room\/bad is quarantined/);
    assert.ok(good.open);
    const refused = await http(`${target.url}/room/bad`);
    assert.equal(refused.status, 503);
    const { error } = refused.json();
    assert.equal(error.code, "R414");
    assert.match(error.message, /Room\/bad is quarantined/);
    assert.equal((await http(`${target.url}/room/good`)).status, 200);
    assert.match(target.output, /R414 Room\/bad is quarantined: 3 hosts in a minute ended while it was at work/);
    await good.close();
  });
});

// In each round "bad" dies in a handler that began late, and the last message to begin waits elsewhere.
const kWaiting = `
import { DurableObject } from "cloudflare:workers";
let waiting = false;
export class Room extends DurableObject {
  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) {
    if (message === "wait") {
      waiting = true;
      await new Promise(() => {});
    } else if (message === "block") {
      this.ctx.blockConcurrencyWhile(async () => { while (!waiting) await scheduler.wait(5); });
      ws.send("blocks");
    } else if (message === "die") {
      process.kill(process.pid, "SIGKILL");
      for (;;);
    }
  }
}
export default { fetch: (request, env) => env.ROOM.getByName(new URL(request.url).pathname.slice(1)).fetch(request) };
`;

describe("a host's end", suite, () => {
  test("is laid to the agent whose code ran, not to one that waited", async (t) => {
    const folder = temporaryFolder("hearth-blame-");
    writeFileSync(join(folder, "worker.js"), kWaiting);
    writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
      name: "blame", main: "worker.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
      durable_objects: { bindings: [{ name: "ROOM", class_name: "Room" }] }, migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
    }));
    const target = await startFor(t, folder, { expectErrors: [kHostDied], args: ["--hang-timeout", "0"] });
    const good = await Socket.connect(`${target.ws}/good`);
    const bad = await Socket.connect(`${target.ws}/bad`);
    for (let i = 0; i < 3; i++) {
      assert.equal(await bad.ask("block", 30_000), "blocks");
      bad.send("die");
      bad.ws.ping();
      await once(bad.ws, "pong"); // the core has read it
      good.send("wait");
      await until(() => (target.output.match(/host \d+ died/g) ?? []).length > i, "the host's end", 30_000);
    }
    assert.equal((await bad.closed).code, 4503);
    assert.match(target.output, /R414 Room\/bad is quarantined/);
    assert.ok(good.open);
    await good.close();
  });
});

// "bad" ends or blocks its host from code that goes on after an await, while "good" always has events
// that have begun and wait.
const kLater = `
import { DurableObject } from "cloudflare:workers";
import { setTimeout as wait } from "node:timers/promises";
const ways = {
  exit: () => process.exit(1),
  abort: () => process.abort(),
  kill: () => { process.kill(process.pid, "SIGKILL"); for (;;); },
  block: () => { for (;;); },
  fill: () => { const held = []; for (;;) held.push(Array.from({ length: 10_000 }, (_, i) => ({ i }))); },
};
export class Room extends DurableObject {
  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) {
    const [verb, way] = message.split(" ");
    if (verb === "timer") setTimeout(ways[way], 50);
    else if (verb === "timers") await wait(50).then(ways[way]);
    else if (verb === "storage") { await new Promise((done) => setTimeout(done, 50)); await this.ctx.storage.get("x"); ways[way](); }
    else if (verb === "fetch") { await (await fetch("data:text/plain,x")).text(); await wait(50); ways[way](); }
    else if (verb === "echo") { await wait(20); ws.send(message); }
  }
}
export default { fetch: (request, env) => env.ROOM.getByName(new URL(request.url).pathname.slice(1)).fetch(request) };
`;

describe("a host's end after an await", suite, () => {
  for (const [what, args, ways] of [
    ["ends itself", [], ["timer exit", "timers exit", "storage kill", "fetch abort"]],
    ["blocks its event loop", ["--hang-timeout", "1"], ["timers block", "timer block", "fetch block"]],
    ["fills its heap", ["--host-memory", "200", "--hang-timeout", "0"], ["timer fill", "storage fill"]],
  ]) {
    test(`is laid to the agent whose code ${what}, not to one that always has events`, async (t) => {
      const folder = temporaryFolder("hearth-blame-");
      writeFileSync(join(folder, "worker.js"), kLater);
      writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
        name: "blame", main: "worker.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
        durable_objects: { bindings: [{ name: "ROOM", class_name: "Room" }] }, migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
      }));
      const target = await startFor(t, folder, { expectErrors: [/./], args: [...args, "--quarantine", String(ways.length)] });
      const good = await Socket.connect(`${target.ws}/good`);
      const bad = await Socket.connect(`${target.ws}/bad`);
      // Many that wait at any moment, whatever the machine is busy with.
      let sent = 0;
      const busy = setInterval(() => good.send(`echo ${sent++}`), 2);
      t.after(() => clearInterval(busy));
      for (const [i, way] of ways.entries()) {
        assert.ok(bad.open, `closed after ${i} deaths:\n${target.output}`);
        await until(async () => { await once(good.ws, "message"); return true; }, "the neighbour's answers", kPatienceMs);
        if (/block/.test(way)) await delay(600); // the host's watching thread has started
        bad.send(way);
        await until(() => (target.output.match(/host \d+ died/g) ?? []).length > i, () => `the end of ${way}:\n${target.output}`, kPatienceMs);
      }
      const { code, reason } = await bad.closed;
      assert.equal(code, 4503, reason);
      assert.match(target.output, /R414 Room\/bad is quarantined/);
      clearInterval(busy);
      assert.ok(good.open);
      assert.doesNotMatch(target.output, /Room\/good is quarantined/);
      await good.close();
    });
  }
});

describe("a client that vanishes without a word", suite, () => {
  test("is found by pings, its agent hears of it, and those that answer stay", async (t) => {
    const target = await startFor(t, "raw", { args: ["--ping", "1"] });
    const alive = await Socket.connect(`${target.ws}/room/pings?user=alive`);
    const dead = await RawWebSocket.open(target.port, "/room/pings?user=dead");
    t.after(() => dead.destroy());
    const closes = await until(async () => {
      const seen = JSON.parse(await alive.ask("closes"));
      await delay(300);
      return seen.length > 0 && seen;
    }, "the close", 8_000);
    assert.deepEqual(closes, [{ user: "dead", code: 1006, reason: "the client did not answer a ping", wasClean: false }]);
    await delay(2_500); // quiet now: it is pinged, and answers
    assert.ok(alive.open);
    assert.match(target.output, /a WebSocket of Room\/pings is closed: the client did not answer a ping/);
    await alive.close();
  });
});
