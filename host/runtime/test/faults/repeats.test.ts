// When an error that says of itself that it may pass is taken for one that stays.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Faults } from "../../src/faults/faults.ts";
import { isLasting, markLasting, Repeats } from "../../src/faults/repeats.ts";
import { makeError, takeError } from "../../src/rpc/errors.ts";

const kMinuteMs = 60_000;

function repeats(lastingAfterMs = kMinuteMs) {
  const clock = { ms: 0 };
  const table = new Repeats(lastingAfterMs, () => clock.ms);
  /** Whether the last of some failures, with so long between, lasts. */
  const fail = (times: number, betweenMs: number, make = (_n: number) => new Error("no such table: notes"), agent = "0/a", where = "server.ts:6:1") => {
    let error: Error | undefined;
    for (let n = 0; n < times; n++) {
      clock.ms += betweenMs;
      table.failed(agent, (error = make(n)), where);
    }
    return isLasting(error);
  };
  return { table, clock, fail };
}

test("the same error for a minute and five times is one that stays", () => {
  assert.equal(repeats().fail(4, kMinuteMs), false, "four times are too few");
  assert.equal(repeats().fail(1000, 1), false, "a moment is too short");
  assert.equal(repeats().fail(7, 10_000), true);
  assert.equal(repeats().fail(7, 10_000, (n) => new Error(`no row ${n} for 6fa${n}b2`)), true, "numbers and ids do not make it another");
  assert.equal(repeats(0).fail(100, kMinuteMs), false, "0: never");
});

test("an answer between begins anew, and so does another error or another place", () => {
  const one = repeats();
  one.fail(6, 9_000);
  assert.equal(one.table.any, true);
  one.table.answered("0/a");
  assert.deepEqual([one.table.any, one.table.times("0/a")], [false, 0]);
  assert.equal(one.fail(4, 14_000), false);
  assert.equal(one.fail(2, 14_000), true);
  assert.equal(one.fail(1, 14_000, () => new Error("something else")), false);
  assert.equal(one.fail(1, 14_000, undefined, "0/a", "server.ts:7:1"), false);
  assert.equal(one.fail(1, 14_000, undefined, "0/b"), false, "of another agent nothing is known");
});

test("a failure in two ways by turns lasts in both", () => {
  const { fail } = repeats();
  assert.equal(fail(20, 10_000, (n) => new Error(n % 2 === 0 ? "one way" : "the other")), true);
});

test("what the rest of the world causes may pass for ever", () => {
  for (const make of [
    () => Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:5432"), { code: "ECONNREFUSED" }),
    () => new Error("no model", { cause: Object.assign(new Error("x"), { code: "ENOTFOUND" }) }),
    () => Object.assign(new Error("the code knows better"), { retryable: true }),
    () => Object.assign(new Error("busy"), { overloaded: true }),
    () => new DOMException("late", "TimeoutError") as Error,
    () => new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "UND_ERR_CONNECT_TIMEOUT" }) }),
  ]) assert.equal(repeats().fail(20, 10_000, make), false, String(make()));
  assert.equal(repeats().fail(20, 10_000, () => Object.assign(new Error("no such file"), { code: "ENOENT" })), true);
});

test("one error that is met twice on its way is counted once", () => {
  const { table } = repeats();
  const error = new Error("x");
  table.failed("0/a", error, undefined);
  table.failed("0/a", error, undefined);
  assert.equal(table.times("0/a"), 1);
});

test("of more agents than are kept the oldest is forgotten", () => {
  const { table, fail } = repeats();
  for (let n = 0; n < 300; n++) fail(1, 1, undefined, `0/${n}`);
  assert.deepEqual([table.times("0/0"), table.times("0/299")], [0, 1]);
});

test("it is known on the other side of a call, and told to clients as what stays", () => {
  const faults = new Faults({ mode: "dev", env: () => ({}), redact: (text) => text, report: () => {} });
  const cross = (error: Error) => makeError(JSON.parse(JSON.stringify(takeError(error, (value) => value))));
  const error = new Error("always");
  assert.equal(faults.told(cross(error), {}).code, 1011);
  markLasting(error);
  assert.equal(faults.told(cross(error), {}).code, 4500);
  assert.equal(faults.of(cross(error)).lasting, true);
  assert.deepEqual(Object.keys(cross(error)), [], "the code sees nothing of it");
});
