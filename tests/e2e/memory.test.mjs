// --host-memory: a host that comes near it is replaced between events, one that passes it is ended,
// and either way no socket closes and the ledger says why.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Socket } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own limits", concurrency: 1 };
const kEnded = /host|memory|R409|R413|heap/i;
const why = (target, agent) => command(["agents", "why", agent, "--state", target.state]);

describe("--host-memory", suite, () => {
  test("a host that nears it makes room for another between events, and its sockets stay", async (t) => {
    const target = await startFor(t, "hungry", { args: ["--host-memory", "500"], expectErrors: [] });
    const socket = await Socket.connect(`${target.ws}/large`);
    const neighbour = await Socket.connect(`${target.ws}/small`);
    const before = await socket.ask("pid");
    assert.equal(await socket.ask("take 330"), "take 330");
    // An agent that is idle falls asleep before its host moves on.
    const busy = setInterval(() => socket.send("busy"), 1_000);
    t.after(() => clearInterval(busy));
    await target.child.line(/makes room for another between events: it held \d+ MB of memory, near the 500 MB/, 30_000);
    await until(async () => (await neighbour.ask("pid", 10_000)) !== before, "the next host", 20_000);
    clearInterval(busy);
    assert.ok(socket.open && neighbour.open);
    // Each agent goes when it is quiet, the neighbour sooner perhaps.
    const left = /left host \d+: it held \d+ MB of memory, near the 500 MB that --host-memory allows/;
    await until(async () => left.test(await why(target, "large")), "the ledger's word of the move", 20_000);
    assert.doesNotMatch(target.output, / died/);
    await Promise.all([socket.close(), neighbour.close()]);
  });

  for (const [what, verb, reason] of [
    ["buffers, with its event loop turning", "buffers", /it held \d+ MB of memory, and 400 MB is what --host-memory allows; Hungry\/endless was at work/],
    ["objects, in one go", "objects", /signal 6 \(SIGABRT\)|it held \d+ MB of memory/],
  ]) {
    test(`code that takes ${what}, without end, ends its own host, and the reason is told`, async (t) => {
      const target = await startFor(t, "hungry", { args: ["--host-memory", "400"], expectErrors: [kEnded] });
      const endless = await Socket.connect(`${target.ws}/endless`);
      const neighbour = await Socket.connect(`${target.ws}/small`);
      const before = await neighbour.ask("pid");
      endless.send(verb);
      await target.child.line(/host \d+ died: /, 60_000);
      assert.match(target.output, reason);
      // V8 says so itself where it has the time.
      if (/SIGABRT/.test(target.output)) assert.match(target.output, /host \d+.*JavaScript heap out of memory/);
      assert.notEqual(await neighbour.ask("pid", 10_000), before);
      assert.equal(await endless.ask("still here", 10_000), "still here");
      assert.match(await why(target, "endless"), new RegExp(`was reset: host \\d+ ended: .*${reason.source}`));
      await Promise.all([endless.close(), neighbour.close()]);
    });
  }
});
