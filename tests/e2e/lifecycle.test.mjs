// What hearth promises about its own life: connections outlive code, acknowledged writes outlive
// everything, and every end explains itself.
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { connectAgent } from "../lib/agent-client.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth, kProjects } from "../lib/paths.mjs";
import { Child, alive, descriptors, until } from "../lib/process.mjs";
import { onHearth, start, startFor } from "../lib/target.mjs";

const kHostDied = /host|SIGKILL|died|killed/i;
const kKillRounds = Number(process.env.HEARTH_KILL_ROUNDS ?? 5);
const suite = { skip: onHearth ? false : "hearth's own promises", concurrency: 1 };

/** A copy of a project that a test may edit, beside it, so that its modules are found as before. */
function editable(project = "raw") {
  const folder = temporaryFolder(`.edit-${project}-`, kProjects);
  cpSync(join(kProjects, project), folder, { recursive: true });
  return folder;
}

const edit = (folder, file, change) => writeFileSync(join(folder, file), change(readFileSync(join(folder, file), "utf8")));

describe("kill -9 of all of it", suite, () => {
  test("loses no acknowledged write, several times over under load", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const acknowledged = new Map();
    for (let round = 0; round < kKillRounds; round++) {
      let stopping = false;
      const writers = Array.from({ length: 8 }, async (_, i) => {
        const name = `kill-${i}`;
        while (!stopping) {
          const answer = await http(`${target.url}/store/${name}/increment`).catch(() => null);
          if (answer?.status === 200) acknowledged.set(name, Number(answer.text));
        }
      });
      await until(() => acknowledged.size === 8, "an acknowledgement for each writer");
      await delay(250);
      stopping = true;
      await target.kill();
      await Promise.all(writers);
      await target.restart();
      for (const [name, value] of acknowledged) {
        const kept = Number((await http(`${target.url}/store/${name}/count`)).text);
        assert.ok(kept >= value, `${name} was acknowledged ${value} and holds ${kept}`);
        assert.ok(kept <= value + 1, `${name} was acknowledged ${value} and holds ${kept}: a write came from nowhere`);
        acknowledged.set(name, kept);
      }
    }
  });

  test("keeps state, SQL, schedules and clients of the SDK", async (t) => {
    const target = await startFor(t, "agents");
    const client = await connectAgent(target, { agent: "TestAgent", name: "kept" });
    await client.call("add", [41]);
    await client.call("keep", ["before the kill"]);
    await client.call("inSeconds", [4, "after the kill"]);
    const reopened = new Promise((resolve) => client.addEventListener("close", () => client.addEventListener("open", resolve, { once: true }), { once: true }));
    await target.kill();
    await target.restart();
    await reopened; // partysocket comes back by itself
    await client.ready;
    assert.equal(await client.call("add", [1]), 42);
    assert.deepEqual((await client.call("log", ["kept"])).map((row) => row.note), ["before the kill"]);
    const [row] = await until(async () => { const rows = await client.call("log", ["scheduled"]); return rows.length > 0 && rows; }, "the schedule", 10_000);
    assert.equal(row.note, "after the kill");
  });

  test("fires an alarm that came due meanwhile", async (t) => {
    const target = await startFor(t, "raw");
    const url = `${target.url}/store/overdue`;
    await http(`${url}/alarm-set?in=300`);
    await target.kill();
    await delay(500);
    await target.restart();
    await delay(500); // nobody asks for the object: the alarm alone wakes it
    const { fired } = await until(async () => { const seen = (await http(`${url}/alarm-get`)).json(); return seen.fired.length > 0 && seen; }, "the alarm");
    assert.equal(fired.length, 1);
  });
});

