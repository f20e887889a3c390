// workerd:unsafe: objects are ended on demand, and what outlives them is there. The same on workerd.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, onHearth, startFor } from "../lib/target.mjs";

const kNotRunning = "Error: Cannot evict Durable Object: it is not currently running.";
const asker = (target) => async (path) => (await http(`${target.url}/${path}`)).json();
const said = async (get, path) => (await get(path)).said;

const kHostsGiven = (process.env.HEARTH_ARGS ?? "").includes("--hosts");
for (const args of onHearth && !kHostsGiven ? [[], ["--hosts", "2"]] : [[]]) {
  describe(`workerd:unsafe ${args.join(" ")}`, { concurrency: 1 }, () => {
    test("evict ends the memory; storage, the WebSocket and its attachment stay", async (t) => {
      const target = await startFor(t, "unsafe", { args });
      const get = asker(target);
      for (const name of ["a", "b", "c", "d"]) { // with two hosts, of both
        assert.deepEqual(await get(`increment/${name}`), { memory: 1, stored: 1, lives: 1 });
        const socket = await Socket.connect(`${target.ws}/socket/${name}`);
        const kept = { attachment: { of: "before" }, tags: ["tag"] };
        assert.deepEqual(JSON.parse(await socket.ask("x")), { memory: 2, stored: 2, lives: 1, ...kept });
        assert.equal(await said(get, `evict/${name}`), "done");
        assert.deepEqual(JSON.parse(await socket.ask("x")), { memory: 1, stored: 3, lives: 2, ...kept });
        assert.equal(await said(get, `evict/${name}?webSockets=hibernate`), "done");
        assert.equal(await said(get, `evict/${name}`), kNotRunning);
        assert.deepEqual(await get(`increment/${name}`), { memory: 1, stored: 4, lives: 3 });
        await socket.close();
        await until(async () => await get(`closes/${name}`) === 1, "the close is told to the object");
      }
    });

    test("evict with webSockets: \"close\" closes them, and the object hears nothing of it", async (t) => {
      const target = await startFor(t, "unsafe", { args });
      const get = asker(target);
      const socket = await Socket.connect(`${target.ws}/socket/a`);
      assert.equal(await said(get, "evict/a?webSockets=close"), "done");
      const { code, reason } = await socket.closed;
      if (onHearth) assert.deepEqual({ code, reason }, { code: 1012, reason: "Durable Object was evicted." });
      assert.equal(await get("closes/a"), 0);
      assert.deepEqual(await get("increment/a"), { memory: 1, stored: 1, lives: 2 });
    });

    test("evict waits for what runs", async (t) => {
      const target = await startFor(t, "unsafe", { args });
      const get = asker(target);
      const slow = get("slow/a");
      await until(() => get("waits/a"), "the slow call runs");
      const evicted = said(get, "evict/a");
      let over = false;
      evicted.then(() => { over = true; });
      assert.ok((await get("increment/a")).lives === 1 && !over, "it lives while it is busy");
      assert.equal(await get("finish/a"), true);
      const last = await slow;
      assert.equal(last.lives, 1);
      assert.equal(await evicted, "done");
      assert.deepEqual(await get("increment/a"), { memory: 1, stored: last.stored + 1, lives: 2 });
    });

    test("all of them: evicted, and aborted", async (t) => {
      const target = await startFor(t, "unsafe", { args });
      const get = asker(target);
      const names = ["a", "b", "c", "d"];
      for (const name of names) await get(`increment/${name}`);
      assert.equal(await said(get, "evict-all"), "done");
      for (const name of names) assert.deepEqual(await get(`increment/${name}`), { memory: 1, stored: 2, lives: 2 });
      const slow = get("slow/a");
      await until(() => get("waits/a"), "the slow call runs");
      assert.equal(await said(get, "abort-all"), "done");
      assert.deepEqual(await slow, { error: "Application called abortAllDurableObjects()." });
      for (const name of names) assert.equal((await get(`increment/${name}`)).lives, 3);
    });

    test("all of them deleted: what runs is cut off, sockets close, storage and alarms are gone", async (t) => {
      const target = await startFor(t, "unsafe", { args });
      const get = asker(target);
      const names = ["a", "b", "c", "d"];
      for (const name of names) assert.equal((await get(`increment/${name}`)).stored, 1);
      await get("increment/asleep");
      assert.equal(await said(get, "evict/asleep"), "done");
      assert.equal(await get("alarm/a"), "set");
      const socket = await Socket.connect(`${target.ws}/socket/b`);
      await socket.ask("x");
      const slow = get("slow/c");
      await until(() => get("waits/c"), "the slow call runs");
      assert.equal(await said(get, "delete-all"), "done");
      assert.deepEqual(await slow, { error: "Application called deleteAllDurableObjects()." });
      const { code, reason } = await socket.closed;
      if (onHearth) assert.deepEqual({ code, reason }, { code: 1012, reason: "Application called deleteAllDurableObjects()." });
      for (const name of onHearth ? [...names, "asleep"] : names) assert.deepEqual(await get(`increment/${name}`), { memory: 1, stored: 1, lives: 1 });
      assert.equal(await get("alarm-at/a"), null);
    });

    test("what is wrong is said", async (t) => {
      const target = await startFor(t, "unsafe", { args });
      const get = asker(target);
      assert.deepEqual(await get("exports"), [[], "function"]);
      assert.equal(await said(get, "evict/never"), kNotRunning);
      await get("increment/a");
      assert.equal(await said(get, "evict/a?webSockets=keep"), 'TypeError: options.webSockets must be "hibernate" or "close".');
      assert.equal(await said(get, "evict-what"), "TypeError: Failed to execute 'evict' on 'UnsafeModule': parameter 1 is not of type 'Fetcher'.");
      assert.deepEqual(await get("increment/a"), { memory: 2, stored: 2, lives: 1 });
      if (!onHearth) return;
      assert.match(await said(get, "own/a"), /its own code asks/);
    });
  });
}

test("without the flag the import is found while bundling", hearthOnly, async () => {
  const folder = temporaryFolder("hearth-test-");
  writeFileSync(join(folder, "wrangler.jsonc"), '{ "name": "plain", "main": "server.js", "compatibility_date": "2026-06-01" }');
  writeFileSync(join(folder, "server.js"), 'import unsafe from "workerd:unsafe";\nexport default { fetch: () => new Response(typeof unsafe.evict) };\n');
  const output = await command(["serve", "-c", join(folder, "wrangler.jsonc"), "--port", "0", "--state", join(folder, "state")], { code: 1 });
  assert.match(output, /server\.js:1/);
  assert.match(output, /"workerd:unsafe" is there with the compatibility flag "unsafe_module" only/);
});
