// More clients than the limit of descriptors lets in.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import WebSocket from "ws";

import { underLimit } from "../lib/limits.mjs";
import { kRoot } from "../lib/paths.mjs";
import { descriptors, until } from "../lib/process.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kLimit = 200, kClients = 220, kLeaving = 80;
const kLow = /this process may have 200 descriptors open, .*fewer than 175 clients fit; raise it with `ulimit -n 65536`.*LimitNOFILE/;
const kOut = /no more clients can be accepted .*: (\d+) are connected, .*the limit is 200 descriptors: .*LimitNOFILE/;
const kAgain = /new clients are accepted again/;

const open = (sockets) => sockets.filter((socket) => socket.readyState === WebSocket.OPEN);

async function echoes(sockets) {
  await Promise.all(sockets.map((socket, i) => new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`socket ${i} got no answer`)), 10_000);
    socket.once("message", (data) => { clearTimeout(late); assert.equal(String(data), `hello ${i}`); resolve(); });
    socket.send(`hello ${i}`);
  })));
}

test("clients past the limit of descriptors wait, those who are there are served, and the log has the cure", hearthOnly, async (t) => {
  const target = await startFor(t, join(kRoot, "bench/worker"), { binary: underLimit(kLimit), args: ["--ping", "0"], expectErrors: [/host \d+ died( while starting)?: signal 9/] });
  const said = (pattern) => target.output.split("\n").filter((line) => pattern.test(line)).length;
  assert.equal(said(kLow), 1, target.output);

  const sockets = Array.from({ length: kClients }, () => new WebSocket(`${target.ws}/echo/one`, { perMessageDeflate: false }));
  for (const socket of sockets) socket.on("error", () => {});
  // Before the target's end is checked.
  target.clients.push({ close: () => sockets.forEach((socket) => socket.terminate()) });
  await until(() => said(kOut) > 0, () => `nothing was said of the limit:\n${target.output}`, 20_000);
  const fit = Number(kOut.exec(target.output)[1]);
  assert.ok(fit > 100 && fit < kLimit, `${fit} fit`);
  await until(() => open(sockets).length === fit, () => `${open(sockets).length} of ${fit} are open`, 20_000);
  await echoes(open(sockets));
  assert.ok(descriptors(target.pid).length <= kLimit - 20, "the core has descriptors to spare");

  // Hosts can still be started, the spare included: each needs descriptors of the core.
  for (const host of target.hosts()) process.kill(host, "SIGKILL");
  await echoes(open(sockets));
  assert.equal(open(sockets).length, fit);

  const leaving = open(sockets).slice(0, kLeaving);
  for (const socket of leaving) socket.close();
  const staying = sockets.filter((socket) => !leaving.includes(socket));
  await until(() => open(staying).length === staying.length, () => `${open(staying).length} of ${staying.length} are open`, 20_000);
  await echoes(staying);
  assert.equal(said(kAgain), 1, target.output);
  assert.equal(said(kOut), 1, "it is said once");
});
