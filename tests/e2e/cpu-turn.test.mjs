// limits.cpu_ms of the configuration: a turn of the event loop that uses more CPU time than that ends
// its host, with its own code, place and cure; one that only takes long does not.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { Socket } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own limits", concurrency: 1 };
const kPatienceMs = 30_000;
const kCode = `
import { execFileSync } from "node:child_process";
import { DurableObject } from "cloudflare:workers";
const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
function compute(ms) {
  for (const before = used(); used() - before < ms;) for (let i = 0; i < 1000; i++) Math.sqrt(i);
}
export class Room extends DurableObject {
  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) {
    const [verb, ms] = message.split(" ");
    if (verb === "runaway") for (;;) compute(10);
    if (verb === "turns") for (let i = 0; i < Number(ms) / 20; i++) { compute(20); await new Promise(setImmediate); }
    if (verb === "timers") await Promise.all(Array.from({ length: Number(ms) / 20 }, () => new Promise((done) => setTimeout(() => { compute(20); done(); }, 1))));
    if (verb === "asleep") execFileSync("sleep", [String(Number(ms) / 1000)]);
    ws.send(message);
  }
}
export default { fetch: (request, env) => env.ROOM.getByName(new URL(request.url).pathname.slice(1)).fetch(request) };
`;

function project(limits) {
  const folder = temporaryFolder("hearth-cpu-");
  writeFileSync(join(folder, "worker.js"), kCode);
  writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
    name: "turns", main: "worker.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
    durable_objects: { bindings: [{ name: "ROOM", class_name: "Room" }] }, migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
    ...(limits === undefined ? {} : { limits }),
  }));
  return folder;
}

describe("limits.cpu_ms", suite, () => {
  test("ends a runaway computation with its code, its place and its cure, and blames its agent", async (t) => {
    const target = await startFor(t, project({ cpu_ms: 300 }), { args: ["--quarantine", "0"], expectErrors: [/host|R416|R413/] });
    const runaway = await Socket.connect(`${target.ws}/runaway`);
    const neighbour = await Socket.connect(`${target.ws}/other`);
    const died = /host \d+ died: R416: one turn of its event loop used \d+ ms of CPU time, and limits\.cpu_ms allows 300 by Room\/runaway at .*worker\.js:\d+/;
    // The place is known once the host's watching thread runs, which nothing tells of.
    for (let i = 0; i < 8 && !died.test(target.output); i++) {
      await delay(250 * i);
      runaway.send("runaway");
      await target.child.nextLine(/host \d+ died: R416: .* by Room\/runaway/, kPatienceMs);
      assert.equal(await neighbour.ask(`after ${i}`, kPatienceMs), `after ${i}`);
    }
    assert.match(target.output, died);
    assert.match(target.output, /compute .*worker\.js:\d+:\d+/);
    assert.equal(await runaway.ask("again", kPatienceMs), "again");
    assert.ok(runaway.open && neighbour.open);
    await Promise.all([runaway.close(), neighbour.close()]);
  });

  test("lets turns be many, and wait, for longer than one may compute", async (t) => {
    const target = await startFor(t, project({ cpu_ms: 300 }), { expectErrors: [] });
    const socket = await Socket.connect(`${target.ws}/patient`);
    for (const message of ["turns 2000", "timers 1000", "asleep 1200"]) {
      assert.equal(await socket.ask(message, kPatienceMs), message);
    }
    assert.doesNotMatch(target.output, /R416| died/);
    await socket.close();
  });

  test("that allows more than the hang timeout's default allows as much of the clock", async (t) => {
    const target = await startFor(t, project({ cpu_ms: 9_000 }), { command: "dev", expectErrors: [] });
    const socket = await Socket.connect(`${target.ws}/long`);
    assert.equal(await socket.ask("asleep 6500", kPatienceMs), "asleep 6500"); // dev's own is 5 s
    assert.doesNotMatch(target.output, /R409| died/);
    await socket.close();
  });
});
