// `hearth deploy --rehearse`: new code is started on copies of the agents that a server has, and the
// server, its agents and their sockets notice nothing.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { installTestPackages } from "../lib/packages.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own deploys", concurrency: 1 };
const kPatienceMs = 60_000;

const kServed = `
  async fetch(request) {
    const [, , , verb] = new URL(request.url).pathname.split("/");
    if (request.headers.get("Upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    if (verb === "colour") this.ctx.storage.sql.exec("ALTER TABLE notes ADD COLUMN colour TEXT");
    if (verb === "add") this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES ('x')");
    if (verb === "alarm") await this.ctx.storage.setAlarm(Date.now() + 600_000);
    return Response.json(this.ctx.storage.sql.exec("SELECT * FROM notes").toArray());
  }
  async alarm() { this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES ('alarm')"); }
  webSocketMessage(ws, message) { ws.send("heard " + message); }
`;

/** A project of rooms that keep notes; `start` is what its constructor does. */
function writeRooms({ folder = temporaryFolder("hearth-test-"), start = "", className = "Room", head = "", ...rest } = {}) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
    name: "rooms", main: "server.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
    durable_objects: { bindings: [{ name: "ROOM", class_name: className }] },
    migrations: [{ tag: "v1", new_sqlite_classes: [className] }], ...rest,
  }));
  writeFileSync(join(folder, "server.js"), `import { DurableObject } from "cloudflare:workers";
${head}
export class ${className} extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)");
    ${start}
  }
${kServed}}
export default { fetch: (request, env) => env.ROOM.getByName(new URL(request.url).pathname.split("/")[2]).fetch(request) };
`);
  return folder;
}

const rehearse = (folder, target, args = [], options = {}) =>
  command(["deploy", "--rehearse", "-c", join(folder, "wrangler.jsonc"), "--state", target.state, ...args],
    { timeoutMs: kPatienceMs, ...options });
