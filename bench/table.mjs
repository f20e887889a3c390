// The tables of docs/performance.md, between their markers.
import { readFileSync, writeFileSync } from "node:fs";

import { checksTable } from "./checks.mjs";
import { median } from "./measure.mjs";

const kBegin = "<!-- bench:begin (written by bench/run.mjs) -->";
const kEnd = "<!-- bench:end -->";

export function summary(item, samples) {
  if (item.kind === "checks") return samples;
  const of = (name, key) => median(samples[name].map((sample) => sample[key]).filter((value) => value !== undefined));
  if (item.kind === "throughput") {
    const latency = (name, key) => median(samples[name].map((sample) => sample.latencyUs[key]));
    const side = (name) => ({
      perSecond: of(name, "perSecond"), cpuUs: of(name, "cpuUs"), coreCpuUs: of(name, "coreCpuUs"), clientCpuUs: of(name, "clientCpuUs"),
      p50Us: latency(name, "p50"), p99Us: latency(name, "p99"),
    });
    const hearth = side("hearth");
    const workerd = side("workerd");
    return { hearth, workerd, ratio: hearth.perSecond / workerd.perSecond, cpuRatio: workerd.cpuUs / hearth.cpuUs };
  }
  const hearth = { value: of("hearth", "value"), core: of("hearth", "core") };
  const workerd = { value: of("workerd", "value") };
  return { hearth, workerd, ratio: item.kind === "rate" ? hearth.value / workerd.value : workerd.value / hearth.value };
}

const number = (value) => Math.round(value).toLocaleString("en-US");
const small = (value) => (value >= 100 ? number(value) : value.toPrecision(3));
const times = (value) => `**${value >= 10 ? value.toFixed(0) : value.toFixed(2)}×**`;

export function tables(cases, results, facts) {
  const done = cases.filter((item) => results[item.id]);
  const rates = done.filter((item) => item.kind === "throughput");
  const rest = done.filter((item) => item.kind !== "throughput" && item.kind !== "checks");
  const lines = [
    `Measured on ${facts.machine.cores} cores of ${facts.machine.cpu}, ${facts.machine.memoryGb} GB, Linux ${facts.machine.kernel}; ` +
      `hearth built as ${facts.built}, workerd ${facts.workerd}, Node.js ${facts.node} in the hosts; ${facts.rounds} rounds of ${facts.seconds} s in turns, medians. To repeat it: \`./dev bench\`.`,
    "",
  ];
  if (rates.length > 0) {
    lines.push(
      "| case | hearth /s | workerd /s | ratio | aim | server CPU, hearth (core + hosts) | workerd | ratio | p50, hearth | workerd | p99, hearth | workerd |",
      "|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (const item of rates) {
      const { hearth, workerd, ratio, cpuRatio } = results[item.id];
      lines.push(`| ${item.title} | ${number(hearth.perSecond)} | ${number(workerd.perSecond)} | ${times(ratio)} | ${item.aim ? `${item.aim}×` : ""} | ` +
        `${hearth.cpuUs.toFixed(1)} µs (${hearth.coreCpuUs.toFixed(1)} + ${(hearth.cpuUs - hearth.coreCpuUs).toFixed(1)}) | ${workerd.cpuUs.toFixed(1)} µs | ${times(cpuRatio)} | ` +
        `${number(hearth.p50Us)} µs | ${number(workerd.p50Us)} µs | ${number(hearth.p99Us)} µs | ${number(workerd.p99Us)} µs |`);
    }
    lines.push("");
  }
  if (rest.length > 0) {
    lines.push("| case | hearth | workerd | ratio |", "|---|---|---|---|");
    for (const item of rest) {
      const { hearth, workerd, ratio } = results[item.id];
      lines.push(`| ${item.title} | ${amount(item, hearth.value)}${item.kind === "memory" && hearth.core ? ` (core: ${amount(item, hearth.core)})` : ""} | ${amount(item, workerd.value)} | ${times(ratio)} |`);
    }
    lines.push("");
  }
  if (results.checks) lines.push(...checksTable(results.checks));
  return lines.join("\n");
}

function amount(item, value) {
  if (item.kind === "rate") return `${number(value)} ${item.unit}`;
  if (item.kind === "time") return `${small(value)} ${item.unit}`;
  return value > 2 ** 20 ? `${(value / 2 ** 20).toFixed(1)} MB` : `${(value / 1024).toFixed(1)} KB`;
}

export function writeTables(path, text) {
  const document = readFileSync(path, "utf8");
  const from = document.indexOf(kBegin);
  const to = document.indexOf(kEnd);
  if (from < 0 || to < from) throw new Error(`${path} has no place for the table: ${kBegin} … ${kEnd}`);
  writeFileSync(path, `${document.slice(0, from + kBegin.length)}\n${text}\n${document.slice(to)}`);
}
