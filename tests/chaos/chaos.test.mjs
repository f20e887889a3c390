// Half a minute of faults, in each run of the tests; ./dev chaos for longer ones.
import assert from "node:assert/strict";
import { test } from "node:test";

import { onHearth } from "../lib/target.mjs";
import { chaos, compare, whole } from "./chaos.mjs";

test("half a minute of killed, stopped, looped and replaced hosts loses, repeats and reorders nothing",
  { skip: onHearth ? false : "hearth's own promise", timeout: 150_000 }, async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`seed ${seed}`);
    const { result, output } = await chaos({ minutes: 0.5, seed });
    t.diagnostic(JSON.stringify(result));
    assert.ok(result.handled > 1_000, JSON.stringify(result));
    assert.ok(whole(result), `seed ${seed}: ${JSON.stringify(result)}\n${output}`);
  });

test("the comparison finds what it is there to find", () => {
  const client = (sent, acknowledged) => ({ agent: "a", name: "c", sent, loops: 0, acknowledged: new Set(acknowledged) });
  const of = (one, rows, reported = 0) => compare([one], new Map([["a", rows.map((number) => ["c", number])]]), new Map([["a", reported]]));
  assert.deepEqual(of(client(3, [1, 2]), [1, 2, 3]), { sent: 3, handled: 3, lost: 0, twice: 0, outOfOrder: 0, writesLost: 0, reported: 0 });
  assert.equal(of(client(3, [1]), [1, 3]).lost, 1);
  assert.equal(of(client(3, [1]), [1, 3], 1).lost, 0);
  assert.equal(of(client(3, []), [1, 2, 2, 3]).twice, 1);
  assert.equal(of(client(3, []), [1, 3, 2]).outOfOrder, 1);
  assert.equal(of(client(3, [2]), [1, 3]).writesLost, 1);
});
