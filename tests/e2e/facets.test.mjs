// Facets: WebSockets that they accept, and copies of what they store. The same on workerd, but for what a
// client is told when a facet ends.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, onHearth, start } from "../lib/target.mjs";

const kPatienceMs = 30_000;
const kHostsGiven = (process.env.HEARTH_ARGS ?? "").includes("--hosts");

for (const args of onHearth && !kHostsGiven ? [[], ["--hosts", "2"]] : [[]]) {
  describe(`facets ${args.join(" ")}`, { concurrency: 1 }, () => {
    let target;
    before(async () => { target = await start("facets", { args, expectErrors: [/on purpose/] }); });
    after(() => target?.stop());
    const run = async (path) => (await http(`${target.url}/${path}`, { timeoutMs: kPatienceMs })).json();
    const connect = (name, query) => Socket.connect(`${target.ws}/${name}/socket?facet=${query}`);
    const ask = async (socket, message) => JSON.parse(await socket.ask(message, kPatienceMs));
    const kNames = ["a", "b", "c", "d"]; // with two hosts, of both

    test("accept WebSockets with tags and attachments, each its own", async () => {
      for (const name of kNames) {
        const red = await connect(name, "one&tag=red");
        const blue = await connect(name, "one&tag=blue");
        const other = await connect(name, "other&tag=red");
        const { instance, ...said } = await ask(red, "hi");
        assert.deepEqual(said, { message: "hi", sockets: 2, tags: ["red"], attachment: { kept: "with the socket" }, count: 0 });
        assert.equal((await ask(blue, "hi")).instance, instance);
        assert.equal((await ask(other, "hi")).sockets, 1);
        assert.equal((await ask(blue, "count")).count, 1);
        blue.send("all");
        assert.equal(await red.next(kPatienceMs), "to red");
        assert.equal(other.pending(), 0);
        await ask(red, "auto");
        assert.equal(await red.ask("ping", kPatienceMs), "pong");
        assert.equal((await ask(other, "ping")).message, "ping");
        assert.equal((await red.close(4001, "bye")).code, 4001);
        await until(async () => JSON.stringify(await run(`${name}/closed/one`)) === '[4001,"bye"]', "the close is told", kPatienceMs);
        assert.equal((await ask(blue, "hi")).sockets, 1);
        await Promise.all([blue.close(), other.close()]);
      }
    });

    test("accept WebSockets by accept(), too", async () => {
      const socket = await connect("plain", "one&plain");
      assert.equal(await socket.ask("hi", kPatienceMs), "plain hi");
      await socket.close();
    });

    test("that end close theirs and nobody else's", async () => {
      const socket = await connect("ends", "one");
      const other = await connect("ends", "other");
      await ask(socket, "hi");
      await run("ends/abort/one");
      const { code, reason } = await socket.closed;
      if (onHearth) assert.deepEqual({ code, reason }, { code: 1011, reason: "on purpose" });
      assert.equal((await ask(other, "hi")).sockets, 1);
      await other.close();
    });

    test("cannot set alarms", async () => {
      assert.equal(await run("alarm/alarm/one"), "Facets currently cannot set alarms.");
    });

    test("clone() copies what one stores, and its own facets, in place of what the other had", async () => {
      for (const name of kNames) {
        assert.deepEqual(await run(`${name}/clone`), { to: [1, null, 2], from: [3, 2], ended: [false, true] });
      }
      assert.equal(await run("empty/clone-nothing"), null, "of nothing is nothing");
      assert.match((await run("wrong/clone-wrong/x"))[0], /^Failed to execute 'clone' on 'DurableObjectFacets': parameter 2 /);
      assert.match((await run("wrong/clone-wrong/x"))[1], /^Facet name is too long \(max 256 characters\)/);
    });

    test("clone() leaves out what is not committed", async () => {
      assert.deepEqual(await run("open/clone-open"), [1, null, null]);
    });

    test("a clone is there after kill -9", hearthOnly, async () => {
      await run("killed/clone");
      await target.kill();
      await target.restart();
      assert.deepEqual(await run("killed/cloned"), [1, 2, 3]);
    });
  });
}
