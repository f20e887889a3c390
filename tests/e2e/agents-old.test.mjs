// The Agents SDK 0.0.46 with partyserver 0.0.66, as people still have it, through its own client.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

import { Socket, http } from "../lib/clients.mjs";
import { kProjects } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { start } from "../lib/target.mjs";

const fromProject = createRequire(join(kProjects, "agents-0.0.46/package.json"));
const { AgentClient } = await import(pathToFileURL(fromProject.resolve("agents/client")).href);
let target;
before(async () => { target = await start("agents-0.0.46", { expectErrors: [/on purpose/] }); });
after(() => target?.stop());

async function connect(t, name) {
  const states = [];
  const client = new AgentClient({ agent: "coderagent", name, host: target.host, protocol: "ws", WebSocket, onStateUpdate: (state) => states.push(state) });
  t.after(() => client.close());
  await new Promise((resolve) => client.addEventListener("open", resolve, { once: true }));
  return { client, states };
}

test("state is synchronized between clients and the server", async (t) => {
  const one = await connect(t, "default");
  const two = await connect(t, "default");
  one.client.setState({ count: 5 });
  await until(() => two.states.some((state) => state.count === 5), "the state at the other client");
  assert.equal(await two.client.call("add", [2]), 7);
  await until(() => one.states.some((state) => state.count === 7), "the server's own change");
  assert.equal((await http(`${target.url}/add`)).json(), 17);
  await until(() => one.states.some((state) => state.count === 17), "a change by RPC from the worker");
});

test("callables answer, stream, and reject with the reason", async (t) => {
  const { client } = await connect(t, "calls");
  await assert.rejects(client.call("fails"), /on purpose/);
  const chunks = [];
  const last = await new Promise((resolve, reject) => {
    client.call("counts", [5], { onChunk: (chunk) => chunks.push(chunk), onDone: resolve, onError: reject }).catch(reject);
  });
  assert.deepEqual(chunks, [1, 2, 3, 4, 5]);
  assert.equal(last, "counted");
});

test("a schedule runs and writes by SQL", async (t) => {
  const { client } = await connect(t, "schedule");
  await client.call("later", ["scheduled"]);
  await until(async () => (await client.call("log")).includes("scheduled"), "the schedule", 8_000);
});

test("messages, connection state and broadcasts over plain WebSockets", async () => {
  const url = `${target.ws}/agents/coderagent/plain`;
  const one = await Socket.connect(url);
  const two = await Socket.connect(url);
  const next = async (socket) => { for (;;) { const message = await socket.next(); if (!String(message).startsWith("{")) return message; } };
  one.send("a");
  assert.equal(await next(one), "echo a 1");
  one.send("b");
  assert.equal(await next(one), "echo b 2");
  two.send("all");
  assert.equal(await next(one), "for all");
  assert.equal(await next(two), "for all");
  await Promise.all([one.close(), two.close()]);
});

test("HTTP reaches onRequest, and anything else is 404", async () => {
  assert.equal((await http(`${target.url}/agents/coderagent/default`)).text, "hello from default");
  assert.equal((await http(`${target.url}/elsewhere`)).status, 404);
});