describe("kill -9 of a host", suite, () => {
  test("closes no WebSocket; the next message is answered, with tags and attachment in place", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const sockets = [];
    for (let i = 0; i < 10; i++) sockets.push(await Socket.connect(`${target.ws}/room/r${i % 3}?user=u${i}&tag=t${i}`));
    for (const socket of sockets) assert.equal(await socket.ask("x"), "x");
    for (let round = 0; round < 3; round++) {
      const host = Number(await sockets[0].ask("pid"));
      assert.notEqual(host, target.pid);
      process.kill(host, "SIGKILL");
      for (const [i, socket] of sockets.entries()) {
        const told = JSON.parse(await socket.ask("tell"));
        assert.equal(told.user, `u${i}`);
        assert.deepEqual(told.tags, [`t${i}`]);
      }
      assert.notEqual(Number(await sockets[0].ask("pid")), host);
    }
    assert.ok(sockets.every((socket) => socket.open));
    await Promise.all(sockets.map((socket) => socket.close()));
  });

  test("hands each message to a handler at most once, and loses none that had not begun", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const socket = await Socket.connect(`${target.ws}/room/once?user=u`);
    const host = Number(await socket.ask("pid"));
    const sent = 2_000;
    for (let i = 0; i < sent; i++) socket.send("count");
    await socket.next();
    process.kill(host, "SIGKILL");
    socket.send("end of them");
    const counts = [1];
    for (;;) {
      const answer = await socket.next(20_000);
      if (answer === "end of them") break;
      if (answer.startsWith("count ")) counts.push(Number(answer.slice(6)));
    }
    for (let i = 1; i < counts.length; i++) assert.ok(counts[i] > counts[i - 1], `${counts[i]} after ${counts[i - 1]}: a message ran twice`);
    const last = counts.at(-1);
    assert.ok(last <= sent, `${last} runs of ${sent} messages`);
    // What had begun when the host died is not repeated: at most those that were in its hands.
    assert.ok(counts.length >= 1 && last >= counts.length);
    await socket.close();
  });

  test("keeps the SDK's client connected, with its state", async (t) => {
    const target = await startFor(t, "agents", { expectErrors: [kHostDied] });
    const client = await connectAgent(target, { agent: "TestAgent", name: "host" });
    await client.call("add", [3]);
    let closed = false;
    client.addEventListener("close", () => { closed = true; });
    for (const host of target.hosts()) process.kill(host, "SIGKILL");
    assert.equal(await client.call("add", [4]), 7);
    assert.equal(closed, false);
  });

  test("fails a request in flight with 503, at once, and says so in the log", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const socket = await Socket.connect(`${target.ws}/room/slow?user=u`);
    const hanging = http(`${target.url}/store/slow/hang`, { timeoutMs: 8_000 }).catch((error) => ({ error }));
    await delay(200);
    for (const host of target.hosts()) process.kill(host, "SIGKILL"); // one of them has the request
    const answer = await hanging;
    assert.equal(answer.status, 503, answer.error?.message);
    await until(() => kHostDied.test(target.output), "the log says so", 30_000);
    await socket.close();
  });
});

describe("the end", suite, () => {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`by ${signal}: clients get 1001 and a reason, and it exits 0 within five seconds`, async () => {
      const target = await start("raw");
      const sockets = [];
      for (let i = 0; i < 50; i++) sockets.push(await Socket.connect(`${target.ws}/room/end${i % 5}?user=u${i}`));
      await http(`${target.url}/store/end/put?key=k`, { method: "POST", body: "flushed" });
      const end = target.stop({ signal, checkDescriptors: false, keepState: true });
      for (const socket of sockets) {
        const { code, reason } = await socket.closed;
        assert.equal(code, 1001);
        assert.ok(reason.length > 0, "there is a reason");
      }
      const { elapsedMs } = await end;
      assert.ok(elapsedMs < 5_000);
      await target.restart();
      assert.equal((await http(`${target.url}/store/end/get?key=k`)).text, "flushed");
      await target.stop();
    });
  }

  test("comes within five seconds even if a client never answers and a handler hangs", async () => {
    const target = await start("raw", { expectErrors: [/./] });
    const mute = await Socket.connect(`${target.ws}/room/mute?user=m`);
    mute.ws._socket.pause();
    const hanging = await Socket.connect(`${target.ws}/room/hang?user=h`);
    hanging.send("hang");
    await delay(300);
    const end = await target.stop({ checkDescriptors: false });
    assert.ok(end.elapsedMs < 5_000);
    mute.ws.terminate();
    hanging.ws.terminate();
  });
});

describe("resources", suite, () => {
  test("a thousand clients that come and go leave no descriptor behind", async (t) => {
    const target = await startFor(t, "raw");
    await http(target.url);
    const comeAndGo = async () => {
      const sockets = await Promise.all(Array.from({ length: 100 }, (_, i) => Socket.connect(`${target.ws}/room/fd${i % 7}?user=u`)));
      await Promise.all(Array.from({ length: 100 }, () => http(`${target.url}/`)));
      sockets.forEach((socket, i) => (i % 2 === 0 ? socket.ws.terminate() : socket.ws.close()));
      await Promise.all(sockets.map((socket) => socket.closed));
    };
    // What is opened once, as the ledger is for its first lines, is open after the first round.
    await comeAndGo();
    await until(() => descriptors(target.pid).some((path) => path.endsWith("ledger.sqlite-wal")), "the ledger");
    const before = descriptors(target.pid).length;
    for (let round = 0; round < 5; round++) await comeAndGo();
    await until(() => descriptors(target.pid).length <= before, () => `${before} before, ${descriptors(target.pid).length} after`);
  });
});

