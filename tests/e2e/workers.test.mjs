// Several workers served as one: `-c front -c back`, as `wrangler dev` takes them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { http, Socket } from "../lib/clients.mjs";
import { kHearth, kProjects, kRoot } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, start, startFor } from "../lib/target.mjs";

const kBack = join(kProjects, "workers/back/wrangler.jsonc");

for (const hosts of [1, 2]) {
  describe(`two workers on ${hosts} host${hosts > 1 ? "s" : ""}`, hearthOnly, () => {
    let target;
    before(async () => {
      target = await start("workers/front", { args: ["-c", kBack, "--hosts", String(hosts)], expectErrors: [/died: signal 9/, /hosts in a row died/] });
    });
    after(() => target?.stop());
    const ask = async (path, options) => (await http(`${target.url}${path}`, options)).json();

    test("the first gets the requests, and reaches the other by fetch", async () => {
      const answer = await http(`${target.url}/fetch`, { method: "POST", body: "a body" });
      assert.equal(answer.status, 201);
      assert.equal(answer.text, "back got POST back?x=1 a body");
    });

    test("a binding's fetch gets the other worker's assets before its code", async () => {
      assert.equal((await http(`${target.url}/asset`)).text, 'a page of the worker "back"\n');
    });

    test("a named entrypoint has its own worker's env and secrets, and the binding's props", async () => {
      assert.deepEqual(await ask("/rpc"), {
        sum: 3, who: { who: "back", secret: "of back", props: { caller: "front" }, front: false },
      });
    });

    test("functions and targets pass by reference, and errors come back", async () => {
      assert.deepEqual(await ask("/callback"), ["a of front", "b of front"]);
      assert.deepEqual(await ask("/pipelined"), [1, 2]);
      assert.deepEqual(await ask("/error"), { error: 'the worker "back" refused', remote: true });
    });

    test("objects of the other worker live on their hosts, with that worker's env and exports", async () => {
      for (const name of ["a", "b", "c", "d", "e", "f"]) {
        assert.equal(await ask(`/room?name=${name}`), 1);
        assert.equal(await ask(`/room?name=${name}`), 2);
      }
      assert.deepEqual(await ask("/room-whose"), { who: "back", exports: ["Admin", "Room", "default"] });
      assert.deepEqual(await ask("/own-whose"), { who: "front", exports: ["Desk", "Own", "default"] });
    });

    test("a service is lent to an object, wherever it is", async () => {
      for (const [from, to] of [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]]) {
        assert.equal(await ask(`/lend?from=${from}&to=${to}`), "back 42");
      }
    });

    test("the other worker reaches the first one's entrypoints and objects", async () => {
      assert.deepEqual(await ask("/back-to-front"), ["back, this is front", 1]);
      assert.deepEqual(await ask("/back-to-front"), ["back, this is front", 2]);
    });

    test("the module cloudflare:workers is each worker's own", async () => {
      assert.deepEqual(await ask("/module"), {
        front: { who: "front", exports: ["Desk", "Own", "default"] },
        back: { who: "back", waited: "kept", exports: ["Admin", "Room", "default"] },
      });
    });

    test("a worker that is not given is named, with what to add", async () => {
      const { error } = await ask("/far");
      assert.match(error, /env\.FAR/);
      assert.match(error, /C117/);
      assert.match(target.output, /the binding "FAR" does not work: it is for the worker "far".*with one more -c \(C117\)/);
    });

    test("sockets of the other worker's objects outlive the host, and alarms find them", async () => {
      const socket = await Socket.connect(`${target.ws}/socket?name=lasting`);
      target.clients.push(socket);
      socket.send("hello");
      assert.equal(await socket.next(), "hello 1 of back");
      for (const pid of target.hosts()) process.kill(pid, "SIGKILL");
      socket.send("again");
      assert.equal(await socket.next(), "again 2 of back");
      socket.send("alarm");
      assert.equal(await socket.next(), "alarm of back");
    });
  });
}

test("the other worker's objects are there again after a restart", hearthOnly, async (t) => {
  const target = await startFor(t, "workers/front", { args: ["-c", kBack] });
  assert.equal((await http(`${target.url}/room?name=kept`)).text, "1");
  await target.kill();
  await target.restart();
  assert.equal((await http(`${target.url}/room?name=kept`)).text, "2");
});

test("the doctor looks at each of them, and finds nothing but the worker that is not given", hearthOnly, () => {
  const run = spawnSync(kHearth, ["doctor", "-c", join(kProjects, "workers/front"), "-c", kBack], { encoding: "utf8", timeout: 60_000, env: { ...process.env, NO_COLOR: "1" } });
  assert.equal(run.status, 0, run.stdout + run.stderr);
  assert.deepEqual(run.stdout.match(/^(?:fault|warning) +[A-Z]\d+/gm), ["warning C117"]);
  assert.match(run.stdout, /hearth doctor .*front[^]*"FAR" does not work[^]*hearth doctor .*back[^]*nothing is wrong/);
});

for (const [what, other, says] of [
  ["a configuration that is not there", "/nonexistent/wrangler.jsonc", /error \/nonexistent\/wrangler\.jsonc does not exist/],
  ["two workers of one name", join(kProjects, "workers/front"), /both name their worker "front"/],
]) {
  test(`${what} is refused`, hearthOnly, () => {
    const run = spawnSync(kHearth, ["serve", "-c", join(kProjects, "workers/front"), "-c", other, "--port", "0", "--state", join(tmpdir(), "hearth-none")],
      { encoding: "utf8", timeout: 20_000, env: { ...process.env, NO_COLOR: "1" } });
    assert.equal(run.status, 1);
    assert.match(run.stdout + run.stderr, says);
  });
}

test("in dev a change of any of them is served", hearthOnly, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "hearth-workers-"));
  cpSync(join(kProjects, "workers"), folder, { recursive: true });
  symlinkSync(join(kRoot, "node_modules"), join(folder, "node_modules"));
  const back = join(folder, "back");
  const target = await startFor(t, join(folder, "front"), { command: "dev", args: ["-c", join(back, "wrangler.jsonc")] });
  t.after(() => rmSync(folder, { recursive: true, force: true })); // once the server has ended
  // Whole at once: a watcher may look at any moment.
  const edit = (file, from, to) => {
    writeFileSync(`${file}.new`, readFileSync(file, "utf8").replace(from, to));
    renameSync(`${file}.new`, file);
  };
  const hello = async () => (await http(`${target.url}/fetch`, { method: "POST", body: "x" })).text;
  assert.match(await hello(), /^back got POST/);

  edit(join(back, "server.ts"), "got ${request.method}", "took ${request.method}");
  await until(async () => /^back took POST/.test(await hello()), "the other worker's new code", 15_000);
  edit(join(back, "wrangler.jsonc"), '"WHO": "back"', '"WHO": "changed"');
  await until(async () => /^changed took POST/.test(await hello()), "the other worker's new variable", 15_000);
  edit(join(folder, "front/server.ts"), "back/hello?x=1", "back/hello?x=2");
  await until(async () => /back\?x=2/.test(await hello()), "the first worker's new code", 15_000);
});
