// The cases. Each is run on both targets in turns, `rounds` times, and returns per target a list of
// samples; what a sample holds is what its table shows.
import { http } from "../tests/lib/clients.mjs";
import { runChecks } from "./checks.mjs";
import { load, pin } from "./measure.mjs";
import { alarms, begin, idle, kAlarms, kIdleConnections, kLiveAgents, kWoken, live, recover, rest, startTime, wake, wakeLatency, writingAlarms } from "./scenarios.mjs";

const kRaw = "raw";
const kAgent = "agent";

const echo = (id, title, worker, path, connections, depth, aim) => ({
  id, title, worker, kind: "throughput", aim, unit: "messages/s",
  args: ["ws", "--path", path, "--connections", String(connections), "--depth", String(depth)], pinned: connections === 1,
});
/** `per`: what one request makes the worker do so many times. */
const get = (id, title, path, { aim, per = 1 } = {}) => ({
  id, title, worker: kRaw, kind: "throughput", aim, per, unit: per > 1 ? "calls/s" : "requests/s",
  args: ["http", "--path", path, "--connections", "64"],
});

export const cases = [
  echo("echo-64", "WebSocket echo, raw Durable Object, 64 connections", kRaw, "/echo/a", 64, 1, 2.5),
  echo("echo-64x16", "the same, 64 × 16 in flight", kRaw, "/echo/a", 64, 16, 8),
  echo("echo-1", "the same, 1 connection, pinned", kRaw, "/echo/a", 1, 1, 1),
  echo("agent-64", "WebSocket echo, the SDK's Agent, 64 connections", kAgent, "/agents/echo-agent/a", 64, 1),
  echo("agent-64x16", "the same, 64 × 16 in flight", kAgent, "/agents/echo-agent/a", 64, 16),
  echo("agent-1", "the same, 1 connection, pinned", kAgent, "/agents/echo-agent/a", 1, 1),
  get("http", "HTTP, plain worker, 64 connections", "/", { aim: 1.5 }),
  get("http-do", "HTTP through a Durable Object, 64 connections", "/echo/a", { aim: 4 }),
  get("increment", "durable increment (`storage.put`), 64 objects", "/count/{64}", { aim: 5 }),
  get("increment-1", "the same, 64 connections to one object", "/count/a"),
  get("increment-1000", "the same, 1,000 objects in turn", "/count/{*1000}"),
  get("rpc", "RPC from the worker to an object, one call after another", "/rpc/{64}/100", { per: 100 }),
  get("rpc-pipelined", "the same, a hundred at once", "/rpc/{64}/100/at-once", { per: 100 }),
  { id: "wake", title: `objects woken from the disk, ${kWoken.toLocaleString("en-US")} of them`, worker: kRaw, kind: "rate", unit: "/s", run: wake, rounds: 2 },
  { id: "wake-latency", title: "waking one object from the disk: what it adds to the answer's time, median", worker: kRaw, kind: "time", unit: "µs", run: wakeLatency, rounds: 3 },
  { id: "alarms", title: `alarms, ${kAlarms.toLocaleString("en-US")} due at one moment`, worker: kRaw, kind: "rate", unit: "/s", run: alarms, rounds: 2 },
  { id: "alarms-write", title: "the same, each with a `storage.put` that reaches the disk", worker: kRaw, kind: "rate", unit: "/s", run: writingAlarms, rounds: 2 },
  { id: "live", title: `memory per live object with a stored value, at ${kLiveAgents.toLocaleString("en-US")}`, worker: kRaw, kind: "memory", unit: "bytes", run: live, rounds: 1 },
  { id: "idle", title: `memory per idle hibernated connection, at ${kIdleConnections}`, worker: kRaw, kind: "memory", unit: "bytes", run: idle, rounds: 1 },
  { id: "rest", title: "memory at rest, after one request", worker: kRaw, kind: "memory", unit: "bytes", run: rest, rounds: 1 },
  { id: "start", title: "start to first answer", worker: kRaw, kind: "time", unit: "ms", run: startTime, rounds: 3 },
  { id: "recover", title: "kill -9 of the user code to the next answered message", worker: kRaw, kind: "time", unit: "ms", run: recover, rounds: 5 },
  // hearth beside itself; its samples are its summary.
  { id: "checks", title: "what the checks cost", kind: "checks" },
];

const folders = (root) => ({ [kRaw]: `${root}/bench/worker`, [kAgent]: `${root}/tests/projects/bench-agent` });

/** Both servers stay up over the rounds of one case: an idle one costs the other nothing. */
export async function runCase(item, context) {
  if (item.kind === "checks") return runChecks(context);
  const { rounds = context.rounds } = item;
  const folder = folders(context.root)[item.worker];
  const samples = { hearth: [], workerd: [] };
  if (item.run) {
    for (let round = 0; round < rounds; round++) {
      for (const name of ["hearth", "workerd"]) samples[name].push(await item.run(name, folder, context));
    }
    return samples;
  }
  const targets = {};
  try {
    for (const name of ["hearth", "workerd"]) targets[name] = await begin(name, folder, context);
    for (const target of Object.values(targets)) {
      await http(target.url);
      if (item.pinned) pin(target.processes(), 0);
    }
    for (let round = 0; round < rounds; round++) {
      for (const name of ["hearth", "workerd"]) {
        const args = [...item.args, "--seconds", String(context.seconds)];
        samples[name].push(await load(context.generator, targets[name], args, { per: item.per, clientCpu: item.pinned ? 1 : undefined }));
      }
    }
  } finally {
    for (const target of Object.values(targets)) await target.discard();
  }
  return samples;
}
