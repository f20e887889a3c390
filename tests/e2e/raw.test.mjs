// A worker and Durable Objects without any SDK: HTTP, sockets, storage, alarms, RPC.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { Socket, http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, onHearth, start } from "../lib/target.mjs";

let target;
before(async () => {
  target = await start("raw", { expectErrors: [/on purpose/, /handler returned|not a Response|no Response|R406/i] });
});
after(() => target?.stop());

describe("the worker", () => {
  test("answers a request", async () => {
    const answer = await http(`${target.url}/`);
    assert.equal(answer.status, 200);
    assert.equal(answer.text, "hello from the worker");
    assert.equal(answer.headers["content-type"], "text/plain;charset=UTF-8");
  });

  test("answers 404 as it says", async () => {
    const answer = await http(`${target.url}/nowhere`);
    assert.equal(answer.status, 404);
    assert.equal(answer.text, "Not found");
  });

  test("sees its variables, text and JSON", async () => {
    assert.deepEqual((await http(`${target.url}/env`)).json(), { GREETING: "hello", LIMITS: { items: 3 } });
  });

  test("that throws is a 500 at once, with the reason in the log", async () => {
    const started = performance.now();
    const answer = await http(`${target.url}/throw`);
    assert.equal(answer.status, 500);
    assert.ok(performance.now() - started < 2_000, "the answer is not held back");
    if (onHearth) await until(() => target.output.includes("the worker failed on purpose"), "the reason in the log");
  });

  test("that returns no Response is a 500", async () => {
    assert.equal((await http(`${target.url}/nothing`)).status, 500);
  });

  test("sees method, URL, headers and body as sent", async () => {
    const answer = await http(`${target.url}/request?q=a%20b&r=%C3%A9`, { method: "PUT", headers: { "X-Note": "ümlaut".normalize("NFC").replace("ü", "u"), Accept: "a, b" }, body: "body ✓" });
    const seen = answer.json();
    assert.equal(seen.method, "PUT");
    assert.equal(seen.url, `${target.url}/request?q=a%20b&r=%C3%A9`);
    assert.equal(seen.body, "body ✓");
    const headers = new Map(seen.headers);
    assert.equal(headers.get("x-note"), "umlaut");
    assert.equal(headers.get("accept"), "a, b");
  });

  test("reads multipart forms", async () => {
    const form = new FormData();
    form.set("name", "agent ✓");
    form.set("file", new File(["content"], "a.txt", { type: "text/x-note" }));
    const encoded = new Response(form);
    const answer = await http(`${target.url}/form`, { method: "POST", headers: { "Content-Type": encoded.headers.get("content-type") }, body: Buffer.from(await encoded.arrayBuffer()) });
    assert.deepEqual(answer.json(), { name: "agent ✓", file: { name: "a.txt", type: "text/x-note", text: "content" } });
  });

  test("keeps every Set-Cookie apart", async () => {
    assert.deepEqual((await http(`${target.url}/cookies`)).headers["set-cookie"], ["a=1; Path=/", "b=2; HttpOnly"]);
  });

  test("accepts a WebSocket of its own", async () => {
    const socket = await Socket.connect(`${target.ws}/socket`);
    assert.equal(await socket.ask("hi"), "worker: hi");
    const end = await socket.close(4001, "done");
    assert.equal(end.code, 4001);
  });
});

describe("names and ids", () => {
  test("are what workerd makes of the same unique key", async () => {
    const ids = (await http(`${target.url}/ids/alice`)).json();
    // What workerd answers for the unique key "raw-Store".
    assert.equal(ids.id, "068f9a5c60d432209d9d85cd6b1fde41bdc0bbad4e57d56cbfe6447cef01522a");
    assert.equal(ids.name, "alice");
    assert.equal(ids.equal, true);
    assert.equal(ids.unique, 64);
    assert.equal(ids.uniqueDiffers, true);
    assert.equal(ids.refused, "TypeError");
  });
});

