// --host-cpu: a host uses no more than its share of a core, is not taken for one that hangs, and goes
// on answering; it says so in the log, the ledger and the health.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ask } from "../lib/admin.mjs";
import { Socket } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { statOf, until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own limits", concurrency: 1 };
const kPatienceMs = 60_000;
const kTickMs = 10; // of /proc/PID/stat
// The shares are small, so that a host wants more than its own on a machine that is busy elsewhere too.

describe("--host-cpu", suite, () => {
  test("a host uses its share of a core and no more, and its agents answer meanwhile", async (t) => {
    const target = await startFor(t, "hungry", { args: ["--host-cpu", "2"], expectErrors: [] });
    const busy = await Socket.connect(`${target.ws}/busy`);
    const other = await Socket.connect(`${target.ws}/busy`);
    const neighbour = await Socket.connect(`${target.ws}/small`);
    const pid = Number(await busy.ask("pid", kPatienceMs));
    busy.send("burn");
    await until(() => statOf(pid).state === "T", "the host is stopped", kPatienceMs);
    const before = statOf(pid).ticks;
    const since = performance.now();
    let answers = 0;
    while (performance.now() - since < 5_000) {
      assert.equal(await neighbour.ask(`n${answers}`, kPatienceMs), `n${answers}`);
      answers++;
    }
    const share = (statOf(pid).ticks - before) * kTickMs / (performance.now() - since);
    assert.ok(share < 0.25, `${share} of a core, and ${answers} answers`);
    // Most often the busy one; a neighbour may be at work at the very moment.
    const [, named] = await target.child.line(/R417 host \d+ was stopped for \d+ ms of the last \d+ s, to use no more than 2 % of a core; Hungry\/(\w+) was at work/, kPatienceMs);
    const health = (await ask(target, "/_hearth/health")).json();
    const host = health.hosts.find((each) => each.pid === pid);
    assert.equal(health.hostCpuPercent, 2);
    assert.ok(host.heldMs >= 1_000 && host.cpuMs > 0, JSON.stringify(host));
    other.send("rest");
    assert.equal(await other.ask("rested", kPatienceMs), "rest");
    await until(async () => /was at work on host \d+, which was stopped for/.test(await command(["agents", "why", named, "--state", target.state])),
                "the ledger's word", kPatienceMs);
    assert.doesNotMatch(target.output, / died|R409/);
    await Promise.all([busy.close(), other.close(), neighbour.close()]);
  });

  test("a host that is stopped drains at a shutdown, and its answers still leave", async (t) => {
    const target = await startFor(t, "hungry", { args: ["--host-cpu", "5"], expectErrors: [] });
    const busy = await Socket.connect(`${target.ws}/busy`);
    const pid = Number(await busy.ask("pid", kPatienceMs));
    busy.send("burn");
    await until(() => statOf(pid).state === "T", "the host is stopped", kPatienceMs);
    await target.stop();
    assert.equal((await busy.closed).code, 1001);
  });
});
