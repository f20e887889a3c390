// The Agents SDK 0.32.0, unmodified, through its own client.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { Socket, http } from "../lib/clients.mjs";
import { Inbox, connectAgent } from "../lib/agent-client.mjs";
import { until } from "../lib/process.mjs";
import { RawWebSocket, frame } from "../lib/raw-websocket.mjs";
import { onHearth, start } from "../lib/target.mjs";

let target;
before(async () => { target = await start("agents", { expectErrors: [/on purpose/, /may not be negative/, /WebSocket protocol error/] }); });
after(() => target?.stop());

const connect = (name, options) => connectAgent(target, { agent: "TestAgent", name, ...options });

describe("state", () => {
  test("is synchronized between two clients, and with the server", async () => {
    const one = await connect("sync");
    const two = await connect("sync");
    await until(() => one.state && two.state, "the first state");
    assert.deepEqual(one.state, { count: 0, notes: [] });
    one.setState({ count: 5, notes: ["by one"] });
    await until(() => two.state.count === 5, "the state at the other client");
    assert.deepEqual(two.state, { count: 5, notes: ["by one"] });
    assert.equal(await two.call("add", [2]), 7);
    await until(() => one.state.count === 7, "the server's own change");
    assert.deepEqual(await one.stub.whole(), { count: 7, notes: ["by one"] });
  });

  test("that the agent refuses is refused to its sender alone", async () => {
    const errors = [];
    const one = await connect("refusing", { onStateUpdateError: (error) => errors.push(error) });
    const two = await connect("refusing");
    one.setState({ count: -1, notes: [] });
    await until(() => errors.length > 0, "the refusal");
    assert.deepEqual(await two.call("whole"), { count: 0, notes: [] });
  });

  test("is not changed by a readonly connection", async () => {
    const errors = [];
    const reader = await connect("readonly", { query: { readonly: "1" }, onStateUpdateError: (error) => errors.push(error) });
    reader.setState({ count: 9, notes: [] });
    await until(() => errors.length > 0, "the refusal");
    await assert.rejects(reader.call("add", [1]), /readonly/i);
    const writer = await connect("readonly");
    assert.equal(await writer.call("add", [1]), 1);
    await until(() => reader.state.count === 1, "the change of another at the reader");
  });
});

describe("callables", () => {
  test("return values, undefined included, and several run at once", async () => {
    const client = await connect("calls");
    assert.deepEqual(await client.call("values", [{ a: [1, "ä", null, true] }]), { a: [1, "ä", null, true] });
    assert.equal(await client.call("keep", ["x"]), undefined);
    const order = [];
    await Promise.all([client.call("slow", [120]).then(() => order.push("slow")), client.call("slow", [5]).then(() => order.push("fast"))]);
    assert.deepEqual(order, ["fast", "slow"]);
  });

  test("reject with the reason when they throw, are missing, or not callable", async () => {
    const client = await connect("rejects");
    await assert.rejects(client.call("fails"), /callable failed on purpose/);
    await assert.rejects(client.call("nowhere"), /nowhere/);
    await assert.rejects(client.call("notCallable"), /not callable/i);
    assert.equal(await client.call("values", [1]), 1);
  });

  test("stream chunks in order, and tell their end or their failure", async () => {
    const client = await connect("streams");
    const chunks = [];
    const done = await new Promise((resolve, reject) => {
      client.call("counts", [50], { stream: { onChunk: (chunk) => chunks.push(chunk.i), onDone: resolve, onError: reject } }).catch(reject);
    });
    assert.deepEqual(chunks, Array.from({ length: 50 }, (_, i) => i + 1));
    assert.equal(done, "counted");
    const error = await new Promise((resolve) => {
      client.call("countsAndFails", [], { stream: { onChunk: () => {}, onError: resolve } }).catch(() => {});
    });
    assert.match(String(error), /stream failed on purpose/);
  });

  test("know the current agent and its name", async () => {
    const client = await connect("who-am-i");
    const { name, current } = await client.call("whoami");
    assert.equal(name, "who-am-i");
    assert.equal(current, true);
  });
});