describe("a room", () => {
  test("answers HTTP through its stub", async () => {
    assert.equal((await http(`${target.url}/room/r1/x`)).text, "room /room/r1/x");
  });

  test("echoes text and binary, of every length class", async () => {
    const socket = await Socket.connect(`${target.ws}/room/echo?user=a`);
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
      const text = "é".repeat(length >> 1).padEnd(length, "e");
      assert.equal(await socket.ask(text), text);
      const binary = Buffer.alloc(length, length & 255);
      assert.deepEqual(await socket.ask(binary), binary);
    }
    await socket.close();
  });

  test("keeps the order of many messages in flight", async () => {
    const socket = await Socket.connect(`${target.ws}/room/order?user=a`);
    for (let i = 0; i < 2_000; i++) socket.send(`#${i}`);
    for (let i = 0; i < 2_000; i++) assert.equal(await socket.next(), `#${i}`);
    socket.send("many 1000");
    for (let i = 0; i < 1_000; i++) assert.equal(await socket.next(), `m${i}`);
    await socket.close();
  });

  test("sends what was sent before the 101 after it", async () => {
    const socket = await Socket.connect(`${target.ws}/room/early?user=a&early=1`);
    assert.equal(await socket.next(), "sent before the 101");
    await socket.close();
  });

  test("speaks the subprotocol that its code picked", async () => {
    const socket = await Socket.connect(`${target.ws}/room/proto?user=a`, ["chat.v2", "chat.v1"]);
    assert.equal(socket.ws.protocol, "chat.v2");
    await socket.close();
  });

  test("knows its sockets by tags, attachment and number", async () => {
    const one = await Socket.connect(`${target.ws}/room/tags?user=one&tag=red&tag=even`);
    const two = await Socket.connect(`${target.ws}/room/tags?user=two&tag=red`);
    const told = JSON.parse(await one.ask("tell"));
    assert.deepEqual(told.tags, ["red", "even"]);
    assert.equal(told.user, "one");
    assert.equal(told.nested, "1,2");
    assert.equal(told.sockets, 2);
    one.send("tag even for even");
    one.send("tag red for red");
    assert.equal(await one.next(), "for even");
    assert.equal(await one.next(), "for red");
    assert.equal(await two.next(), "for red");
    two.send("all everyone");
    assert.equal(await one.next(), "everyone");
    assert.equal(await two.next(), "everyone");
    await Promise.all([one.close(), two.close()]);
  });

  test("hears how its clients close", async () => {
    const leaver = await Socket.connect(`${target.ws}/room/closes?user=leaver`);
    assert.equal(await leaver.ask("x"), "x");
    await leaver.close(4005, "my reason");
    const dropper = await Socket.connect(`${target.ws}/room/closes?user=dropper`);
    assert.equal(await dropper.ask("x"), "x");
    dropper.ws.terminate();
    const watcher = await Socket.connect(`${target.ws}/room/closes?user=watcher`);
    const closes = await until(async () => {
      const seen = JSON.parse(await watcher.ask("closes"));
      return seen.length === 2 && seen;
    }, "both closes");
    assert.deepEqual(closes.find((close) => close.user === "leaver"), { user: "leaver", code: 4005, reason: "my reason", wasClean: true });
    const dropped = closes.find((close) => close.user === "dropper");
    assert.equal(dropped.code, 1006);
    assert.equal(dropped.wasClean, false);
    await watcher.close();
  });

  test("closes with the code and reason that its code gives", async () => {
    const socket = await Socket.connect(`${target.ws}/room/bye?user=a`);
    socket.send("close 4242 because so");
    assert.deepEqual(await socket.closed, { code: 4242, reason: "because so" });
  });

  test("sends from a timer, after its handler returned", async () => {
    const socket = await Socket.connect(`${target.ws}/room/later?user=a`);
    assert.equal(await socket.ask("later x"), "later x");
    await socket.close();
  });

  test("answers automatically without being woken", async () => {
    const socket = await Socket.connect(`${target.ws}/room/auto?user=a`);
    assert.equal(await socket.ask("ping"), "pong");
    await socket.close();
  });

  test("keeps its socket when a message handler throws", hearthOnly, async () => {
    const socket = await Socket.connect(`${target.ws}/room/throws?user=a`);
    socket.send("throw");
    socket.send("still here");
    let answer = await socket.next();
    if (answer !== "still here") answer = await socket.next(); // in front of it, the frame that explains
    assert.equal(answer, "still here");
    await socket.close();
  });

  test("is evicted when idle, and its sockets, tags and attachments are there when it wakes", async () => {
    const one = await Socket.connect(`${target.ws}/room/sleepy?user=one&tag=t1`);
    const two = await Socket.connect(`${target.ws}/room/sleepy?user=two`);
    const first = JSON.parse(await one.ask("tell"));
    assert.equal(await one.ask("keep renamed"), "kept");
    await delay(13_000);
    const woken = JSON.parse(await one.ask("tell"));
    assert.notEqual(woken.instance, first.instance, "it was built anew");
    assert.equal(woken.user, "renamed");
    assert.equal(woken.nested, "1,2");
    assert.deepEqual(woken.tags, ["t1"]);
    assert.equal(woken.sockets, 2);
    two.send("all awake");
    assert.equal(await one.next(), "awake");
    assert.equal(await two.next(), "awake");
    await Promise.all([one.close(), two.close()]);
  });
});

