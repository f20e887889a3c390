// The SDK's newer parts, unmodified: tasks, fibers, streams, sessions, email, observability, dynamic
// agents under /sub/.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { connectAgent } from "../lib/agent-client.mjs";
import { http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, start, startFor } from "../lib/target.mjs";

const expectErrors = [/on purpose/];
let target;
before(async () => { target = await start("features", { expectErrors }); });
after(() => target?.stop());

const agent = (name, on = target) => connectAgent(on, { agent: "FeatureAgent", name });

test("a task runs its steps once, sleeps, and joins by its key", async () => {
  const client = await agent("tasks");
  const { runId } = await client.call("runTask", ["sum@v1", { parts: [1, 2, 3] }, "key"]);
  assert.equal((await client.call("runTask", ["sum@v1", { parts: [9] }, "key"])).runId, runId);
  const done = await until(async () => {
    const run = await client.call("task", [runId]);
    return run.result && run;
  }, "the task's end");
  assert.deepEqual(done.result, { total: 6 });
  assert.deepEqual(await client.call("notes", ["step"]), ["0", "1", "2"]);
});

test("a task's step that fails is tried again", async () => {
  const client = await agent("flaky");
  const { runId } = await client.call("runTask", ["flaky@v1", { parts: [] }]);
  const done = await until(async () => {
    const run = await client.call("task", [runId]);
    return run.result && run;
  }, "the task's end");
  assert.deepEqual(done.result, { attempt: 2 });
});

test("a fiber gives its result, and keepAliveWhile holds", async () => {
  const client = await agent("fiber");
  assert.equal(await client.call("fiber"), "done");
  assert.equal(await client.call("held"), "kept");
});

test("a fiber that kill -9 cut is recovered with its checkpoint", hearthOnly, async (t) => {
  const own = await startFor(t, "features", { expectErrors });
  const client = await agent("cut", own);
  await client.call("startSlowFiber");
  client.close();
  await own.kill();
  await own.restart();
  const again = await agent("cut", own);
  const recovered = await until(async () => {
    const notes = await again.call("notes", ["recovered"]);
    return notes.length > 0 && notes;
  }, "the recovery", 15_000);
  assert.deepEqual(recovered, ['slow {"step":7}']);
});

test("a stream is replayed from a cursor", async () => {
  const client = await agent("streams");
  await client.call("produce", ["s"]);
  assert.deepEqual(await client.call("consume", ["s", 1]), { parts: ["b", "c"], status: "completed" });
});

test("a session keeps its messages", async () => {
  const client = await agent("sessions");
  assert.deepEqual(await client.call("say", ["one"]), ["one"]);
  assert.deepEqual(await client.call("say", ["two"]), ["one", "two"]);
});

test("retry() tries again, events are published, the schedule's schema parses", async () => {
  const client = await agent("rest");
  assert.equal(await client.call("tried"), 3);
  await client.call("events");
  assert.ok((await client.call("events")).includes("state:update"));
  assert.equal(await client.call("schema"), true);
});

test("an email reaches the agent of its address, which reads and forwards it", async () => {
  assert.deepEqual((await http(`${target.url}/email?to=inbox@example.com`)).json(), ["elsewhere@example.com"]);
  const client = await agent("inbox");
  assert.deepEqual(await client.call("notes", ["email"]), ["someone@example.com Subject: hello"]);
});

test("a dynamic agent is called by its parent, by clients under /sub/, and wakes by its schedule", async () => {
  const parent = await agent("boss");
  assert.equal(await parent.call("work", ["w"]), "w greets parent, visit 1");
  const child = await connectAgent(target, { agent: "FeatureAgent", name: "boss", path: "sub/worker/w" });
  assert.equal(await child.call("hello"), "w greets client, visit 2");
  assert.equal(await child.call("later", [1]), true);
  await until(async () => (await child.call("visits")) === 102, "the child's schedule");
  await parent.call("abortWork", ["w"]);
  assert.equal(await parent.call("work", ["w"]), "w greets parent, visit 103");
});

test("a workflow that no binding names is refused with its name", async () => {
  const client = await agent("workflow");
  await assert.rejects(client.call("startWorkflow"), /NOT_THERE/);
});

test("destroy() forgets everything", async () => {
  const client = await agent("destroyed");
  await client.call("runTask", ["sum@v1", { parts: [1] }]);
  await until(async () => (await client.call("notes", ["step"])).length === 1, "the step");
  assert.equal(await client.call("gone"), 1);
  client.close();
  await until(async () => {
    const again = await agent("destroyed");
    const notes = await again.call("notes", ["step"]).catch(() => null); // its end may cut the call
    again.close();
    return notes?.length === 0;
  }, "an empty agent");
});
