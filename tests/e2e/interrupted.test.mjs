// An agent that is at work when its host dies goes on with it on the next one, unasked, and the client
// that waits on the same socket gets the rest.
import assert from "node:assert/strict";
import { test } from "node:test";

import { connectAgent } from "../lib/agent-client.mjs";
import { http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own promises" };
const kHostDied = /host|SIGKILL|died|killed/i;
const WORDS = "slowly one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";

test("an answer that a host's death cuts off goes on within seconds, on the same socket", suite, async (t) => {
  const target = await startFor(t, "chat", { expectErrors: [kHostDied] });
  const client = await connectAgent(target, { agent: "Chat", name: "cut" });
  let closed = false;
  client.addEventListener("close", () => { closed = true; });
  const chunks = [];
  client.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data);
    if (message.type !== "cf_agent_use_chat_response" || !message.body) return;
    const body = JSON.parse(message.body);
    if (body.type === "text-delta") chunks.push({ text: body.delta, at: performance.now() });
  });
  client.send(JSON.stringify({
    type: "cf_agent_use_chat_request", id: "r1",
    init: { method: "POST", body: JSON.stringify({ messages: [{ id: "m1", role: "user", parts: [{ type: "text", text: WORDS }] }] }) },
  }));
  await until(() => chunks.length >= 4, "the first words");
  const before = chunks.length;
  const killed = performance.now();
  for (const pid of target.hosts()) process.kill(pid, "SIGKILL");
  await until(() => chunks.length > before + 1, () => `the answer goes on (${chunks.length} pieces)\n${target.output}`, 15_000);
  const gap = chunks[before].at - killed;
  t.diagnostic(`the next word came ${Math.round(gap)} ms after the kill`);
  assert.ok(gap < 5_000, `${gap} ms`);
  assert.equal(closed, false);
  const kept = await until(async () => {
    const all = (await http(`${target.url}/agents/chat/cut/get-messages`)).json();
    const text = all.filter((each) => each.role === "assistant").flatMap((each) => each.parts).map((part) => part.text ?? "").join("");
    return text.includes("fifteen") && all;
  }, "the whole answer in the history", 20_000);
  assert.equal(kept.filter((message) => message.role === "user").length, 1);
});
