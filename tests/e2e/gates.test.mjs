// The cases of docs/gates.md, by their numbers. TARGET=workerd: what is not hearth's own holds there too.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, onHearth, start, startFor } from "../lib/target.mjs";

const kReads = 20;
const kExpected = { expectErrors: [/on purpose/, /host .*(?:SIGKILL|killed|died|ended)|R413|R401/i] };

const asker = (target, kind) => async (name, method, ...args) =>
  (await http(`${target().url}/${kind}/${encodeURIComponent(name)}/${method}?args=${encodeURIComponent(JSON.stringify(args))}`)).json();

let target;
const gates = asker(() => target, "gates");
const door = asker(() => target, "door");
const value = async (...asked) => (await gates(...asked)).value;
const waiting = (name, count = 1) => until(async () => (await door(`of ${name}`, "waiting")).value === count, `${count} at the door of ${name}`);
const open = (name) => door(`of ${name}`, "open");

describe("input gate", { concurrency: 1 }, () => {
  before(async () => { target = await start("gates", kExpected); });
  after(() => target?.stop());

  test("1: no event enters while storage is awaited", async () => {
    await Promise.all(Array.from({ length: kReads }, () => gates("1", "add")));
    assert.equal(await value("1", "read", "n"), kReads);
  });

  test("2: events enter while anything else is awaited", async () => {
    const outside = value("2", "outside");
    await waiting("2");
    await gates("2", "note", "meanwhile");
    await open("2");
    assert.deepEqual(await outside, ["before", "meanwhile", "after"]);
  });

  test("3: what was read before such an await may be old after it", async () => {
    const both = [value("3", "addAcross"), value("3", "addAcross")];
    await waiting("3", 2);
    await open("3");
    assert.deepEqual(await Promise.all(both), [1, 1]);
    assert.equal(await value("3", "read", "n"), 1);
  });

  test("4: no event enters while blockConcurrencyWhile() runs", async () => {
    const blocked = value("4", "blocked");
    await waiting("4");
    let entered = false;
    const note = gates("4", "note", "meanwhile").then(() => { entered = true; });
    for (let i = 0; i < 5; i++) await gates("4 other", "note", "x");
    assert.equal(entered, false);
    await open("4");
    await note;
    assert.deepEqual((await blocked).slice(0, 2), ["before", "after"]);
    assert.deepEqual(await value("4", "log"), ["before", "after", "meanwhile"]);
  });

  test("5: nor before the constructor's blockConcurrencyWhile() has ended", async () => {
    assert.equal(await value("5", "ready"), "ready");
  });

  test("6: one that fails resets the object; what was durable stays", async () => {
    assert.deepEqual(await gates("6", "blockedAndFails"), { error: "failed on purpose" });
    assert.deepEqual(await value("6", "log"), []);
    assert.equal(await value("6", "read", "before"), "kept");
  });

  test("7: no event enters an asynchronous transaction, which may call out, and a throw undoes it", async () => {
    const transaction = value("7", "transaction");
    await waiting("7");
    let seen = null;
    const read = value("7", "read", "a").then((a) => { seen = a; });
    for (let i = 0; i < 5; i++) await gates("7 other", "note", "x");
    assert.equal(seen, null);
    await open("7");
    assert.deepEqual(await transaction, { error: "undo", a: "before" });
    await read;
    assert.equal(seen, "before");
  });

  test("8: allowConcurrency lets nobody between a read and what follows it", async () => {
    await Promise.all(Array.from({ length: kReads }, () => gates("8", "add", { allowConcurrency: true })));
    assert.equal(await value("8", "read", "n"), kReads);
  });

  test("9: an alarm sees what its turn wrote, begins after it, and lets events in where it awaits", async () => {
    assert.deepEqual(await value("9", "soon"), ["turn over"]);
    await waiting("9");
    await gates("9", "note", "meanwhile");
    await open("9");
    const all = ["turn over", "alarm sees 1, and as its own null", "meanwhile", "alarm over"];
    await until(async () => (await value("9", "log")).length === all.length, "the alarm is over");
    assert.deepEqual(await value("9", "log"), all);
  });
});

describe("turns", { concurrency: 1 }, () => {
  before(async () => { target = await start("gates", kExpected); });
  after(() => target?.stop());

  test("10: the writes of a turn are there together or not at all", hearthOnly, async () => {
    await gates("10", "twoAndDie");
    assert.deepEqual([await value("10", "read", "first"), await value("10", "read", "second")], [null, null]);
  });

  test("11: a throw undoes nothing, and the object lives on", async () => {
    assert.deepEqual(await gates("11", "twoAndThrow"), { error: "thrown on purpose" });
    assert.equal(await value("11", "read", "first"), 1);
    assert.deepEqual(await value("11", "log"), ["memory"]);
  });

  test("12: abort() drops the turn's writes", async () => {
    assert.match((await gates("12", "twoAndAbort")).error, /aborted on purpose/);
    assert.equal(await value("12", "read", "first"), null);
  });

  test("13: a throw in transactionSync() undoes what was written inside", async () => {
    assert.deepEqual(await value("13", "sync"), { error: "undo", a: "before", b: null });
  });
});

describe("output gate", { concurrency: 1 }, () => {
  /** Asks until everything is killed; the highest answer. */
  async function killedUnderLoad(t, ask) {
    target = await startFor(t, "gates", kExpected);
    let last = 0;
    let running = true;
    const clients = Array.from({ length: 4 }, async () => {
      while (running) last = Math.max(last, await ask().catch(() => 0) ?? 0);
    });
    await until(() => last >= 20, "some answers", 20_000);
    await target.kill();
    running = false;
    await Promise.all(clients);
    await target.restart();
    return last;
  }

  test("14: an answer that a client has seen is never undone", hearthOnly, async (t) => {
    const seen = await killedUnderLoad(t, () => value("14", "add"));
    const kept = await value("14", "read", "n");
    assert.ok(kept >= seen, `${seen} was answered, ${kept} is there`);
  });

  test("15: nor what another object was told", hearthOnly, async (t) => {
    await killedUnderLoad(t, () => value("15", "tell"));
    const heard = (await door("of 15", "heard")).value;
    const kept = await value("15", "read", "n");
    assert.ok(heard > 0 && kept >= heard, `${heard} was told, ${kept} is there`);
  });

  test("16: allowUnconfirmed changes nothing of that", hearthOnly, async (t) => {
    const seen = await killedUnderLoad(t, () => value("16", "add", { allowUnconfirmed: true }));
    const kept = await value("16", "read", "n");
    assert.ok(kept >= seen, `${seen} was answered, ${kept} is there`);
  });

  test("17: sync() resolves", async (t) => {
    target = await startFor(t, "gates");
    assert.equal(await value("17", "synced"), 1);
    if (onHearth) {
      await target.kill();
      await target.restart();
      assert.equal(await value("17", "read", "n"), 1);
    }
  });
});
