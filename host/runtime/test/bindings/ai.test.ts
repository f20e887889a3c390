// env.AI against an OpenAI-compatible server over real HTTP, scripted here: what is asked of it, and
// what users of Workers AI read from the answers.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Ai, type AiConfig } from "../../src/bindings/ai.ts";
import { toMessages } from "../../src/bindings/ai_chat.ts";
import type { Response } from "../../src/web/response.ts";

interface Seen { path: string; authorization: string | undefined; body: any }
let server: Server;
let base = "";
let seen: Seen[] = [];
let closed = 0;
let script: (body: any, respond: ServerResponse) => void = () => {};

const events = (...chunks: unknown[]) => chunks.map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`).join("");
const delta = (value: object, finish: string | null = null) => ({ choices: [{ index: 0, delta: value, finish_reason: finish }] });
function stream(text: string): (body: any, respond: ServerResponse) => void {
  return (_body, respond) => respond.writeHead(200, { "content-type": "text/event-stream" }).end(text);
}
function json(value: unknown, status = 200): (body: any, respond: ServerResponse) => void {
  return (_body, respond) => respond.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

before(async () => {
  server = createServer((request, respond) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk) => { text += chunk; }).on("end", () => {
      const body = JSON.parse(text);
      seen.push({ path: request.url!, authorization: request.headers.authorization, body });
      respond.on("close", () => { closed += 1; });
      script(body, respond);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

function ai(changes: Partial<AiConfig> = {}): Ai {
  seen = [];
  return new Ai({ baseUrl: base, keyName: "TEST_KEY", key: "secret", ...changes });
}
async function read(value: unknown): Promise<string> {
  let text = "";
  for await (const chunk of value as ReadableStream<Uint8Array>) text += new TextDecoder().decode(chunk);
  return text;
}
function chunksOf(text: string): any[] {
  return text.split("\n\n").filter(Boolean).map((line) => line === "data: [DONE]" ? "DONE" : JSON.parse(line.slice(6)));
}

test("a prompt becomes a chat, and the answer is Workers AI's", async () => {
  script = json({ choices: [{ message: { role: "assistant", content: "hi" }, finish_reason: "stop" }], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } });
  const result: any = await ai().run("some/model", { prompt: "hello", max_tokens: 5, random_seed: 7, temperature: undefined });
  assert.equal(result.response, "hi");
  assert.deepEqual(result.usage, { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 });
  assert.equal("tool_calls" in result, false);
  assert.deepEqual(seen, [{
    path: "/v1/chat/completions", authorization: "Bearer secret",
    body: { model: "some/model", max_tokens: 5, seed: 7, messages: [{ role: "user", content: "hello" }] },
  }]);
});
test("tools of either shape go out as OpenAI's, and calls come back with parsed arguments", async () => {
  script = json({ choices: [{ message: { content: null, tool_calls: [{ id: "c1", type: "function", function: { name: "add", arguments: "{\"a\":1}" } }] } }] });
  const parameters = { type: "object", properties: { a: { type: "number" } } };
  const result: any = await ai().run("m", {
    messages: [{ role: "user", content: "x" }], tool_choice: "auto",
    tools: [{ name: "add", description: "d", parameters }, { type: "function", function: { name: "sub", parameters } }],
  });
  assert.deepEqual(result.tool_calls, [{ id: "c1", name: "add", arguments: { a: 1 } }]);
  assert.equal(result.response, "");
  assert.deepEqual(seen[0]!.body.tools, [
    { type: "function", function: { name: "add", description: "d", parameters } }, { type: "function", function: { name: "sub", parameters } },
  ]);
});
test("messages get the ids that OpenAI wants, and results find their calls", () => {
  assert.deepEqual(toMessages([
    { role: "assistant", content: "", tool_calls: [{ name: "a", arguments: { x: 1 } }, { name: "b", arguments: {} }] },
    { role: "tool", name: "b", content: "rb" }, { role: "tool", name: "a", content: { r: 1 } }, { role: "tool", name: "z", content: "stray" },
  ]), [
    { role: "assistant", content: null, tool_calls: [
      { id: "call_0", type: "function", function: { name: "a", arguments: '{"x":1}' } }, { id: "call_1", type: "function", function: { name: "b", arguments: "{}" } }] },
    { role: "tool", content: "rb", tool_call_id: "call_1" }, { role: "tool", content: '{"r":1}', tool_call_id: "call_0" },
    { role: "user", content: "The tool z answered: stray" },
  ]);
});
test("JSON mode wraps a bare schema and gives an object", async () => {
  script = json({ choices: [{ message: { content: '{"n":1}' } }] });
  const schema = { type: "object", title: "My answer", properties: { n: { type: "number" } } };
  const result: any = await ai().run("m", { prompt: "x", response_format: { type: "json_schema", json_schema: schema } });
  assert.deepEqual(result.response, { n: 1 });
  assert.deepEqual(seen[0]!.body.response_format, { type: "json_schema", json_schema: { name: "My_answer", schema } });
});
test("a stream is Workers AI's, piece by piece, with usage and the end", async () => {
  script = stream(": comment\n\n" + events(delta({ role: "assistant", content: "" }), delta({ content: "Hel" }), delta({ content: "lo é" }), delta({}, "stop"),
    { choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } }, "[DONE]"));
  const result = await ai().run("m", { prompt: "x", stream: true });
  assert.ok(result instanceof ReadableStream);
  assert.deepEqual(chunksOf(await read(result)), [
    { response: "Hel" }, { response: "lo é" }, { response: "", finish_reason: "stop" },
    { response: "", usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } }, "DONE",
  ]);
  assert.equal(seen[0]!.body.stream, true);
  assert.deepEqual(seen[0]!.body.stream_options, { include_usage: true });
});
test("a stream is translated across any cut, with CRLF", async () => {
  const whole = Buffer.from(events(delta({ content: "añb" }), delta({ content: "c" }, "stop"), "[DONE]").replaceAll("\n", "\r\n"));
  script = (_body, respond) => {
    respond.writeHead(200, { "content-type": "text/event-stream" });
    let at = 0;
    const next = () => {
      if (at === whole.length) respond.end();
      else respond.write(whole.subarray(at, ++at), () => setImmediate(next));
    };
    next();
  };
  assert.deepEqual(chunksOf(await read(await ai().run("m", { prompt: "x", stream: true }))), [{ response: "añb" }, { response: "c", finish_reason: "stop" }, "DONE"]);
});
test("tool calls and reasoning stream as they come", async () => {
  const first = [{ index: 0, id: "c", type: "function", function: { name: "f", arguments: "" } }];
  const more = [{ index: 0, function: { arguments: "{}" } }];
  script = stream(events(delta({ reasoning: "hm" }), delta({ tool_calls: first }), delta({ tool_calls: more }, "tool_calls"), "[DONE]"));
  assert.deepEqual(chunksOf(await read(await ai().run("m", { prompt: "x", stream: true }))), [
    { response: "", choices: [{ index: 0, delta: { reasoning_content: "hm" } }] }, { response: "", tool_calls: first },
    { response: "", tool_calls: more, finish_reason: "tool_calls" }, "DONE",
  ]);
});
test("an endpoint that does not stream still gives a stream", async () => {
  script = json({ choices: [{ message: { content: "whole" } }] });
  const chunks = chunksOf(await read(await ai().run("m", { prompt: "x", stream: true })));
  assert.equal(chunks[0].response, "whole");
  assert.equal(chunks.at(-1), "DONE");
});
test("an error inside of a stream, or a stream cut short, is the reader's error", async () => {
  script = stream(events(delta({ content: "a" }), { error: { message: "overloaded", code: 529 } }));
  await assert.rejects(read(await ai().run("m", { prompt: "x", stream: true })), { name: "InferenceUpstreamError", status: 529, message: /overloaded/ });
  script = stream(events(delta({ content: "a" })));
  await assert.rejects(read(await ai().run("m", { prompt: "x", stream: true })), /ended before data: \[DONE\]/);
});
test("a stream that is given up is given up upstream", async () => {
  closed = 0;
  script = (_body, respond) => {
    respond.writeHead(200, { "content-type": "text/event-stream" });
    respond.write(events(delta({ content: "a" })));
  };
  const reader = ((await ai().run("m", { prompt: "x", stream: true })) as ReadableStream).getReader();
  await reader.read();
  await reader.cancel();
  const deadline = performance.now() + 5000;
  while (closed === 0 && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, 1);
});
test("embeddings come back as rows in the order of the texts", async () => {
  script = json({ data: [{ index: 1, embedding: [3, 4] }, { index: 0, embedding: [1, 2] }] });
  assert.deepEqual(await ai().run("@cf/baai/bge", { text: ["a", "b"] }), { shape: [2, 2], data: [[1, 2], [3, 4]] });
  assert.deepEqual([seen[0]!.path, seen[0]!.body], ["/v1/embeddings", { model: "@cf/baai/bge", input: ["a", "b"] }]);
});
test("model names are translated, one by one or all", async () => {
  script = json({ choices: [] });
  const binding = ai({ models: { "@cf/a": "x/a", "*": "x/any" } });
  for (const name of ["@cf/a", "@cf/b", "own/c"]) await binding.run(name, { prompt: "x" });
  assert.deepEqual(seen.map(({ body }) => body.model), ["x/a", "x/any", "own/c"]);
});
test("a missing key is named with its place, and nothing is sent", async () => {
  const binding = ai({ baseUrl: "https://endpoint.invalid/v1", keyName: "OPENROUTER_API_KEY", key: "" });
  await assert.rejects(binding.run("m", { prompt: "x" }), (error: any) => {
    assert.equal(error.code, "C118");
    assert.match(error.message, /OPENROUTER_API_KEY is not set.*\.dev\.vars/);
    return true;
  });
  await assert.rejects(ai({ baseUrl: "", keyName: "", key: "" }).run("m", { prompt: "x" }), /OPENROUTER_API_KEY/);
  assert.deepEqual(seen, []);
});
test("an endpoint without a key gets no authorization at all", async () => {
  script = json({ choices: [] });
  await ai({ key: "" }).run("m", { prompt: "x" });
  assert.equal(seen[0]!.authorization, undefined);
});
test("the endpoint's errors keep their status, code and message, and begin with Workers AI's number", async () => {
  script = json({ error: { message: "slow down", code: "rate" } }, 429);
  await assert.rejects(ai().run("m", { prompt: "x" }), { name: "InferenceUpstreamError", status: 429, code: "rate", retryable: true, message: /^3040: .*slow down/ });
  script = json({ error: { message: "no such model" } }, 404);
  await assert.rejects(ai().run("@cf/x", { prompt: "x" }), { status: 404, retryable: false, message: /^5007: .*HEARTH_AI_MODELS='\{"@cf\/x"/ });
  script = json({ error: "bad key" }, 401);
  await assert.rejects(ai().run("m", { prompt: "x" }), { status: 401, message: /bad key.*TEST_KEY/ });
  await assert.rejects(ai({ baseUrl: "http://127.0.0.1:9/v1" }).run("m", { prompt: "x" }), { name: "InferenceUpstreamError", status: 0, retryable: true, message: /cannot reach http:\/\/127\.0\.0\.1:9\/v1/ });
});
test("returnRawResponse gives the endpoint's own answer, whatever its status", async () => {
  script = json({ error: { message: "x" } }, 418);
  const response = (await ai().run("m", { prompt: "x" }, { returnRawResponse: true })) as Response;
  assert.deepEqual([response.status, await response.json()], [418, { error: { message: "x" } }]);
});
test("a signal aborts the request", async () => {
  const controller = new AbortController();
  script = () => controller.abort();
  await assert.rejects(ai().run("m", { prompt: "x" }, { signal: controller.signal }), { name: "AbortError" });
});
test("what an endpoint cannot do says so", async () => {
  const binding = ai();
  await assert.rejects(binding.run("m", { audio: [1] }), /run\("m", \{ audio \}\) is not supported/);
  for (const call of [() => binding.gateway("g"), () => binding.models(), () => binding.toMarkdown(), () => binding.autorag("r")]) {
    assert.throws(call, /is not supported by hearth/);
  }
});
