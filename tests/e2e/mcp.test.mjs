// McpAgent with the official SDK's client, and an agent as a client of it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connectAgent, importFromProjects } from "../lib/agent-client.mjs";
import { until } from "../lib/process.mjs";
import { start } from "../lib/target.mjs";

const { Client } = await importFromProjects("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = await importFromProjects("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { SSEClientTransport } = await importFromProjects("@modelcontextprotocol/sdk/client/sse.js");
let target;
before(async () => { target = await start("mcp", { expectErrors: [/on purpose/] }); });
after(() => target?.stop());

async function connect(t, Transport, path) {
  const client = new Client({ name: "tests", version: "1" });
  await client.connect(new Transport(new URL(path, target.url)));
  t.after(() => client.close());
  return client;
}
const add = async (client, n) => (await client.callTool({ name: "add", arguments: { n } })).content[0].text;

for (const [name, Transport, path] of [["streamable HTTP", StreamableHTTPClientTransport, "/mcp"], ["server-sent events", SSEClientTransport, "/sse"]]) {
  test(`tools, resources and prompts over ${name}`, async (t) => {
    const client = await connect(t, Transport, path);
    assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name).sort(), ["add", "fail"]);
    assert.equal(await add(client, 2), "2");
    assert.equal(await add(client, 3), "5");
    assert.equal((await client.readResource({ uri: "state://total" })).contents[0].text, "5");
    assert.equal((await client.getPrompt({ name: "greet", arguments: { who: "Ann" } })).messages[0].content.text, "Greet Ann");
    const failed = await client.callTool({ name: "fail", arguments: {} });
    assert.equal(failed.isError, true);
    assert.match(failed.content[0].text, /on purpose/);
  });
}

test("each session has a state of its own", async (t) => {
  const one = await connect(t, StreamableHTTPClientTransport, "/mcp");
  const two = await connect(t, StreamableHTTPClientTransport, "/mcp");
  assert.equal(await add(one, 5), "5");
  assert.equal(await add(two, 1), "1");
  assert.equal(await add(one, 5), "10");
});

test("calls in parallel are each answered", async (t) => {
  const client = await connect(t, StreamableHTTPClientTransport, "/mcp");
  const totals = await Promise.all(Array.from({ length: 10 }, () => add(client, 1)));
  assert.deepEqual(totals.map(Number).sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("an agent is a client of an MCP server", async (t) => {
  const caller = await connectAgent(target, { agent: "Caller", name: "c" });
  assert.equal(await caller.call("connectTo", [`${target.url}/mcp`]), "ready");
  await until(async () => (await caller.call("tools")).length === 2, "the tools");
  assert.equal((await caller.call("call", [7])).content[0].text, "7");
});
