// The cases. Each is run on both targets in turns, `rounds` times, and returns per target a list of
// samples; what a sample holds is what its table shows.
import { setTimeout as delay } from "node:timers/promises";

import { Socket, http } from "../tests/lib/clients.mjs";
import { Child, until } from "../tests/lib/process.mjs";
import { start } from "../tests/lib/target.mjs";
import { descriptorsMax, load, pin, pssBytes } from "./measure.mjs";

const kRaw = "raw";
const kAgent = "agent";
const kIdleConnections = 10_000;
/** Both evict an idle object after ten seconds; until then its memory is not that of a hibernated one. */
const kEvictionMs = 14_000;

const echo = (id, title, worker, path, connections, depth, aim) => ({
  id, title, worker, kind: "throughput", aim, unit: "messages/s",
  args: ["ws", "--path", path, "--connections", String(connections), "--depth", String(depth)], pinned: connections === 1,
});
const get = (id, title, path, aim, note) => ({
  id, title, worker: kRaw, kind: "throughput", aim, note, unit: "requests/s", args: ["http", "--path", path, "--connections", "64"],
});

export const cases = [
  echo("echo-64", "WebSocket echo, raw Durable Object, 64 connections", kRaw, "/echo/a", 64, 1, 2.5),
  echo("echo-64x16", "the same, 64 × 16 in flight", kRaw, "/echo/a", 64, 16, 8),
  echo("echo-1", "the same, 1 connection, pinned", kRaw, "/echo/a", 1, 1, 1),
  echo("agent-64", "WebSocket echo, the SDK's Agent, 64 connections", kAgent, "/agents/echo-agent/a", 64, 1),
  echo("agent-64x16", "the same, 64 × 16 in flight", kAgent, "/agents/echo-agent/a", 64, 16),
  echo("agent-1", "the same, 1 connection, pinned", kAgent, "/agents/echo-agent/a", 1, 1),
  get("http", "HTTP, plain worker, 64 connections", "/", 1.5),
  get("http-do", "HTTP through a Durable Object, 64 connections", "/echo/a", 4),
  get("increment", "durable increment (`storage.put`), 64 objects", "/count/{64}", 5),
  get("increment-1", "durable increment, 64 connections to one object", "/count/a"),
  { id: "idle", title: `memory per idle hibernated connection, at ${kIdleConnections}`, worker: kRaw, kind: "memory", unit: "bytes", run: idle, rounds: 1 },
  { id: "rest", title: "memory at rest, after one request", worker: kRaw, kind: "memory", unit: "bytes", run: rest, rounds: 1 },
  { id: "start", title: "start to first answer", worker: kRaw, kind: "time", unit: "ms", run: startTime, rounds: 3 },
  { id: "recover", title: "kill -9 of the user code to the next answered message", worker: kRaw, kind: "time", unit: "ms", run: recover, rounds: 5 },
];

const folders = (root) => ({ [kRaw]: `${root}/bench/worker`, [kAgent]: `${root}/tests/projects/bench-agent` });

/** Both servers stay up over the rounds of one case: an idle one costs the other nothing. */
export async function runCase(item, context) {
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
        samples[name].push(await load(context.generator, targets[name], args, item.pinned ? { clientCpu: 1 } : {}));
      }
    }
  } finally {
    for (const target of Object.values(targets)) await target.discard();
  }
  return samples;
}

const begin = (name, folder, context) =>
  start(folder, { target: name, binary: context.binary, args: name === "hearth" ? context.hearthArgs : [] });

async function idle(name, folder, context) {
  const target = await begin(name, folder, context);
  const holders = [];
  try {
    await http(`${target.url}/echo/0`);
    const open = async (connections) => {
      const holder = new Child(context.generator, ["idle", "--port", String(target.port), "--path", "/echo/{100}", "--connections", String(connections)],
        { stdio: ["pipe", "pipe", "pipe"] });
      holders.push(holder);
      await holder.line(/"open":\d+/, 60_000);
    };
    // The first hundred open every object once, so that what grows afterwards is connections alone.
    await open(100);
    await delay(kEvictionMs);
    const pids = target.processes();
    const before = { all: pssBytes(pids), core: pssBytes([target.pid]) };
    // workerd holds two descriptors for each: where the limit is low, it is asked for fewer.
    const connections = name === "workerd" ? Math.min(kIdleConnections, (descriptorsMax(target.pid) - 1_500) >> 1) : kIdleConnections;
    await open(connections);
    await delay(kEvictionMs);
    return { value: (pssBytes(pids) - before.all) / connections, core: (pssBytes([target.pid]) - before.core) / connections };
  } finally {
    for (const holder of holders) holder.killTree();
    await target.discard();
  }
}

async function rest(name, folder, context) {
  const target = await begin(name, folder, context);
  try {
    await http(`${target.url}/echo/0`);
    await delay(1_000);
    const pids = target.processes();
    return { value: pssBytes(pids), core: pssBytes([target.pid]), processes: pids.length };
  } finally {
    await target.discard();
  }
}

/** workerd gets its bundle ready-made; hearth makes it within this time. */
async function startTime(name, folder, context) {
  let spawned = 0;
  const target = await start(folder, {
    target: name, binary: context.binary, args: name === "hearth" ? context.hearthArgs : [], onSpawn: () => { spawned = performance.now(); },
  });
  try {
    const answer = await http(`${target.url}/echo/0`);
    if (answer.status !== 200) throw new Error(`the first answer is a ${answer.status}`);
    return { value: performance.now() - spawned };
  } finally {
    await target.discard();
  }
}

/** hearth: the host is killed, the client keeps its socket. workerd: all of it is, so a supervisor
 *  that starts it again at once is assumed, and a client that reconnects every 5 ms. */
async function recover(name, folder, context) {
  const target = await begin(name, folder, context);
  try {
    const socket = await Socket.connect(`${target.ws}/echo/a`);
    await socket.ask("before");
    await delay(500); // a warm spare is there, as in a server that has run for a while
    if (name === "hearth") {
      const host = Number(await socket.ask("pid"));
      const killed = performance.now();
      process.kill(host, "SIGKILL");
      if ((await socket.ask("after")) !== "after") throw new Error("the answer is not the echo");
      return { value: performance.now() - killed };
    }
    const killed = performance.now();
    process.kill(target.pid, "SIGKILL");
    await target.child.exited;
    const again = target.start(target.port);
    const reopened = await until(() => Socket.connect(`${target.ws}/echo/a`).catch(() => null), "a connection to the restarted workerd", 20_000);
    if ((await reopened.ask("after")) !== "after") throw new Error("the answer is not the echo");
    const value = performance.now() - killed;
    await again;
    return { value };
  } finally {
    await target.discard();
  }
}