describe("storage", () => {
  const ask = async (verb, options) => (await http(`${target.url}/store/s-${verb.split("?")[0]}/${verb}`, options));

  test("keeps values of every clonable kind under keys", async () => {
    assert.deepEqual((await ask("whole-kv")).json(), {
      many: [["a", 1], ["b", "two"]], date: 7, map: "1", bytes: [9, 8],
      list: ["a", "b", "c", "d"], prefix: ["b"], reverse: ["d", "c"], range: ["b", "c"], after: ["c", "d"],
      deletedOne: true, deletedMissing: false, deletedMany: 2, rest: ["d"], missing: true,
      sync: { n: 1 }, syncList: ["d", "sync"], syncDelete: true,
    });
  });

  test("speaks SQL", async () => {
    const { error, one, ...rest } = (await ask("whole-sql")).json();
    assert.match(error, /no such table: nowhere/);
    assert.match(one, /one/i);
    assert.deepEqual(rest, {
      first: "one", done: false, labels: ["two", "three"], columns: ["id", "label", "score", "data"], blob: [1, 2, 3],
      raw: [[3, "three"]], types: { n: "real", s: "text", z: "null", b: "blob" }, count: 3, json: 2, written: true, size: true,
      search: 1, refused: [true, true],
    });
  });

  test("has transactions that undo what failed", async () => {
    assert.deepEqual((await ask("transactions")).json(), {
      failed: "undo", afterFailed: "before", result: 5, asyncFailed: "undo too", afterAsync: "kept", afterRollback: "kept",
    });
  });

  test("refuses values that cannot be cloned", async () => {
    assert.deepEqual((await ask("limits")).json(), { notCloneable: "DataCloneError" });
  });

  test("counts without losing a write under concurrent requests", async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => http(`${target.url}/store/counter/increment`)));
    assert.deepEqual(answers.map((answer) => Number(answer.text)).sort((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i + 1));
  });

  test("forgets everything by deleteAll", async () => {
    const url = `${target.url}/store/forget`;
    await http(`${url}/put?key=x`, { method: "POST", body: "1" });
    assert.equal((await http(`${url}/delete-all`)).json(), 0);
    assert.equal((await http(`${url}/get?key=x`)).text, "(nothing)");
  });

  test("tells an error in a Durable Object as a 500, at once", async () => {
    const started = performance.now();
    assert.equal((await http(`${target.url}/store/x/throw`)).status, 500);
    assert.equal((await http(`${target.url}/broken/x/`)).status, 500);
    assert.ok(performance.now() - started < 2_000, "the answers are not held back");
  });
});

