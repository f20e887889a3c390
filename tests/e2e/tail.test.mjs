// The log of a running server as others follow it, and what the server says of itself.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { ask, open } from "../lib/admin.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { kHearth } from "../lib/paths.mjs";
import { Child, alive, until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own interface" };
const say = (target, agent, line) => http(`${target.url}/${agent}?${encodeURIComponent(line)}`);

/** `hearth tail ARGS…` that follows, which the end of the test ends. */
async function tail(t, target, args) {
  const before = (await ask(target, "/_hearth/health")).json().logFollowers;
  const child = new Child(kHearth, ["tail", "--state", target.state, ...args], { env: { ...process.env, NO_COLOR: "1" } });
  t.after(() => child.killTree());
  await until(async () => (await ask(target, "/_hearth/health")).json().logFollowers > before, "the tail follows");
  return child;
}

describe("hearth tail", suite, () => {
  test("shows what agents say and what becomes of connections, as it happens", async (t) => {
    const target = await startFor(t, "logs", { expectErrors: [/on purpose/] });
    const all = await tail(t, target, []);
    const json = await tail(t, target, ["lobby", "--level", "warn", "--json"]);
    const some = await tail(t, target, ["--grep", "needle \\d+"]);
    const socket = await Socket.connect(`${target.ws}/lobby`);
    await socket.ask("debug below the server's level");
    await socket.ask("warn needle 7");
    await socket.ask("warn needle none");
    await say(target, "den", "warn of another agent");
    await socket.close(4001, "done here");
    await all.line(/debug Room\/lobby › below the server's level {2}connection \d+$/);
    await all.line(/debug Room\/lobby: woke: on host \d+$/);
    await all.line(/debug Room\/lobby: connected: \S+\/lobby {2}connection \d+$/);
    await all.line(/debug Room\/lobby: closed: 4001 done here/);
    await all.line(/warn {2}Room\/den +› of another agent {2}request \d+$/);
    await say(target, "den", "print line past the console");
    await all.line(/info {2}Room\/den +› past the console {2}request \d+$/);
    await say(target, "den", "print child echo from a child");
    await all.line(/info {2}\(host \d+\) +› from a child$/);
    const [line] = await json.line(/^\{.*"message":"needle none".*\}$/);
    assert.equal(JSON.parse(line).agent, "lobby");
    assert.deepEqual(json.lines.map(({ text }) => JSON.parse(text).message), ["needle 7", "needle none"]);
    await say(target, "den", "warn needle 8");
    await some.line(/needle 8/);
    assert.equal(some.lines.filter(({ text }) => !/needle \d/.test(text)).length, 0, some.output);
    assert.doesNotMatch(target.output, /below the server's level|connected/, "a tail changes nothing of the log's level");
  });

  test("ends with its server, and complains without one", async (t) => {
    const target = await startFor(t, "logs");
    const child = await tail(t, target, []);
    await target.stop({ keepState: true });
    await child.exited;
    const alone = new Child(kHearth, ["tail", "--state", target.state], {});
    await alone.exited;
    assert.equal(alone.exit.code, 1);
    assert.match(alone.output, /hearth tail: .+/);
  });

  test("a follower that does not read costs the server nothing, and learns what it missed", async (t) => {
    const target = await startFor(t, "logs");
    const slow = await open(target, "/_hearth/tail?level=info");
    assert.equal(slow.status, 200);
    slow.response.pause();
    // Many agents, so that no one's rate bounds what is said: some 6 MB.
    for (let i = 0; i < 40; i++) {
      const start = performance.now();
      assert.equal((await say(target, `agent${i}`, "long 16000")).status, 200);
      for (let j = 0; j < 9; j++) await say(target, `agent${i}`, "long 16000");
      assert.ok(performance.now() - start < 5_000, "the server goes on");
    }
    const lines = [];
    let rest = "";
    slow.response.setEncoding("utf8").on("data", (part) => {
      const parts = (rest + part).split("\n");
      rest = parts.pop();
      lines.push(...parts.map((line) => JSON.parse(line)));
    });
    slow.response.resume();
    // What it missed is told before the next line that it gets.
    const said = () => lines.filter(({ message }) => message.startsWith("xxx")).length;
    const skipped = () => lines.reduce((sum, { message, dropped }) => sum + (/lines? skipped/.test(message) ? dropped : 0), 0);
    let asked = 0;
    await until(async () => {
      await say(target, "late", "warn are you there");
      asked++;
      return said() + skipped() >= 400;
    }, () => `${said()} lines came, ${skipped()} were skipped`);
    assert.ok(said() < 400 && said() + skipped() <= 400 + asked, `${said()} lines came, ${skipped()} were skipped, ${asked} asked`);
    slow.close();
    await until(async () => (await ask(target, "/_hearth/health")).json().logFollowers === 0, "the follower is forgotten");
  });

  test("refuses a level that there is not", async (t) => {
    const target = await startFor(t, "logs");
    assert.equal((await ask(target, "/_hearth/tail?level=loud")).status, 400);
  });
});

describe("a server's health", suite, () => {
  test("names its hosts, its queues and its build", async (t) => {
    const target = await startFor(t, "logs", { args: ["--hosts", "2"] });
    const sockets = await Promise.all(["a", "b", "c"].map((name) => Socket.connect(`${target.ws}/${name}`)));
    const answer = await ask(target, "/_hearth/health");
    assert.equal(answer.status, 200);
    const health = answer.json();
    assert.deepEqual([health.status, health.worker, health.mode, health.pid, health.connections, health.agentsAwake, health.build.state],
      ["ready", "logs", "serve", target.pid, 3, 3, "serving"]);
    const active = health.hosts.filter(({ state }) => state === "active");
    assert.deepEqual(active.map(({ slot }) => slot).sort(), [0, 1]);
    for (const { pid, memoryBytes } of active) assert.ok(alive(pid) && memoryBytes > 1e6);
    assert.ok(health.memoryBytes > 1e6 && health.uptimeMs > 0 && /^\d+\.\d+/.test(health.version));
    assert.deepEqual(health.slots, [{ served: true, waiting: 0 }, { served: true, waiting: 0 }]);
    const metrics = await ask(target, "/_hearth/metrics");
    assert.match(metrics.headers["content-type"], /^text\/plain/);
    assert.match(metrics.text, /^hearth_ready 1$/m);
    assert.match(metrics.text, /^hearth_connections 3$/m);
    assert.match(metrics.text, /^hearth_memory_bytes\{process="core"\} \d+$/m);
    for (const socket of sockets) socket.ws.terminate();
  });

  test("is 503 with the reason while nothing can be served", async (t) => {
    const { temporaryFolder } = await import("../lib/folders.mjs");
    const folder = temporaryFolder("hearth-broken-");
    writeFileSync(join(folder, "wrangler.jsonc"), '{ "name": "broken", "main": "s.ts", "compatibility_date": "2026-06-01" }\n');
    writeFileSync(join(folder, "s.ts"), "export default { fetch( }\n");
    const child = new Child(kHearth, ["dev", "-c", join(folder, "wrangler.jsonc"), "--port", "0", "--state", join(folder, "state")], {});
    t.after(() => child.end());
    await child.line(/the build is broken/);
    const answer = await ask({ state: join(folder, "state") }, "/_hearth/health");
    assert.equal(answer.status, 503);
    const health = answer.json();
    assert.equal(health.build.state, "broken");
    assert.match(health.build.error, /s\.ts:1:\d+/);
    assert.match(health.reason, /^B201: /, "the code of what is to be mended");
    writeFileSync(join(folder, "s.ts"), "export default { fetch() { return new Response('mended'); } };\n");
    await until(async () => (await ask({ state: join(folder, "state") }, "/_hearth/health")).status === 200, "it is ready", 15_000);
  });
});
