// More messages for one agent than it can handle: what waits is bounded, and nothing of it is lost.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

import { http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kClients = 300, kFloodMs = 4_000, kSlowMs = 9_000, kMessages = 6_000, kMessageBytes = 64 * 1024, kMb = 1024 * 1024;

// No handler ends until some seconds after the first has begun.
const kWorker = `
import { DurableObject } from "cloudflare:workers";
let gate, seen = 0, disorder = 0;
const last = new Map();
export class Slow extends DurableObject {
  async fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  async webSocketMessage(ws, message) {
    const [client, number] = message.slice(0, 32).split(" ").map(Number);
    if (number !== (last.get(client) ?? 0) + 1) disorder++;
    last.set(client, number);
    await (gate ??= scheduler.wait(${kSlowMs}));
    seen++;
  }
}
export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/seen") return Response.json({ seen, disorder });
    return env.SLOW.getByName("one").fetch(request);
  },
};
`;

function project() {
  const folder = temporaryFolder("hearth-overload-");
  writeFileSync(join(folder, "worker.js"), kWorker);
  writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
    name: "slow", main: "worker.js", compatibility_date: "2026-06-01",
    durable_objects: { bindings: [{ name: "SLOW", class_name: "Slow" }] }, migrations: [{ tag: "v1", new_sqlite_classes: ["Slow"] }],
  }));
  return folder;
}

const residentMb = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

test("clients that flood a slow agent are held back: memory stays bounded, requests get 503, and no message is lost", hearthOnly, async (t) => {
  const target = await startFor(t, project(), { args: ["--ping", "0"] });
  const sockets = await Promise.all(Array.from({ length: kClients }, () => new Promise((resolve, reject) => {
    const socket = new WebSocket(target.ws, { perMessageDeflate: false });
    socket.once("open", () => resolve(socket));
    socket.on("error", reject);
  })));
  target.clients.push({ close: () => sockets.forEach((socket) => socket.terminate()) });
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
  assert.ok(sent * kMessageBytes > 250 * kMb, `${sent} messages are too few`);
  // The queue's 64 MB, and of each client at most what was read of it in one turn.
  assert.ok(peak - before < 64 + 128, `the core grew from ${before} MB to ${peak} MB`);

  const refused = await http(`${target.url}/seen`);
  assert.equal(refused.status, 503, refused.text);
  assert.ok(refused.headers["retry-after"]);

  let answer;
  await until(async () => (answer = await http(`${target.url}/seen`)).status === 200 && answer.json().seen === sent,
    () => `${sent} were sent, and: ${answer.text}`, 40_000);
  assert.equal(answer.json().disorder, 0);
  assert.equal(sockets.filter((socket) => socket.readyState === WebSocket.OPEN).length, kClients);
  for (const socket of sockets) socket.terminate();
});
