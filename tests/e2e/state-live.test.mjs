// `hearth state` on a running server: its agents go on, and what is copied has all that they had
// acknowledged.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { http, Socket } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, start, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own command", concurrency: 1 };
const state = (...args) => command(["state", ...args], { timeoutMs: 60_000 });
const increment = async (target, name) => Number((await http(`${target.url}/store/${name}/increment`)).text);

/** Serves a state folder, asks, and ends in order. */
async function served(folder, ask) {
  const target = await start("raw", { state: folder });
  try {
    return await ask(target);
  } finally {
    await target.stop({ checkDescriptors: false, keepState: true });
  }
}

describe("hearth state on a running server", suite, () => {
  test("backs up every write that was acknowledged before it, under load, and nobody notices", async (t) => {
    const target = await startFor(t, "raw", { args: ["--hosts", "2"] });
    const socket = await Socket.connect(`${target.ws}/room/held?user=u`);
    const hosts = target.hosts();
    const acknowledged = new Map(Array.from({ length: 12 }, (_, i) => [`load-${i}`, 0]));
    let running = true;
    const clients = [...acknowledged.keys()].map(async (name) => {
      while (running) acknowledged.set(name, await increment(target, name));
    });
    const folder = temporaryFolder("hearth-test-");
    try {
      await until(() => [...acknowledged.values()].every((count) => count > 3), "some load");
      const before = new Map(acknowledged);
      assert.match(await state("backup", join(folder, "backup"), "--state", target.state), /raw-Store: 12\n/);
      const after = new Map(acknowledged);
      assert.ok([...after].some(([name, count]) => count > before.get(name)), "the load went on meanwhile");
      running = false;
      await Promise.all(clients);
      assert.equal(await socket.ask("still here"), "still here");
      assert.ok(hosts.every((pid) => target.hosts().includes(pid)), "no host was replaced");
      assert.ok(!readdirSync(join(folder, "backup/do/raw-Store")).some((file) => !/^[0-9a-f]{64}\.sqlite$/.test(file)));

      await state("restore", join(folder, "backup"), "--state", join(folder, "other"));
      await served(join(folder, "other"), async (other) => {
        for (const [name, count] of before) {
          const kept = await increment(other, name) - 1;
          assert.ok(kept >= count && kept <= acknowledged.get(name), `${name}: ${count} before, ${kept} in the backup`);
        }
      });
    } finally {
      running = false;
      await Promise.allSettled(clients);
    }
    await socket.close();
  });

  test("forks an agent that is at work, and the copy answers at once", async (t) => {
    const target = await startFor(t, "raw");
    for (let i = 0; i < 3; i++) await increment(target, "original");
    await http(`${target.url}/store/original/alarm-set?in=3600000`);
    assert.match(await state("fork", "original", "copy", "--state", target.state), /original is now also raw-Store\/copy/);
    assert.equal(await increment(target, "copy"), 4);
    assert.equal(await increment(target, "original"), 4);
    assert.notEqual((await http(`${target.url}/store/copy/alarm-get`)).json().alarm, null);
    assert.match(await command(["agents", "list", "--state", target.state]), /copy .*alarm/);
    const refused = await command(["state", "fork", "original", "copy", "--state", target.state], { code: 1 });
    assert.match(refused, /there already/);
  });

  test("lists, shows, exports, and takes in what is not there yet", async (t) => {
    const target = await startFor(t, "raw");
    for (let i = 0; i < 2; i++) await increment(target, "one");
    assert.match(await state("list", "--state", target.state), /raw-Store {2}[0-9a-f]{64} {2}one {2}\d+ bytes[\s\S]*1 agent/);
    assert.match(await state("show", "Store/one", "--state", target.state), /keys +1/);
    const folder = temporaryFolder("hearth-test-");
    await state("export", join(folder, "disk"), "--state", target.state);
    assert.match(await command(["state", "import", join(folder, "disk"), "--state", target.state], { code: 1 }), /already/);

    const second = await startFor(t, "raw");
    await increment(second, "two");
    assert.match(await state("import", join(folder, "disk"), "--state", second.state), /raw-Store: 1\n/);
    assert.equal(await increment(second, "one"), 3);
    assert.equal(await increment(second, "two"), 2);
    assert.match(await command(["state", "restore", join(folder, "disk"), "--state", second.state], { code: 1 }), /is no backup/);
    assert.ok(!existsSync(join(folder, "disk/.hearth-copy")));
  });
});
