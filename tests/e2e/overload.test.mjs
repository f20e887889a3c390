// More messages, requests and calls for one agent than it can handle: what waits is bounded, nothing of
// what was accepted is lost, its neighbours are served, and who is turned away is told.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

import { http, Socket } from "../lib/clients.mjs";
import { kFloodedAgents } from "../lib/flooded-agents.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kClients = 300, kFloodMs = 4_000, kMessages = 6_000, kMessageBytes = 64 * 1024, kMb = 1024 * 1024;
const kPatienceMs = 30_000;
/** Of one agent: EVENTS_MAX in host/runtime/src/agent/instance.ts. */
const kEventsMax = 4096;

// No handler of a Slow ends before the file GATE is there.
const kWorker = `${kFloodedAgents}
import { existsSync } from "node:fs";
let gate;
const opened = (path) => (gate ??= new Promise((resolve) => {
  const timer = setInterval(() => existsSync(path) && (clearInterval(timer), resolve()), 20);
}));
export class Slow extends Counting {
  work() { return opened(this.env.GATE); }
  async hold() {
    await this.work();
    return "held";
  }
}
const told = (error) => [error.message, error.overloaded === true, error.retryable === true].join(" | ");
const slot = (id) => Number(Buffer.from(String(id), "hex").readBigUInt64LE() % 2n);
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const name = searchParams.get("name") ?? "one";
    if (pathname === "/ping") return new Response("pong");
    if (pathname === "/seen") return Response.json(await env.SLOW.getByName("one").seen());
    if (pathname === "/names") {
      // Of each of two hosts.
      const names = [];
      for (let i = 0; names.length < 2; i++) if (slot(env.SLOW.idFromName("n" + i)) === names.length) names.push("n" + i);
      return Response.json(names);
    }
    if (pathname === "/calls") {
      const stub = env.SLOW.getByName(name);
      const answers = {};
      await Promise.all(Array.from({ length: Number(searchParams.get("count")) }, () =>
        stub.hold().catch(told).then((answer) => { answers[answer] = (answers[answer] ?? 0) + 1; })));
      return Response.json(answers);
    }
    if (pathname === "/hold") return new Response(await env.SLOW.getByName(name).hold());
    return env[pathname.slice(1).toUpperCase()].getByName(name).fetch(request);
  },
};
`;

function project() {
  const folder = temporaryFolder("hearth-overload-");
  writeFileSync(join(folder, "worker.js"), kWorker);
  writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
    name: "slow", main: "worker.js", compatibility_date: "2026-06-01", compatibility_flags: ["nodejs_compat"],
    vars: { GATE: join(folder, "gate") },
    durable_objects: { bindings: [{ name: "SLOW", class_name: "Slow" }, { name: "QUICK", class_name: "Quick" }] },
    migrations: [{ tag: "v1", new_sqlite_classes: ["Slow", "Quick"] }],
  }));
  return { folder, open: () => writeFileSync(join(folder, "gate"), "") };
}

const residentMb = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

function assertOverloaded(answer) {
  assert.equal(answer.status, 503, answer.text);
  assert.ok(answer.headers["retry-after"]);
  assert.match(answer.text, /R415/);
}

/** What is answered to a request for a WebSocket that is refused. */
const refusal = (url) => http(url, {
  headers: { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" },
});

test("clients that flood a slow agent are held back: memory is bounded, its neighbours are served, and no message is lost", hearthOnly, async (t) => {
  const { folder, open } = project();
  const target = await startFor(t, folder, { args: ["--ping", "0"] });
  const sockets = await Promise.all(Array.from({ length: kClients }, () => new Promise((resolve, reject) => {
    const socket = new WebSocket(`${target.ws}/slow`, { perMessageDeflate: false });
    socket.once("open", () => resolve(socket));
    socket.on("error", reject);
  })));
  target.clients.push({ close: () => sockets.forEach((socket) => socket.terminate()) });
  const neighbour = await Socket.connect(`${target.ws}/quick`);
  target.clients.push(neighbour);
  const before = residentMb(target.pid);

  // Each client sends as much as its socket takes; what hearth does not read stays in the sockets.
  let sent = 0, peak = 0;
  const numbers = sockets.map(() => 0);
  const tail = "x".repeat(kMessageBytes);
  const until_ms = Date.now() + kFloodMs;
  while (Date.now() < until_ms && sent < kMessages) {
    sockets.forEach((socket, i) => {
      if (socket.bufferedAmount > 0) return;
      socket.send(`${i} ${++numbers[i]} ${tail}`);
      sent++;
    });
    peak = Math.max(peak, residentMb(target.pid));
    await sleep(5);
  }
  t.diagnostic(`${sent} messages of 64 KB from ${kClients} clients; core ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most; host ${residentMb(target.hosts()[0]).toFixed(0)} MB`);
  assert.ok(sent * kMessageBytes > 100 * kMb, `${sent} messages are too few`);
  // The agent's 16 MB, and of each client at most a message that is half there, or what was read of it at once.
  assert.ok(peak - before < 128, `the core grew from ${before} MB to ${peak} MB`);

  neighbour.send("hello");
  assert.equal(await neighbour.next(kPatienceMs), "hello");
  assert.equal((await http(`${target.url}/ping`)).text, "pong");
  assertOverloaded(await refusal(`${target.url}/agents/slow/one`));
  assertOverloaded(await http(`${target.url}/agents/slow/one`));

  open();
  let answer;
  await until(async () => (answer = await http(`${target.url}/seen`)).status === 200 && answer.json().seen === sent,
    () => `${sent} were sent, and: ${answer.text}`, 40_000);
  assert.equal(answer.json().disorder, 0);
  assert.equal(sockets.filter((socket) => socket.readyState === WebSocket.OPEN).length, kClients);
  for (const socket of sockets) socket.terminate();
});

test("callers of an agent that has too much to do get .overloaded, on its host and on another, and it passes", hearthOnly, async (t) => {
  const { folder, open } = project();
  const target = await startFor(t, folder, { args: process.env.HEARTH_ARGS?.includes("--hosts") ? [] : ["--hosts", "2"] });
  const names = (await http(`${target.url}/names`)).json();
  const extra = 100;
  const calls = names.map((name) => http(`${target.url}/calls?count=${kEventsMax + extra}&name=${name}`, { timeoutMs: 2 * kPatienceMs }));
  // As a caller of one more: refused once those are there.
  for (const name of names) {
    let answer;
    await until(async () => (answer = await http(`${target.url}/hold?name=${name}`, { timeoutMs: 300 }).catch(() => null)) !== null,
      () => `${name} holds every call`, kPatienceMs);
    assertOverloaded(answer);
    assertOverloaded(await refusal(`${target.url}/slow?name=${name}`));
  }
  open();
  for (const call of calls) {
    const answers = (await call).json();
    const refused = answers["Durable Object is overloaded. Too many requests queued. | true | false"];
    assert.ok(refused >= extra, JSON.stringify(answers));
    assert.equal(refused + answers.held, kEventsMax + extra, JSON.stringify(answers));
  }
  for (const name of names) assert.equal((await http(`${target.url}/hold?name=${name}`)).text, "held");
});