describe("an alarm", () => {
  test("fires once, at its time", async () => {
    const url = `${target.url}/store/alarm-once`;
    const asked = Date.now();
    const due = (await http(`${url}/alarm-set?in=300`)).json();
    assert.ok(Math.abs(due - asked - 300) < 1_000);
    const { alarm, fired } = await until(async () => {
      const seen = (await http(`${url}/alarm-get`)).json();
      return seen.fired.length > 0 && seen;
    }, "the alarm");
    assert.equal(alarm, null);
    assert.equal(fired.length, 1);
    assert.ok(fired[0].at >= due - 5 && fired[0].at < due + 1_000, `fired ${fired[0].at - due} ms late`);
    assert.equal(fired[0].isRetry, false);
  });

  test("can be deleted, and moved", async () => {
    const url = `${target.url}/store/alarm-deleted`;
    await http(`${url}/alarm-set?in=200`);
    assert.equal((await http(`${url}/alarm-delete`)).json(), null);
    const moved = `${target.url}/store/alarm-moved`;
    await http(`${moved}/alarm-set?in=100000`);
    await http(`${moved}/alarm-set?in=200`);
    await until(async () => (await http(`${moved}/alarm-get`)).json().fired.length === 1, "the moved alarm");
    assert.deepEqual((await http(`${url}/alarm-get`)).json(), { alarm: null, fired: [] });
  });

  test("that its handler sets again, for the very same moment, fires again", async () => {
    const url = `${target.url}/store/alarm-again`;
    await http(`${url}/alarm-set?in=50&again=2`);
    let seen;
    await until(async () => (seen = (await http(`${url}/alarm-get`)).json()).fired.length === 3, () => `three firings of ${JSON.stringify(seen)}`);
    assert.equal(seen.alarm, null);
  });

  test("that fails is tried again", async () => {
    const url = `${target.url}/store/alarm-retry`;
    await http(`${url}/alarm-set?in=50&failures=1`);
    const { fired } = await until(async () => {
      const seen = (await http(`${url}/alarm-get`)).json();
      return seen.fired.length > 0 && seen;
    }, "the alarm's second try", 12_000);
    assert.equal(fired.length, 1);
    assert.equal(fired[0].retryCount, 1);
    assert.equal(fired[0].isRetry, true);
  });
});

describe("RPC", () => {
  const cases = {
    add: 5, callback: 41, target: 3, pipeline: 7, property: 1,
    fail: { name: "RangeError", message: "rpc failed on purpose", remote: true, isError: true },
    copy: { same: false, sent: [1], back: [1, 2] },
    refused: { refused: true, name: "DataCloneError" },
    echo: {
      map: true, date: 5, bytes: [1, 2], big: "9", re: "/a+/g", alias: true, cycle: true, undef: true, nan: true, error: [true, "as data"],
    },
    missing: { message: 'The RPC receiver does not implement the method "nope".' },
  };
  for (const [verb, expected] of Object.entries(cases)) {
    test(verb, async () => {
      const answer = await http(`${target.url}/rpc/r-${verb}/${verb}`);
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.json(), expected);
    });
  }

  test("streams", async () => {
    assert.equal((await http(`${target.url}/rpc/s/stream`)).text, "streamed");
  });

  test("knows the object's name, and waits for blockConcurrencyWhile", async () => {
    const { name, id, blocked } = (await http(`${target.url}/rpc/by-name/whoami`)).json();
    assert.equal(name, "by-name");
    assert.equal(id, (await http(`${target.url}/ids/by-name`)).json().id);
    assert.equal(blocked, "blocked");
  });
});
