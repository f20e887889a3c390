// An agent whose start fails with an error that says nothing of how long: clients try again, as they
// should, until it has failed alike for --give-up. Then the SDK's clients, old and new, are told so
// once and stop; and mending the code, or one answer, begins anew.
import assert from "node:assert/strict";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

import { importFromProjects } from "../lib/agent-client.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kProjects, kRoot } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, start } from "../lib/target.mjs";

const kPatienceMs = 30_000;
const fromOld = createRequire(join(kProjects, "agents-0.0.46/package.json"));
const clients = {
  "0.32": { modules: "", AgentClient: (await importFromProjects("agents/client")).AgentClient },
  "0.0.46": { modules: "agents-0.0.46", AgentClient: (await import(pathToFileURL(fromOld.resolve("agents/client")).href)).AgentClient },
};

async function projectFor(t, modules, command = "dev", seconds = 1) {
  const folder = temporaryFolder("hearth-gives-up-");
  cpSync(join(kRoot, "tests/faults/R407-throws"), folder, { recursive: true });
  symlinkSync(join(kProjects, modules, "node_modules"), join(folder, "node_modules"));
  const target = await start(folder, { command, args: ["--give-up", String(seconds)], expectErrors: [/./] });
  t.after(() => target.stop({ checkDescriptors: false }));
  return { folder, target };
}

/** Every close that a client sees until it tries no more. */
async function closesOf(t, { AgentClient }, target, name) {
  const client = new AgentClient({
    agent: "coder-agent", name, host: target.host, protocol: "ws", WebSocket, minReconnectionDelay: 100, maxReconnectionDelay: 200,
  });
  t.after(() => client.close());
  client.ready?.catch?.(() => {});
  client.addEventListener("error", () => {});
  const closes = [];
  client.addEventListener("close", ({ code, reason }) => closes.push({ code, reason }));
  await until(() => closes.some(({ code }) => code >= 4000), () => `it is told to stop: ${JSON.stringify(closes.slice(-3))}`, kPatienceMs);
  return { client, closes };
}

for (const [version, given] of Object.entries(clients)) {
  for (const name of ["start", "constructor"]) {
    test(`AgentClient of ${version} is told to stop when the agent's ${name} always fails`, hearthOnly, async (t) => {
      const { target, folder } = await projectFor(t, given.modules);
      const { client, closes } = await closesOf(t, given, target, name);
      const { code, reason } = closes.at(-1);
      assert.equal(code, 4500);
      assert.match(reason, new RegExp(`^R407: ${name} failed \\(server\\.ts:6:\\d+\\)$`));
      const before = closes.slice(0, -1);
      assert.ok(before.length >= 4, "it had tried before");
      assert.deepEqual([...new Set(before.map((each) => each.code))], [1011]);
      if (version === "0.32") {
        assert.equal(client.shouldReconnect, false);
        assert.match(client.connectionError?.message ?? "", /failed/, "and knows the reason");
        await assert.rejects(client.call("anything"), /Connection closed/);
      }
      // The agents that work are told nothing of it.
      assert.equal((await http(`${target.url}/agents/coder-agent/well`)).text, "hello");
      // Mending the file is enough.
      const file = join(folder, "server.ts");
      writeFileSync(file, readFileSync(file, "utf8").replace("throw new Error(`${when} failed`)", "console.log(when)"));
      await until(async () => (await http(`${target.url}/agents/coder-agent/${name}`)).text === "hello", "the cure mends it", kPatienceMs);
    });
  }
}

test("one answer between begins anew, and 0 never gives up", hearthOnly, async (t) => {
  const { target } = await projectFor(t, "", "serve", 0);
  for (let n = 0; n < 12; n++) {
    const socket = await Socket.connect(`${target.ws}/agents/coder-agent/start`);
    assert.equal((await socket.closed).code, 1011);
  }
  const other = (await projectFor(t, "", "serve", 1)).target;
  const ended = async () => (await (await Socket.connect(`${other.ws}/agents/coder-agent/connect`)).closed).code;
  await until(async () => (await ended()) === 4500, "onConnect alone fails for long enough", kPatienceMs);
  assert.equal((await http(`${other.url}/agents/coder-agent/connect`)).text, "hello", "the agent itself can answer");
  assert.equal(await ended(), 1011);
});