describe("dev", suite, () => {
  test("reloads on a change of the sources, and keeps the sockets", async (t) => {
    const folder = editable();
    const target = await startFor(t, folder, { command: "dev" });
    const socket = await Socket.connect(`${target.ws}/room/dev?user=u&tag=t`);
    assert.equal(await socket.ask("hello"), "hello");
    edit(folder, "server.ts", (text) => text.replace("default: return ws.send(message);", 'default: return ws.send(`new ${message}`);'));
    await until(async () => (await socket.ask("hello")) === "new hello", "the new code", 15_000);
    assert.deepEqual(JSON.parse(await socket.ask("tell")).tags, ["t"]);
    assert.ok(socket.open);
    await socket.close();
  });

  test("keeps serving the old code while the build is broken, and says where", async (t) => {
    const folder = editable();
    const target = await startFor(t, folder, { command: "dev", expectErrors: [/build/i] });
    const socket = await Socket.connect(`${target.ws}/room/dev?user=u`);
    const whole = readFileSync(join(folder, "server.ts"), "utf8");
    edit(folder, "server.ts", (text) => `${text}\nconst = 1;\n`);
    await target.child.line(/server\.ts:\d+:\d+/, 15_000);
    assert.equal(await socket.ask("still"), "still");
    assert.equal((await http(target.url)).status, 200);
    writeFileSync(join(folder, "server.ts"), whole.replace("default: return ws.send(message);", 'default: return ws.send(`mended ${message}`);'));
    await until(async () => (await socket.ask("x")) === "mended x", "the mended code", 15_000);
    await socket.close();
  });

  test("keeps serving while the configuration names a class that is not there, until that alone is mended", async (t) => {
    const folder = editable();
    const target = await startFor(t, folder, { command: "dev", expectErrors: [/build/i] });
    const whole = readFileSync(join(folder, "wrangler.jsonc"), "utf8");
    const reloads = () => target.output.match(/reloaded in/g)?.length ?? 0;
    edit(folder, "wrangler.jsonc", (text) => text.replace(/"class_name": "(\w+)"/, '"class_name": "$1Missing"'));
    await target.child.line(/B204/, 15_000);
    assert.equal((await http(target.url)).status, 200);
    assert.equal(reloads(), 0);
    writeFileSync(join(folder, "wrangler.jsonc"), whole);
    await until(() => reloads() > 0, "a reload with the mended configuration", 15_000);
    assert.equal((await http(target.url)).status, 200);
  });
});

describe("what cannot start says why, and exits", suite, () => {
  async function fails(config, pattern, { port = 0, state: given } = {}) {
    const state = given ?? temporaryFolder("hearth-test-");
    const child = new Child(kHearth, ["serve", "-c", config, "--port", String(port), "--state", state], { env: { ...process.env, NO_COLOR: "1" } });
    const timer = setTimeout(() => child.killTree(), 15_000);
    await child.exited;
    clearTimeout(timer);
    assert.equal(child.exit.signal, null, `it went on:\n${child.output}`);
    assert.notEqual(child.exit.code, 0, child.output);
    assert.match(child.output, pattern);
  }

  test("a port in use", async (t) => {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const { port } = server.address();
    await fails(join(kProjects, "raw/wrangler.jsonc"), new RegExp(`${port}.*(in use|taken|busy)|(in use|taken|busy).*${port}`, "i"), { port });
  });

  test("a configuration that is not JSON", async () => {
    const folder = editable();
    edit(folder, "wrangler.jsonc", (text) => text.replace('"main": "server.ts",', '"main": "server.ts"'));
    await fails(join(folder, "wrangler.jsonc"), /wrangler\.jsonc:\d+/);
  });

  test("a configuration that is not there", () => fails(join(kProjects, "nowhere/wrangler.jsonc"), /nowhere/));

  test("a main that is not there", async () => {
    const folder = editable();
    edit(folder, "wrangler.jsonc", (text) => text.replace('"server.ts"', '"sever.ts"'));
    await fails(join(folder, "wrangler.jsonc"), /sever\.ts/);
  });

  test("a source that does not build", async () => {
    const folder = editable();
    edit(folder, "server.ts", (text) => `import "./nowhere.ts";\n${text}`);
    await fails(join(folder, "wrangler.jsonc"), /server\.ts:1:\d+[\s\S]*nowhere/);
  });

  test("a state directory that another hearth has", async (t) => {
    const target = await startFor(t, "raw");
    await fails(join(kProjects, "raw/wrangler.jsonc"), new RegExp(target.state), { state: target.state });
    assert.equal((await http(target.url)).status, 200);
  });

  test("a damaged registry, which the doctor finds too", async () => {
    const state = temporaryFolder("hearth-test-");
    writeFileSync(join(state, "registry.sqlite"), "this was a database\n".repeat(1_000));
    const config = join(kProjects, "raw/wrangler.jsonc");
    await fails(config, /S305: .*registry\.sqlite is damaged.*hearth state restore/, { state });
    assert.match(await command(["doctor", "-c", config, "--state", state], { code: 1 }), /S305[\s\S]*is damaged/);
  });
});

describe("a host that does not come back", suite, () => {
  test("is not one: no process of hearth outlives its core", async () => {
    const target = await start("raw");
    await http(target.url);
    const family = target.processes();
    process.kill(target.pid, "SIGKILL");
    await until(() => !family.some(alive), "hosts that noticed the core's death");
    await target.discard();
  });
});
