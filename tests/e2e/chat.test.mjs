// @cloudflare/ai-chat with a scripted model, through the SDK's own chat transport.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connectAgent, importFromProjects } from "../lib/agent-client.mjs";
import { http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { start } from "../lib/target.mjs";

const { WebSocketChatTransport } = await importFromProjects("agents/chat/transport");
let target;
before(async () => { target = await start("chat"); });
after(() => target?.stop());

/** A client with the transport, wired as the SDK's React hook wires them. */
async function chat(t, name) {
  const client = await connectAgent(target, { agent: "Chat", name });
  const transport = new WebSocketChatTransport({ agent: client, activeRequestIds: new Set() });
  client.addEventListener("message", ({ data }) => {
    if (typeof data !== "string" || !data.startsWith("{")) return;
    const message = JSON.parse(data);
    if (message.type === "cf_agent_stream_resuming") transport.handleStreamResuming(message);
    if (message.type === "cf_agent_stream_resume_none") transport.handleStreamResumeNone(message);
  });
  return { client, transport };
}

const user = (id, text) => ({ id, role: "user", parts: [{ type: "text", text }] });
const send = (transport, messages) => transport.sendMessages({ chatId: "c", messages, abortSignal: undefined, trigger: "submit-message" });

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
const textOf = (chunks) => chunks.filter((chunk) => chunk.type === "text-delta").map((chunk) => chunk.delta).join("");
const history = async (name) => (await http(`${target.url}/agents/chat/${name}/get-messages`)).json();

test("a message is answered in a stream, and both are kept", async (t) => {
  const { transport } = await chat(t, "plain");
  const chunks = await collect(await send(transport, [user("m1", "one two three")]));
  assert.equal(textOf(chunks), "one two three");
  assert.ok(chunks.filter((chunk) => chunk.type === "text-delta").length >= 3, "it came in pieces");
  const kept = await until(async () => { const all = await history("plain"); return all.length === 2 && all; }, "the history");
  assert.deepEqual(kept.map((message) => message.role), ["user", "assistant"]);
});

test("a tool is called in the agent, and its result goes back to the model", async (t) => {
  const { transport } = await chat(t, "tools");
  const chunks = await collect(await send(transport, [user("m1", "weather in Ulm")]));
  assert.deepEqual(chunks.find((chunk) => chunk.type === "tool-output-available")?.output, { city: "Ulm", sky: "clear" });
  assert.equal(textOf(chunks), "It is clear.");
});

test("the history reaches another client and goes into the next turn", async (t) => {
  const one = await chat(t, "shared");
  const two = await chat(t, "shared");
  const seen = [];
  two.client.addEventListener("message", ({ data }) => { if (String(data).includes("cf_agent_chat_messages")) seen.push(JSON.parse(data)); });
  await collect(await send(one.transport, [user("m1", "first")]));
  await until(() => seen.some((message) => message.messages?.some((m) => m.id === "m1")), "the message at the other client");
  const kept = await until(async () => { const all = await history("shared"); return all.length === 2 && all; }, "the history");
  assert.equal(textOf(await collect(await send(two.transport, [...kept, user("m2", "second")]))), "second");
  await until(async () => (await history("shared")).length === 4, "both turns in the history");
});

test("a stream is resumed by a client that comes back, from its beginning and to its end", async (t) => {
  const first = await chat(t, "resume");
  const words = "slowly one two three four five six seven eight nine ten";
  const stream = await send(first.transport, [user("m1", words)]);
  const reader = stream.getReader();
  let early = "";
  while (!early.includes("two")) {
    const { value, done } = await reader.read();
    assert.ok(!done, "the stream is still going on");
    if (value.type === "text-delta") early += value.delta;
  }
  first.client.close();
  await reader.cancel().catch(() => {});
  const second = await chat(t, "resume");
  const resumed = await second.transport.reconnectToStream({ chatId: "c" });
  assert.ok(resumed, "there is a stream to resume");
  assert.equal(textOf(await collect(resumed)), words);
});

test("there is nothing to resume when nothing streams", async (t) => {
  const { transport } = await chat(t, "idle");
  assert.equal(await transport.reconnectToStream({ chatId: "c" }), null);
});
