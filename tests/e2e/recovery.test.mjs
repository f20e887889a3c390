// Point-in-time recovery: an object goes back to an earlier state of its whole storage, and back again,
// through restarts and kills. (workerd alone has none of it.)
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, start, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own promise", concurrency: 1 };

const caller = (target, name, kind = "notes") => async (method, ...args) => {
  const query = args.length === 0 ? "" : `?${encodeURIComponent(JSON.stringify(args))}`;
  const answer = await http(`${target.url}/${kind}/${name}/${method}${query}`);
  return JSON.parse(answer.text);
};
const files = (target) => join(target.state, "do/recovery-Notes");
const quick = { args: ["--hosts", "1"] };

describe("point-in-time recovery", suite, () => {
  test("goes back to a bookmark with keys, tables and the alarm, and is undone", async (t) => {
    const target = await startFor(t, "recovery", quick);
    const ask = caller(target, "one");
    const alarm = await ask("alarmIn", 3_600_000);
    const first = await ask("write", "a", "first");
    const second = await ask("write", "b", "second");
    assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{32}$/);
    assert.ok(first < second);
    await ask("dropAlarm");
    const before = await ask("read");
    const who = await ask("who");
    const undo = await ask("order", first);
    assert.ok(undo > second);
    assert.deepEqual(await ask("read"), before); // not before the next session
    await ask("abort");
    assert.deepEqual(await ask("read"), { values: { a: "first" }, notes: ["first"], alarm });
    assert.notEqual(await ask("who"), who);
    assert.ok((await ask("bookmark")) > undo);
    await ask("write", "c", "third");

    assert.match((await ask("order", undo)).slice(0, 9), /^0000000\d-/);
    await ask("abort");
    assert.deepEqual(await ask("read"), before);
  });

  test("undoes deleteAll, and a large change over several checkpoints", async (t) => {
    const target = await startFor(t, "recovery");
    const ask = caller(target, "large");
    await ask("writeMany", 300, 20_000);
    const bookmark = await ask("bookmark");
    // Some 30 MB: the log is moved into the database meanwhile.
    for (let i = 0; i < 10; i++) await ask("writeMany", 30, 100_000);
    await ask("forget");
    assert.equal(typeof (await ask("order", bookmark)), "string");
    await ask("abort");
    assert.equal(await ask("count"), 300);
  });

  test("restores through the end of everything: kill -9 and a start", async (t) => {
    const target = await start("recovery");
    t.after(() => target.stop({ checkDescriptors: false }));
    const ask = caller(target, "killed");
    const bookmark = await ask("write", "a", "first");
    await ask("write", "a", "second");
    await ask("order", bookmark);
    await ask("write", "a", "third");
    await target.kill();
    await target.restart();
    assert.deepEqual((await ask("read")).values, { a: "first" });
    assert.deepEqual(readdirSync(files(target)).filter((name) => name.includes("restore")), []);
    await ask("write", "a", "fourth");
    await target.kill();
    await target.restart();
    assert.deepEqual((await ask("read")).values, { a: "fourth" }); // once only
  });

  test("a restore that is killed at any moment is done whole, or once more", async (t) => {
    const target = await start("recovery");
    t.after(() => target.stop({ checkDescriptors: false }));
    const ask = caller(target, "halfway");
    await ask("writeMany", 50, 10_000);
    const bookmark = await ask("bookmark");
    for (let round = 0; round < 6; round++) {
      await ask("writeMany", 150, 10_000);
      await ask("order", bookmark);
      const gone = ask("abort").catch(() => {});
      if (round % 2 === 0) await gone; // else in the middle of it
      await target.kill();
      await gone;
      await target.restart();
      assert.equal(await ask("count"), 50, `round ${round}`);
    }
  });

  test("finds the bookmark of a time", async (t) => {
    const target = await startFor(t, "recovery");
    const ask = caller(target, "times");
    const start = Date.now();
    const first = await ask("write", "a", "first");
    await until(() => Date.now() > start + 200, "time stands still");
    const between = Date.now();
    await until(() => Date.now() > between + 5, "time stands still");
    await ask("write", "a", "second");
    assert.equal(await ask("bookmarkAt", between), first);
    assert.equal(await ask("bookmarkAt", Date.now() - 1), await ask("bookmark"));
    await ask("order", await ask("bookmarkAt", start - 1000)); // before it stored anything
    await ask("abort");
    assert.deepEqual(await ask("read"), { values: {}, notes: [], alarm: null });
    assert.match((await ask("bookmarkAt", Date.now() - 31 * 86_400_000)).error, /within the last 30 days/);
    assert.match((await ask("bookmarkAt", Date.now() + 60_000)).error, /is to come/);
  });

  test("an alarm that a restore brings back rings, though nobody asks", async (t) => {
    const target = await startFor(t, "recovery");
    const ask = caller(target, "alarmed");
    const at = await ask("alarmIn", 1_500);
    const bookmark = await ask("bookmark");
    await ask("dropAlarm");
    await ask("order", bookmark);
    await ask("abort");
    await until(() => Date.now() > at + 300, "time stands still", 10_000);
    assert.equal((await ask("read")).values.rang, "yes");
  });

  test("refuses what is no bookmark of this object, and says why", async (t) => {
    const target = await startFor(t, "recovery");
    const ask = caller(target, "strict");
    const other = await caller(target, "other")("write", "a", "x");
    await ask("write", "a", "x");
    assert.match((await ask("order", "yesterday")).error, /"yesterday" is no bookmark/);
    assert.match((await ask("order", other)).error, /of another Durable Object/);
    const never = (await ask("bookmark")).replace(/^.{26}/, "00000000-00000001-00000999");
    assert.match((await ask("order", never)).error, /not kept any more/);
    assert.match((await caller(target, "p", "plain")("bookmark")).error, /does not implement point-in-time recovery/);
  });

  test("a database that something else wrote to is left as it is", async (t) => {
    const target = await start("recovery", { state: undefined });
    t.after(() => target.stop({ checkDescriptors: false }));
    const ask = caller(target, "foreign");
    const bookmark = await ask("write", "a", "first");
    await ask("write", "a", "second");
    await target.stop({ keepState: true, checkDescriptors: false });
    const [file] = readdirSync(files(target)).filter((name) => name.endsWith(".sqlite"));
    const path = join(files(target), file);
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(path);
    database.exec("INSERT INTO notes (text) VALUES ('by hand')");
    database.close();
    await target.restart();
    await ask("order", bookmark);
    await ask("abort");
    assert.match((await ask("read")).error, /is not what its history says.*remove .*-restore and .*-history\* to go on/);
    await target.kill();
    for (const suffix of ["-restore", "-history"]) rmSync(path + suffix);
    await target.restart();
    assert.deepEqual((await ask("read")).notes, ["first", "second", "by hand"]);
  });

  test("--history 0 keeps none, and drops what there was", async (t) => {
    const target = await start("recovery");
    t.after(() => target.stop({ checkDescriptors: false }));
    const ask = caller(target, "off");
    await ask("write", "a", "first");
    await target.stop({ keepState: true, checkDescriptors: false });
    const histories = () => readdirSync(files(target)).filter((name) => name.includes("-history"));
    assert.equal(histories().length, 1);
    assert.ok(statSync(join(files(target), histories()[0])).size < 4096); // what it takes
    target.options.args = ["--history", "0"];
    await target.restart();
    assert.match((await ask("write", "a", "second")).error, /no history is kept.*--history 0/);
    await target.stop({ keepState: true, checkDescriptors: false });
    assert.deepEqual(histories(), []);
    target.options.args = [];
    await target.restart();
    assert.deepEqual((await ask("read")).values, { a: "second" });
    assert.ok(existsSync(files(target)));
  });
});
