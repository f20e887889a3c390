// What the checks cost a request that is well: the same load on hearth as it serves, as it develops
// (sources watched, faults told in full) and with all that looks for faults at run time turned off, side
// by side and taking turns. A second server with all of it off tells what such a comparison can see at
// all. And how long `hearth doctor` examines the coder.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { http } from "../tests/lib/clients.mjs";
import { start } from "../tests/lib/target.mjs";
import { load, median } from "./measure.mjs";

const kDoctorRuns = 5;
/** Everything that watches over handlers, agents and hosts. */
const kOff = ["--hang-timeout", "0", "--request-timeout", "0", "--quarantine", "0", "--give-up", "0"];
const kTargets = {
  off: { command: "serve", args: kOff },
  again: { command: "serve", args: kOff },
  serve: { command: "serve", args: [] },
  dev: { command: "dev", args: [] },
};
const kLoads = [
  { title: "HTTP, plain worker", worker: "bench/worker", args: ["http", "--path", "/"] },
  { title: "HTTP through a Durable Object", worker: "bench/worker", args: ["http", "--path", "/echo/a"] },
  { title: "WebSocket echo, raw Durable Object", worker: "bench/worker", args: ["ws", "--path", "/echo/a", "--depth", "1"] },
  { title: "WebSocket echo, the SDK's Agent", worker: "tests/projects/bench-agent", args: ["ws", "--path", "/agents/echo-agent/a", "--depth", "1"] },
];

export async function runChecks(context) {
  const loads = [];
  for (const each of kLoads) loads.push({ title: each.title, ...await compare(each, context) });
  return { loads, doctorMs: doctorMs(context) };
}

/** {name: {cpuUs, perSecond, ratio}}: medians; the ratio is of CPU per operation to `off` in the same round. */
async function compare({ worker, args }, context) {
  const names = Object.keys(kTargets);
  const targets = {};
  const rounds = [];
  try {
    for (const name of names) {
      const { command, args: given } = kTargets[name];
      targets[name] = await start(join(context.root, worker), { target: "hearth", binary: context.binary, command, args: [...context.hearthArgs, ...given] });
      await http(targets[name].url);
    }
    for (let round = 0; round < context.rounds; round++) {
      // Who comes first changes, so that none always follows the same one.
      const order = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
      const samples = {};
      for (const name of order) {
        samples[name] = await load(context.generator, targets[name], [...args, "--connections", "64", "--seconds", String(context.seconds)]);
      }
      rounds.push(samples);
    }
  } finally {
    for (const target of Object.values(targets)) await target.discard();
  }
  return Object.fromEntries(names.map((name) => [name, {
    cpuUs: median(rounds.map((samples) => samples[name].cpuUs)),
    perSecond: median(rounds.map((samples) => samples[name].perSecond)),
    ratio: median(rounds.map((samples) => samples[name].cpuUs / samples.off.cpuUs)),
  }]));
}

function doctorMs({ root, binary }) {
  return median(Array.from({ length: kDoctorRuns }, () => {
    const started = performance.now();
    const run = spawnSync(binary, ["doctor", "-c", join(root, "examples/coder/wrangler.jsonc")], { encoding: "utf8" });
    if (run.status !== 0) throw new Error(`hearth doctor ended with ${run.status}:\n${run.stdout}${run.stderr}`);
    return performance.now() - started;
  }));
}

export function checksLine({ loads, doctorMs: took }) {
  const of = ({ title, again, serve, dev }) =>
    `\n  ${title}: CPU of serve ×${serve.ratio.toFixed(3)}, dev ×${dev.ratio.toFixed(3)}, the same again ×${again.ratio.toFixed(3)} of all off`;
  return `doctor on the coder ${took.toFixed(0)} ms${loads.map(of).join("")}`;
}

/** For docs/performance.md. */
export function checksTable({ loads, doctorMs: took }) {
  const side = ({ cpuUs, ratio }) => `${cpuUs.toFixed(1)} µs (${ratio.toFixed(2)}×)`;
  return [
    "What the checks cost a request that is well: server CPU per operation at 64 connections, with all that watches over handlers, agents and",
    `hosts turned off (\`${kOff.join(" ")}\`), as served, and in \`dev\`; in brackets the median of the ratios within each round. The last`,
    "column is a second server that is like the first: what it differs by is what the comparison cannot see.",
    "",
    "| case | all off | `serve` | `dev` | all off, once more |",
    "|---|---|---|---|---|",
    ...loads.map((each) => `| ${each.title} | ${each.off.cpuUs.toFixed(1)} µs | ${side(each.serve)} | ${side(each.dev)} | ${side(each.again)} |`),
    "",
    `\`hearth doctor\` examines the coder in ${Math.round(took).toLocaleString("en-US")} ms (median of ${kDoctorRuns}; aim: below 3,000 ms).`,
    "",
  ];
}
