// What is read of a server from outside: CPU time and memory of its processes, by /proc.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

import { Child, statOf } from "../tests/lib/process.mjs";

const kTickSeconds = 1 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU seconds of each process so far, ended children not among them. */
export function cpuSeconds(pids) {
  return new Map(pids.map((pid) => [pid, (statOf(pid)?.ticks ?? 0) * kTickSeconds]));
}

/** Proportional set size in bytes: shared pages are counted once over all who share them. */
export function pssBytes(pids) {
  return pids.reduce((sum, pid) => {
    try {
      return sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]);
    } catch {
      return sum; // it ended meanwhile
    }
  }, 0);
}

/** How many descriptors a process may have open. */
export const descriptorsMax = (pid) => Number(/^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))[1]);

/** Keeps every thread of these processes on one CPU. */
export function pin(pids, cpu) {
  for (const pid of pids) execFileSync("taskset", ["-acp", String(cpu), String(pid)], { stdio: "ignore" });
}

/** One run of the generator against a target: its report and the server's CPU seconds meanwhile.
 *  `per`: operations that each request stands for. */
export async function load(binary, target, args, { clientCpu, per = 1 } = {}) {
  const command = [binary, ...args, "--port", String(target.port)];
  if (clientCpu !== undefined) command.unshift("taskset", "-c", String(clientCpu));
  const child = new Child(command[0], command.slice(1));
  await child.line(/"measuring":true/);
  const pids = target.processes();
  const before = cpuSeconds(pids);
  const [text] = await child.line(/^\{"operations".*/, 120_000);
  const after = cpuSeconds(pids);
  await child.exited;
  if (child.exit.code !== 0) throw new Error(`the load generator failed:\n${child.output}`);
  const report = JSON.parse(text);
  const operations = report.operations * per;
  const cpu = Object.fromEntries(pids.map((pid) => [pid === target.pid ? "core" : pid, after.get(pid) - before.get(pid)]));
  const serverCpuSeconds = Object.values(cpu).reduce((a, b) => a + b, 0);
  return {
    ...report, perSecond: report.perSecond * per, serverCpuSeconds, coreCpuUs: (cpu.core * 1e6) / operations,
    cpuUs: (serverCpuSeconds * 1e6) / operations, clientCpuUs: (report.clientCpuSeconds * 1e6) / operations,
  };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function machine() {
  const [first] = cpus();
  const file = readdirSync("/sys/block").find((name) => !/^(loop|ram|zram)/.test(name));
  return {
    cpu: first.model.trim(), cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), kernel: release().split("-")[0],
    disk: file ? `${file.replace(/\d+$/, "")} block device` : "unknown",
  };
}
