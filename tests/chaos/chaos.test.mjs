// Half a minute of faults, in each run of the tests; ./dev chaos for longer ones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { onHearth } from "../lib/target.mjs";
import { Log, compare, longestGaps } from "./books.mjs";
import { Journal } from "./journal.mjs";
import { kPage, rendered } from "./page.mjs";
import { chaos, quiet, whole } from "./run.mjs";

const kAllFaults = ["deploy", "endless allocation, buffers", "endless allocation, heap", "endless loop",
  "killed (kill -9)", "reload", "slow disk", "stopped (SIGSTOP)", "upgrade of the core"];

test("half a minute of every fault loses, repeats and reorders nothing",
  { skip: onHearth ? false : "hearth's own promise", timeout: 175_000 }, async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`seed ${seed}`);
    const { result, output } = await chaos({ minutes: 0.5, seed });
    const { faults, ...books } = result;
    t.diagnostic(JSON.stringify(books));
    assert.ok(result.handled > 1_000, JSON.stringify(result));
    assert.deepEqual([...new Set(faults.map(({ kind }) => kind))].sort(), kAllFaults, "each of them has happened");
    assert.ok(whole(result), `seed ${seed}: ${JSON.stringify(result)}\n${output}`);
  });

// Not only the comparison: the agents, the clients, the log and the settling of a run that has no fault
// but this one, which the agents commit themselves.
for (const [sabotage, found] of Object.entries({
  "": {}, lose: { lost: 1 }, twice: { twice: 1 }, reorder: { outOfOrder: 1 }, forget: { writesLost: 1, lost: 1 }, close: { socketsLost: 1 } })) {
  test(`a run in which agents ${sabotage || "do nothing wrong"} ${sabotage ? "is found out" : "is whole"}`,
    { skip: onHearth ? false : "hearth's own promise", timeout: 120_000 }, async () => {
      const { result, output } = await quiet({ seconds: 1.5, seed: 1, sabotage });
      for (const what of ["socketsLost", "lost", "twice", "outOfOrder", "writesLost"]) {
        // What is sent on a connection that its agent closes may be lost with it.
        if (sabotage !== "close" || what === "socketsLost") assert.equal(result[what], found[what] ?? 0, `${what}: ${JSON.stringify(result)}\n${output}`);
      }
      assert.equal(whole(result), sabotage === "");
    });
}

const kNothing = { sent: 0, handled: 0, lost: 0, twice: 0, outOfOrder: 0, writesLost: 0, reported: 0, reportedUnwritten: 0, wrong: [] };

test("the comparison finds what it is there to find", () => {
  const client = (texts, acknowledged) => ({ agent: "a", name: "c", texts, acknowledged: new Set(acknowledged) });
  const of = (one, rows, reported = []) =>
    compare([one], new Map([["a", rows.map((number) => ["c", number])]]), () => new Set(reported));
  assert.deepEqual(of(client(["1", "2", "3"], [1, 2]), [1, 2, 3]), { ...kNothing, sent: 3, handled: 3 });
  assert.equal(of(client(["1", "2", "3"], [1]), [1, 3]).lost, 1);
  assert.deepEqual(of(client(["1", "2", "3"], [1]), [1, 3], [2]), { ...kNothing, sent: 3, handled: 2, reported: 1, reportedUnwritten: 1 });
  assert.match(of(client(["1", "2", "3"], [1]), [1, 3]).wrong[0], /message 2, "2", was neither/);
  assert.equal(of(client(["1", "2", "3"], [1]), [1, 3], [3]).lost, 1, "no report hides the loss of another message");
  assert.equal(of(client(["1", "loop", "2"], [1]), [1, 2]).lost, 1, "a handler that never ends is reported");
  assert.equal(of(client(["hello", "1"], ["hello"]), [1]).lost, 0);
  assert.equal(of(client(["1", "2", "3"], []), [1, 2, 2, 3]).twice, 1);
  assert.equal(of(client(["1", "2", "3"], []), [1, 3, 2]).outOfOrder, 1);
  assert.equal(of(client(["1", "2", "3"], [2]), [1, 3]).writesLost, 1);
});

test("reports are told apart by client and message", () => {
  const log = new Log();
  const line = (record) => log.line(JSON.stringify(record));
  line({ source: "hearth", connection: 7, message: "the handler of WebSocket message 3 of Recorder/a had begun when its host ended (signal 9); it is not repeated" });
  line({ source: "console", connection: 7, message: "client c" });
  line({ source: "console", connection: 8, message: "client d" });
  log.line("ready on http://127.0.0.1:1");
  assert.deepEqual([[...log.reported("c")], [...log.reported("d")]], [[3], []]);
});

test("a gap is the fault's that was alone at work in it", () => {
  const faults = [{ kind: "killed", from: 0, to: 10 }, { kind: "deploy", from: 100, to: 200 }, { kind: "killed", from: 150, to: 160 }];
  const gaps = (...list) => Object.fromEntries(Object.entries(
    longestGaps(faults, [{ gaps: list.map(([from, to]) => ({ from, to })) }])).map(([kind, { ms }]) => [kind, ms]));
  assert.deepEqual(gaps([5, 60], [8, 20], [110, 140], [120, 180], [300, 350]), { killed: 55, deploy: 30, "several at once": 60, none: 50 });
});

test("a long gap is told with what happened in it", () => {
  const journal = new Journal();
  const from = performance.now();
  journal.add("deploy begins");
  journal.line(JSON.stringify({ source: "hearth", message: "host 3 died: signal 9 (SIGKILL) at /home/me/app/server.ts:3:4\n  at x" }));
  journal.line(JSON.stringify({ source: "hearth", message: "the handler of WebSocket message 3 of Recorder/a had begun" }));
  journal.line(JSON.stringify({ source: "console", message: "client c" }));
  const to = performance.now();
  assert.deepEqual(journal.story({ from, to }), ["+0.0 s  deploy begins", "+0.0 s  log: host 3 died: signal 9 (SIGKILL) at server.ts:3:4"]);
  assert.deepEqual(journal.story({ from: to + 10_000, to: to + 20_000 }), []);
  for (let i = 0; i < 100; i++) journal.add(`${i}`);
  const long = journal.story({ from, to: performance.now() });
  assert.equal(long.length, 31);
  assert.match(long.join("\n"), /12\n… 72 more\n[^\n]* 85\n/);
});

test("docs/reliability.md has the figures of the runs that are kept", () => {
  const page = readFileSync(kPage, "utf8");
  assert.equal(rendered(page), page, "written by ./dev chaos --write");
});
