// The offline model drives the real tools through the AI SDK, as the agent does.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { generateText, stepCountIs, streamText } from "ai";
import { chooseModel } from "../src/model.ts";
import { answerOffline } from "../src/offline-model.ts";
import { makeTools } from "../src/tools.ts";
import { Workspace } from "../src/workspace.ts";

const root = new URL("..", import.meta.url).pathname;
let folder, tools, workspace;
const reminders = [];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "coder-"));
  workspace = await Workspace.open(join(folder, "work"), join(root, "sample"));
  tools = makeTools(workspace, async (seconds, note) => {
    reminders.push({ seconds, note });
    return "later";
  });
  // Approval is the chat's matter; here every command is approved.
  tools = { ...tools, run_command: { ...tools.run_command, needsApproval: false } };
});
after(() => rm(folder, { recursive: true, force: true }));

test("it finds the failing test of the sample, mends it, and sees it pass", { timeout: 60_000 }, async () => {
  const { model, offline } = chooseModel({});
  assert.equal(offline, true);
  const result = streamText({ model, tools, stopWhen: stepCountIs(12), prompt: "Fix the failing test, please" });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  const calls = (await result.steps).flatMap((step) => step.toolCalls.map((call) => call.toolName));
  assert.deepEqual(calls, ["run_command", "read_file", "read_file", "patch_file", "run_command"]);
  assert.match(text, /All tests pass now/);
  assert.match(await workspace.read("src/slug.js"), /\[\^a-z0-9\]\+/);
});

test("with nothing to mend it says so", { timeout: 60_000 }, async () => {
  const { text } = await generateText({ model: chooseModel({}).model, tools, stopWhen: stepCountIs(12), prompt: "fix the tests" });
  assert.match(text, /nothing to mend/);
});

test("it says what it is when it does not understand", async () => {
  const { text } = await generateText({ model: chooseModel({}).model, prompt: "hello" });
  assert.match(text, /offline script/);
});

test("a reminder is scheduled with its time in seconds", async () => {
  await generateText({ model: chooseModel({}).model, tools, stopWhen: stepCountIs(4), prompt: "Remind me in 2 minutes to stretch" });
  assert.deepEqual(reminders, [{ seconds: 120, note: "stretch" }]);
});

test("bad requests get an error in the protocol's own form", async () => {
  const post = (body) => answerOffline(new Request("http://x/offline/v1/chat/completions", { method: "POST", body }));
  assert.equal((await post("{")).status, 400);
  assert.equal((await post("{}")).status, 400);
  assert.equal((await answerOffline(new Request("http://x/offline/v1/nothing"))).status, 404);
});