describe("sql, schedule, queue", () => {
  test("sql keeps rows over reconnections", async () => {
    const client = await connect("sql");
    await client.call("keep", ["one"]);
    await client.call("keep", ["it's \"two\""]);
    client.close();
    const again = await connect("sql");
    assert.deepEqual((await again.call("log", ["kept"])).map((row) => row.note), ["one", "it's \"two\""]);
  });

  test("a delay and a date run at their time, and leave the list", async () => {
    const client = await connect("schedule");
    const started = Date.now();
    const delayed = await client.call("inSeconds", [1, "delayed"]);
    assert.equal(delayed.type, "delayed");
    const dated = await client.call("atDate", [started + 3_000, "dated"]);
    assert.equal(dated.type, "scheduled");
    assert.equal((await client.call("schedules")).length, 2);
    const rows = await until(async () => { const seen = await client.call("log", ["scheduled"]); return seen.length === 2 && seen; }, "both schedules", 8_000);
    assert.deepEqual(rows.map((row) => row.note), ["delayed", "dated"]);
    // The SDK keeps times in whole seconds.
    assert.ok(rows[0].at >= delayed.time * 1000 && rows[0].at < delayed.time * 1000 + 2_000, `the delay took ${rows[0].at - started} ms`);
    assert.deepEqual(await client.call("schedules"), []);
  });

  test("cron and interval are listed with their next time, and can be cancelled", async () => {
    const client = await connect("cron");
    const cron = await client.call("byCron", ["0 0 1 1 *", "new year"]);
    assert.equal(cron.type, "cron");
    assert.equal(cron.cron, "0 0 1 1 *");
    assert.ok(cron.time * 1000 > Date.now());
    const every = await client.call("every", [1, "tick"]);
    await until(async () => (await client.call("log", ["scheduled"])).length >= 2, "two ticks", 8_000);
    assert.equal(await client.call("cancel", [every.id]), true);
    assert.equal(await client.call("cancel", [cron.id]), true);
    assert.deepEqual(await client.call("schedules"), []);
  });

  test("the queue runs in order", async () => {
    const client = await connect("queue");
    for (const note of ["a", "b", "c"]) await client.call("enqueue", [note]);
    let rows = [];
    await until(async () => (rows = await client.call("log", ["queued"])).length === 3, () => `the queue ran ${JSON.stringify(rows)} of three`);
    assert.deepEqual(rows.map((row) => row.note), ["a", "b", "c"]);
  });
});

describe("connections", () => {
  const url = (name, query = "") => `${target.ws}/agents/test-agent/${name}?${query}`;
  const ownMessages = async (socket) => { const inbox = new Inbox(socket); await inbox.next((m) => m.type === "cf_agent_identity"); return inbox; };

  test("have a state, tags and an id of their own", async (t) => {
    const socket = await Socket.connect(url("state", "user=ann&tag=x&tag=y&_pk=my-id"));
    t.after(() => socket.close());
    const inbox = await ownMessages(socket);
    socket.send("say");
    const first = await inbox.next((m) => m.instance);
    assert.equal(first.id, "my-id");
    assert.deepEqual(first.state, { user: "ann", said: 1 });
    for (const tag of ["x", "y"]) assert.ok(first.tags.includes(tag));
    socket.send("say");
    assert.equal((await inbox.next((m) => m.instance)).state.said, 2);
  });

  test("get broadcasts, to all, to others, by tag", async (t) => {
    const inboxes = {};
    const sockets = {};
    for (const user of ["a", "b", "c"]) {
      sockets[user] = await Socket.connect(url("cast", `user=${user}&tag=${user === "c" ? "odd" : "even"}`));
      inboxes[user] = await ownMessages(sockets[user]);
      t.after(() => sockets[user].close());
    }
    sockets.a.send("broadcast to all");
    for (const user of ["a", "b", "c"]) assert.equal(await inboxes[user].text("to all"), "to all");
    sockets.a.send("others not to a");
    for (const user of ["b", "c"]) assert.equal(await inboxes[user].text("not to a"), "not to a");
    sockets.a.send("tagged even to the even");
    for (const user of ["a", "b"]) assert.equal(await inboxes[user].text("to the even"), "to the even");
    assert.ok(!inboxes.a.seen.includes("not to a"));
    assert.ok(!inboxes.c.seen.includes("to the even"));
  });

  test("exchange binary messages", async (t) => {
    const socket = await Socket.connect(url("binary", "user=b"));
    t.after(() => socket.close());
    const inbox = await ownMessages(socket);
    socket.send(Buffer.from([0, 1, 254, 255]));
    assert.deepEqual(await inbox.binary(), Buffer.from([0, 1, 254, 255]));
  });

  test("that the agent closes get its code and reason", async () => {
    const socket = await Socket.connect(url("refuse", "refuse=1"));
    assert.deepEqual(await socket.closed, { code: 4403, reason: "refused on purpose" });
  });

  test("tell onError when onMessage throws, and onClose when they end", async () => {
    const socket = await Socket.connect(url("errors", "user=e"));
    const client = await connect("errors", { query: { user: "watch" } });
    socket.send("throw");
    await until(async () => (await client.call("log", ["error"])).some((row) => row.note.includes("onMessage failed")), "onError");
    await socket.close(4010, "leaving");
    await until(async () => (await client.call("log", ["closed"])).some((row) => row.note === "e 4010 leaving"), "onClose");
  });

  test("that break off tell onClose once, and those that break the protocol onError alone", async (t) => {
    const client = await connect("broken", { query: { user: "watch" } });
    t.after(() => client.close());
    const log = (what) => client.call("log", [what]);
    const gone = await Socket.connect(url("broken", "user=gone"));
    gone.ws.terminate();
    await until(async () => (await log("closed")).length > 0, "onClose", 30_000);
    const faulty = await RawWebSocket.open(target.port, "/agents/test-agent/broken?user=faulty");
    faulty.raw.write(frame(3, "x"));
    await until(async () => (await log("error")).length > 0, "onError", 30_000);
    faulty.raw.destroy();
    await (await Socket.connect(url("broken", "user=last"))).close(4011, "last");
    await until(async () => (await log("closed")).some(({ note }) => note === "last 4011 last"), "what comes after both", 30_000);
    assert.deepEqual((await log("closed")).map(({ note }) => note),
                     ["gone 1006 WebSocket disconnected without sending Close frame.", "last 4011 last"]);
    assert.match((await log("error")).map(({ note }) => note).join(), /^WebSocket protocol error; protocolError\.statusCode = 1002; [^,]*$/);
  });

  test("survive the agent's eviction with state and tags", async (t) => {
    const socket = await Socket.connect(url("evicted", "user=e&tag=keep"));
    t.after(() => socket.close());
    const inbox = await ownMessages(socket);
    socket.send("say");
    const before = await inbox.next((m) => m.instance);
    await delay(13_000);
    socket.send("say");
    const woken = await inbox.next((m) => m.instance);
    assert.notEqual(woken.instance, before.instance, "it was built anew");
    assert.deepEqual(woken.state, { user: "e", said: 2 });
    assert.ok(woken.tags.includes("keep"));
  });
});