const report = async (folder, target, args = [], options = {}) => {
  const said = await rehearse(folder, target, ["--json", ...args], options);
  return JSON.parse(said.slice(said.search(/^\{/m))); // warnings come before it
};
const get = async (target, path) => (await http(`${target.url}/room/${path}`)).json();

/** What must be as it was: the data, the socket, the hosts, the versions, the state's folder. */
async function unchanged(target, socket, act) {
  const look = async () => ({
    hosts: target.hosts().sort(),
    versions: readdirSync(join(target.state, "versions")).sort(),
    names: readdirSync(join(target.state, "do")).sort(),
  });
  const before = await look();
  await act();
  assert.equal(await socket.ask("still"), "heard still");
  await until(() => !existsSync(join(target.state, "rehearsal")), "the copies are gone");
  assert.deepEqual(await look(), before);
}

describe("hearth deploy --rehearse", suite, () => {
  test("tells which agents the new code fails to start on, with its lines, and changes nothing", async (t) => {
    const target = await startFor(t, writeRooms());
    for (const name of ["new", "newer"]) await get(target, `${name}/colour`);
    await get(target, "old/add");
    const socket = await Socket.connect(`${target.ws}/room/old/socket`);
    const next = writeRooms({ start: `ctx.storage.sql.exec("DELETE FROM notes");
    this.colours = ctx.storage.sql.exec("SELECT colour FROM notes").toArray();` });
    await unchanged(target, socket, async () => {
      const said = await rehearse(next, target, [], { code: 1 });
      assert.match(said, /Room +2 started +1 failed +of 3/);
      assert.match(said, /Room\/old: no such column: colour.*\(server\.js:8:\d+\)/);
      assert.match(said, /1 copy of 3 failed to start, after \d+ ms; nothing was changed/);
      const { ok, classes, agents } = await report(next, target, [], { code: 1 });
      assert.equal(ok, false);
      assert.deepEqual(classes, [{ class: "Room", uniqueKey: "rooms-Room", agents: 3, tried: 3, started: 2, failed: 1, notTried: 0 }]);
      const failed = agents.find((each) => each.name === "old");
      assert.match(failed.message, /no such column: colour/);
      assert.match(failed.where, /server\.js:8:\d+/);
      assert.deepEqual(agents.filter((each) => each.outcome === "started").map((each) => each.name).sort(), ["new", "newer"]);
    });
    assert.deepEqual(await get(target, "old/get"), [{ id: 1, text: "x" }]);
    await socket.close();
  });

  test("passes code that copes with every agent's tables, on copies alone, the last awake first, and fires no alarm", async (t) => {
    const target = await startFor(t, writeRooms());
    await get(target, "first/alarm");
    for (let i = 0; i < 4; i++) await get(target, `room-${i}/add`);
    const socket = await Socket.connect(`${target.ws}/room/room-3/socket`);
    const next = writeRooms({
      start: `try { ctx.storage.sql.exec("SELECT colour FROM notes"); } catch { ctx.storage.sql.exec("ALTER TABLE notes ADD COLUMN colour TEXT"); }`,
    });
    await unchanged(target, socket, async () => {
      assert.match(await rehearse(next, target), /Room +5 started +0 failed +of 5[\s\S]*5 copies started, after/);
      const { ok, agents, classes } = await report(next, target, ["--rehearse-agents", "2"]);
      assert.equal(ok, true);
      assert.equal(classes[0].tried, 2);
      assert.equal(classes[0].agents, 5);
      assert.ok(agents.some((each) => each.name === "room-3"), JSON.stringify(agents));
    });
    assert.deepEqual(await get(target, "room-0/get"), [{ id: 1, text: "x" }]);
    assert.deepEqual(await get(target, "first/get"), []);
    await socket.close();
  });

  test("goes on after agents that never finish their start, or end their host", async (t) => {
    const target = await startFor(t, writeRooms());
    for (const name of ["ends", "hangs", "spins", "well"]) await get(target, `${name}/add`);
    const socket = await Socket.connect(`${target.ws}/room/well/socket`);
    const next = writeRooms({ start: `
    console.error("said in a rehearsal");
    process.stderr.write("printed in a rehearsal\\n");
    if (ctx.id.name === "ends") process.exit(7);
    if (ctx.id.name === "hangs") ctx.blockConcurrencyWhile(() => new Promise(() => {}));
    while (ctx.id.name === "spins") ;` });
    await unchanged(target, socket, async () => {
      const { agents } = await report(next, target, ["--rehearse-seconds", "5"], { code: 1 });
      const of = (name) => agents.find((each) => each.name === name);
      assert.match(of("ends").message, /ended its host.*7/);
      assert.match(of("hangs").message, /not started after 5 seconds/);
      assert.match(of("spins").message, /not started after 5 seconds/);
      assert.equal(of("well").outcome, "started");
    });
    assert.doesNotMatch(target.output, /in a rehearsal/);
    await socket.close();
  });

  test("compares migrations as a deploy does, tries a renamed class's agents, and says what does not load", async (t) => {
    const target = await startFor(t, writeRooms());
    await get(target, "one/add");
    const socket = await Socket.connect(`${target.ws}/room/one/socket`);
    const migrations = [{ tag: "v1", new_sqlite_classes: ["Room"] }, { tag: "v2", renamed_classes: [{ from: "Room", to: "Hall" }] }];
    const renamed = writeRooms({ className: "Hall", migrations, start: `if (ctx.id.name === "one") throw new Error("halls differ");` });
    await unchanged(target, socket, async () => {
      const said = await rehearse(renamed, target, [], { code: 1 });
      assert.match(said, /a deploy carries out: migration v2: Room is Hall now, with its 1 agent/);
      assert.match(said, /Hall\/one: halls differ/);
      const other = writeRooms({ className: "Other" });
      assert.match(await rehearse(other, target, [], { code: 1 }), /S304[\s\S]*nothing was changed/);
      const broken = writeRooms({ head: "nothing.there;" });
      assert.match(await rehearse(broken, target, [], { code: 1 }), /nothing is not defined[\s\S]*server\.js:2/);
    });
    await socket.close();
  });

  test("runs what the SDK starts agents with: an onStart that fails is told", async (t) => {
    const write = (onStart) => {
      const folder = writeRooms({ className: "Desk" });
      installTestPackages(folder);
      writeFileSync(join(folder, "server.js"), `import { Agent, routeAgentRequest } from "agents";
export class Desk extends Agent {
  initialState = { seen: 0 };
  onStart() { ${onStart} }
  onRequest() { this.setState({ seen: this.state.seen + 1 }); return Response.json(this.state); }
}
export default { fetch: async (request, env) => (await routeAgentRequest(request, env)) ?? new Response("?", { status: 404 }) };
`);
      return folder;
    };
    const target = await startFor(t, write(""));
    assert.equal((await http(`${target.url}/agents/room/one`)).json().seen, 1);
    const { agents } = await report(write(`if (this.state.seen > 0) throw new Error("seen too much");`), target, [], { code: 1 });
    assert.equal(agents[0].name, "one");
    assert.match(agents[0].message, /seen too much/);
    assert.match(agents[0].where, /server\.js:4/);
    assert.match(await rehearse(write("this.hello = 1;"), target), /1 copy started/);
    assert.equal((await http(`${target.url}/agents/room/one`)).json().seen, 2);
  });

  test("needs a server, and one that takes deploys", async (t) => {
    const folder = writeRooms();
    assert.match(await rehearse(folder, { state: temporaryFolder("hearth-test-") }, [], { code: 1 }), /no hearth|not/);
    const target = await startFor(t, folder, { command: "dev" });
    assert.match(await rehearse(folder, target, [], { code: 1 }), /follows its sources/);
  });
});
