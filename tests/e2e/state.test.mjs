// What is kept moves: from workerd's files to hearth and back with values, SQL, names and alarms;
// to a backup and out of it; and one agent to another name.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { http } from "../lib/clients.mjs";
import { command as hearth } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { onHearth, start, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own command", concurrency: 1 };

const command = (args, options) => hearth(["state", ...args], options);

/** Serves what `state` holds, asks, and ends in order. */
async function served(state, ask, options = {}) {
  const target = await start("raw", { state, ...options });
  try {
    return await ask((path, init) => http(`${target.url}/store/${path}`, init), target);
  } finally {
    await target.stop({ checkDescriptors: false, keepState: true });
  }
}

const put = (ask, name, key, body) => ask(`${name}/put?key=${key}`, { method: "POST", body });
const text = async (answer) => (await answer).text;

describe("hearth state", suite, () => {
  test("takes what workerd wrote, and gives back what workerd reads", async () => {
    const folder = temporaryFolder("hearth-test-");
    let alarm;
    await served(folder, async (ask) => {
      await put(ask, "one", "k", "from workerd");
      await ask("two/increment");
      alarm = Number(await text(ask("one/alarm-set?in=3600000")));
    }, { target: "workerd" });

    // wrangler's layout is the same disk below v3/do.
    mkdirSync(join(folder, "wrangler/v3"), { recursive: true });
    renameSync(join(folder, "workerd/do"), join(folder, "wrangler/v3/do"));
    const state = join(folder, "hearth");
    assert.match(await command(["import", join(folder, "wrangler"), "--state", state]), /raw-Store: 2\n/);
    const listed = await command(["list", "--state", state]);
    assert.match(listed, /raw-Store {2}[0-9a-f]{64} {2}one {2}\d+ bytes {2}alarm \d{4}-/);
    assert.match(listed, /2 agents/);
    assert.match(await command(["show", "Store/two", "--state", state]), /keys +1/);
    assert.match(await command(["import", join(folder, "wrangler"), "--state", state], { code: 1 }), /already/);

    await served(state, async (ask) => {
      assert.equal(await text(ask("one/get?key=k")), "from workerd");
      assert.equal(JSON.parse(await text(ask("one/alarm-get"))).alarm, alarm);
      assert.equal(await text(ask("two/increment")), "2");
      await put(ask, "three", "k", "from hearth");
      alarm = Number(await text(ask("three/alarm-set?in=7200000")));
    });

    await command(["export", join(folder, "back/workerd/do"), "--state", state]);
    await command(["export", join(folder, "project"), "--wrangler", "--state", state]);
    assert.equal(readdirSync(join(folder, "project/v3/do/raw-Store")).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file)).length, 3);
    await served(join(folder, "back"), async (ask) => {
      assert.equal(await text(ask("one/get?key=k")), "from workerd");
      assert.equal(await text(ask("two/increment")), "3");
      assert.equal(await text(ask("three/get?key=k")), "from hearth");
      assert.equal(JSON.parse(await text(ask("three/alarm-get"))).alarm, alarm);
    }, { target: "workerd" });
  });

  test("backs up, restores and forks", async () => {
    const folder = temporaryFolder("hearth-test-");
    const state = join(folder, "state");
    await served(state, async (ask) => {
      await put(ask, "first", "k", "value");
      await ask("first/alarm-set?in=3600000");
    });
    await command(["backup", join(folder, "backup"), "--state", state]);
    await served(state, (ask) => put(ask, "first", "k", "changed"));
    assert.match(await command(["restore", join(folder, "backup"), "--state", state], { code: 1 }), /holds agents already/);
    const other = join(folder, "other");
    await command(["restore", join(folder, "backup"), "--state", other]);
    await command(["fork", "first", "second", "--state", other]);
    assert.match(await command(["fork", "first", "second", "--state", other], { code: 1 }), /there already/);
    assert.match(await command(["list", "--state", other]), / first .*alarm[\s\S]* second .*alarm/);
    await served(other, async (ask) => {
      assert.equal(await text(ask("first/get?key=k")), "value");
      await put(ask, "second", "k", "its own");
      assert.equal(await text(ask("first/get?key=k")), "value");
      assert.equal(await text(ask("second/get?key=k")), "its own");
      assert.notEqual(JSON.parse(await text(ask("second/alarm-get"))).alarm, null);
    });
  });

  test("takes what a kill -9 left in the logs, and an alarm that the index never heard of", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [/./] });
    const ask = (path, init) => http(`${target.url}/store/${path}`, init);
    await put(ask, "killed", "k", "in the log");
    await ask("killed/alarm-set?in=3600000");
    await target.kill();
    const copy = temporaryFolder("hearth-test-");
    await command(["backup", join(copy, "backup"), "--state", target.state]);
    await command(["restore", join(copy, "backup"), "--state", join(copy, "state")]);
    assert.match(await command(["list", "--state", join(copy, "state")]), / killed .*alarm/);
    await served(join(copy, "state"), async (again) => assert.equal(await text(again("killed/get?key=k")), "in the log"));
    await target.restart();
    assert.equal(await text(ask("killed/get?key=k")), "in the log");
  });

  test("says why it does not: a server that cannot be asked, a damaged file, ids of another worker, no state", async (t) => {
    const target = await startFor(t, "raw");
    await http(`${target.url}/store/one/increment`);
    renameSync(join(target.state, "admin.sock"), join(target.state, "aside.sock"));
    assert.match(await command(["list", "--state", target.state], { code: 1 }), /S305.*process \d+/);
    renameSync(join(target.state, "aside.sock"), join(target.state, "admin.sock"));
    const folder = temporaryFolder("hearth-test-");
    assert.match(await command(["list", "--state", join(folder, "nothing")], { code: 1 }), /holds no state/);
    assert.match(await command(["import", folder, "--state", join(folder, "state")], { code: 1 }), /holds no Durable Objects/);

    const state = join(folder, "whole");
    await served(state, async (ask) => { for (const name of ["a", "b"]) await put(ask, name, "k", "x".repeat(50_000)); });
    await command(["export", join(folder, "disk"), "--state", state]);
    renameSync(join(folder, "disk/raw-Store"), join(folder, "disk/other-Store"));
    assert.match(await command(["import", join(folder, "disk"), "--state", join(folder, "state")], { code: 1 }), /not made for other-Store/);
    renameSync(join(folder, "disk/other-Store"), join(folder, "disk/raw-Store"));
    const [first] = readdirSync(join(folder, "disk/raw-Store")).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file));
    truncateSync(join(folder, "disk/raw-Store", first), 20_000);
    assert.match(await command(["import", join(folder, "disk"), "--state", join(folder, "state")], { code: 1 }), new RegExp(`${first}.*(damaged|malformed)[\\s\\S]*nothing was taken`));
    assert.match(await command(["list", "--state", join(folder, "state")]), /^0 agents/m);
  });
});

describe("bad input", suite, () => {
  test("a database that is damaged stops its agent, with the file's name, and no other", async () => {
    const folder = temporaryFolder("hearth-test-");
    await served(folder, async (ask) => { for (const name of ["bad", "good"]) await put(ask, name, "k", "kept"); });
    const listed = await command(["list", "--state", folder]);
    const id = /([0-9a-f]{64}) {2}bad /.exec(listed)[1];
    const file = join(folder, `do/raw-Store/${id}.sqlite`);
    writeFileSync(file, "this was a database\n".repeat(1_000));
    const damaged = readFileSync(file);
    await served(folder, async (ask, target) => {
      const answer = await ask("bad/get?key=k");
      assert.equal(answer.status, 503, answer.text);
      assert.match(answer.text, /R418/);
      assert.equal(await text(ask("good/get?key=k")), "kept");
      assert.match(target.output, new RegExp(`${id}\\.sqlite.*not a database`));
      assert.equal((await ask("bad/get?key=k")).status, 503);
      assert.equal(await text(put(ask, "good", "k", "changed")), "put");
    }, { expectErrors: [/not a database/] });
    assert.deepEqual(readFileSync(file), damaged, "it is left as it was found");
    assert.ok(!existsSync(`${file}-wal`));
  });
});