describe("HTTP and RPC", () => {
  test("onRequest answers under the agent's URL", async () => {
    const url = `${target.url}/agents/test-agent/http`;
    assert.deepEqual((await http(`${url}/sub/path?q=1`)).json(), { name: "http", state: { count: 0, notes: [] }, path: "/agents/test-agent/http/sub/path" });
    assert.deepEqual((await http(url, { method: "POST", body: "posted" })).json().state.notes, ["posted"]);
  });

  test("an error in onRequest is a 500, at once", async () => {
    const started = performance.now();
    assert.equal((await http(`${target.url}/agents/test-agent/http/throw`)).status, 500);
    assert.ok(performance.now() - started < 2_000);
    if (onHearth) await until(() => target.output.includes("onRequest failed on purpose"), "the reason in the log");
  });

  test("a URL without an agent is what the worker says, an unknown agent is refused", async () => {
    assert.equal((await http(`${target.url}/elsewhere`)).status, 404);
    assert.equal((await http(`${target.url}/agents/test-agent`)).status, 404);
    const unknown = await http(`${target.url}/agents/testagent/x`);
    assert.ok([400, 404].includes(unknown.status), `status ${unknown.status}`);
  });

  test("getAgentByName calls methods from the worker and from another agent", async () => {
    const { greeting, state } = (await http(`${target.url}/rpc?name=by-rpc`)).json();
    assert.equal(greeting, "by-rpc greets the worker");
    assert.deepEqual(state, { count: 0, notes: [] });
    const client = await connect("asks");
    assert.equal(await client.call("askOther", ["loud"]), "loud: HELLO");
  });
});

describe("sub-agents", () => {
  test("have a state of their own under their parent, and can be deleted", async () => {
    const client = await connect("parent");
    assert.deepEqual(await client.call("child", ["first", 2]), { name: "first", count: 2, parent: "parent" });
    assert.deepEqual(await client.call("child", ["first", 3]), { name: "first", count: 5, parent: "parent" });
    assert.equal((await client.call("child", ["second", 1])).count, 1);
    assert.deepEqual((await client.call("childNames")).sort(), ["first", "second"]);
    assert.equal(await client.call("dropChild", ["first"]), false);
    assert.equal((await client.call("child", ["first", 1])).count, 1);
  });
});

describe("partysocket", () => {
  test("reconnects after its connection is cut, and calls sent meanwhile are answered", async () => {
    const client = await connect("reconnect");
    await client.call("add", [1]);
    const reopened = new Promise((resolve) => client.addEventListener("open", resolve, { once: true }));
    client.reconnect();
    const call = client.call("add", [1]);
    await reopened;
    assert.equal(await call, 2);
  });
});
