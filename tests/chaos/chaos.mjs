// Clients that number their messages, agents that record them, and a server to which everything
// happens meanwhile. Afterwards the books are compared.
//   ./dev chaos [--minutes N] [--seed S] [--pause SECONDS] [--every MS] [--target hearth|workerd] [--log FILE] [--write]
// --write keeps the result, and makes docs/reliability.md's figures of it.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { kNames, keep, machine, write } from "./page.mjs";
import { byKind, chaos, whole } from "./run.mjs";

function print(result, before) {
  console.log(`load ${before.load.toFixed(1)} before the run and ${machine().load.toFixed(1)} at its end, on ${before.cores} cores\n`);
  for (const [key, name] of Object.entries(kNames)) console.log(`${String(result[key]).padStart(9)}  ${name}`);
  console.log("\n    count  longest gap of a client  fault");
  for (const [kind, { count, outcomes, longestGapMs }] of Object.entries(byKind(result))) {
    console.log(`${String(count || "").padStart(9)}  ${`${longestGapMs ?? 0} ms`.padStart(23)}  ${kind}`);
    for (const [what, times] of Object.entries(outcomes)) console.log(`${" ".repeat(36)}${times} × ${what}`);
  }
  for (const [kind, { longestGapMs, story }] of Object.entries(byKind(result))) {
    if (story) console.log(`\nin the ${longestGapMs} ms of "${kind}":\n  ${story.join("\n  ")}`);
  }
}

const { values } = parseArgs({ options: {
  minutes: { type: "string", default: "1" }, seed: { type: "string", default: String(Date.now() % 1_000_000) },
  target: { type: "string", default: "hearth" }, pause: { type: "string", default: "0" },
  log: { type: "string" }, write: { type: "boolean", default: false }, every: { type: "string", default: "15" } } });
const { target } = values;
const everyMs = Number(values.every);
const pauseMs = Number(values.pause) * 1_000;
if (!["hearth", "workerd"].includes(target)) throw new Error("--target is hearth or workerd");
const { minutes, seed } = { minutes: Number(values.minutes), seed: Number(values.seed) };
if (!(minutes > 0) || !(pauseMs >= 0) || !(everyMs > 0) || !Number.isInteger(seed)) throw new Error("--minutes, --pause and --every are numbers, --seed a whole one");
console.log(`${minutes} minutes of faults, seed ${seed}, on ${target}`);
const before = machine();
const { result, output } = await chaos({ target, minutes, seed, pauseMs, everyMs });
print(result, before);
if (values.write) {
  const { faults: _, gaps: __, wrong: ___, ...books } = result;
  console.log(`\nwritten to tests/chaos/results/${keep({ target, minutes, seed, pauseMs, everyMs }, before, books, byKind(result))}.json and docs/reliability.md`);
  write();
}
if (values.log !== undefined) writeFileSync(values.log, output);
// What workerd loses is what the run is to show.
if (target === "hearth" && !whole(result)) {
  const log = values.log ?? join(mkdtempSync(join(tmpdir(), "hearth-chaos-")), "log");
  writeFileSync(log, output);
  console.log(`\nnot whole; the server's log is in ${log}\n${result.wrong.join("\n")}`);
  process.exitCode = 1;
}
process.exit();
