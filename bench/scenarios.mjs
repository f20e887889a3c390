// The cases that are more than a load: each starts a target, brings it into a state, and reads one
// figure off it.
import { setTimeout as delay } from "node:timers/promises";

import { Socket, http } from "../tests/lib/clients.mjs";
import { Child, until } from "../tests/lib/process.mjs";
import { start } from "../tests/lib/target.mjs";
import { descriptorsMax, load, pssBytes } from "./measure.mjs";

export const kIdleConnections = 10_000;
/** workerd fails at ten thousand where a process may have 20,000 descriptors. */
export const kLiveAgents = 5_000;
export const kWoken = 2_000;
/** Few enough that all are still awake in the second round. */
export const kWokenOneByOne = 1_000;
export const kAlarms = 2_000;
/** Both evict an idle object after ten seconds; until then its memory is not that of a hibernated one. */
const kEvictionMs = 14_000;

export const begin = (name, folder, context) =>
  start(folder, { target: name, binary: context.binary, args: name === "hearth" ? context.hearthArgs : [] });

export async function idle(name, folder, context) {
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

export async function rest(name, folder, context) {
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
export async function startTime(name, folder, context) {
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
export async function recover(name, folder, context) {
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

/** So many requests to `path`, timed as a whole. */
const visit = (context, target, path, operations) =>
  load(context.generator, target, ["http", "--path", path, "--connections", "64", "--operations", String(operations), "--seconds", "100"]);

/** Every object has a value on the disk and has been evicted; then each is asked once. */
export async function wake(name, folder, context) {
  const target = await begin(name, folder, context);
  try {
    await visit(context, target, `/count/{*${kWoken}}`, kWoken);
    await delay(kEvictionMs);
    return { value: (await visit(context, target, `/value/{*${kWoken}}`, kWoken)).perSecond };
  } finally {
    await target.discard();
  }
}

/** One after another over one connection, each object asleep; then again, awake. What the sleep added to the median. */
export async function wakeLatency(name, folder, context) {
  const target = await begin(name, folder, context);
  try {
    await visit(context, target, `/count/{*${kWokenOneByOne}}`, kWokenOneByOne);
    await delay(kEvictionMs);
    const each = () => load(context.generator, target,
      ["http", "--path", `/value/{*${kWokenOneByOne}}`, "--connections", "1", "--operations", String(kWokenOneByOne), "--seconds", "100"]);
    const asleep = (await each()).latencyUs.p50;
    return { value: asleep - (await each()).latencyUs.p50 };
  } finally {
    await target.discard();
  }
}

/** What the last nine of ten objects add. They are visited in turns, so that none is evicted. */
export async function live(name, folder, context) {
  const target = await begin(name, folder, context);
  try {
    const first = kLiveAgents / 10;
    await visit(context, target, `/count/{*${first}}`, first);
    const before = pssBytes(target.processes());
    await visit(context, target, `/count/{*${kLiveAgents}}`, kLiveAgents);
    await visit(context, target, `/value/{*${kLiveAgents}}`, 2 * kLiveAgents);
    return { value: (pssBytes(target.processes()) - before) / (kLiveAgents - first) };
  } finally {
    await target.discard();
  }
}

/** From the moment at which all are due to the one at which all are seen to have fired. */
const alarmsOf = (kind) => async (name, folder, context) => {
  const target = await begin(name, folder, context);
  try {
    const due = Date.now() + 8_000;
    await visit(context, target, `/${kind}/{*${kAlarms}}/${due}`, kAlarms);
    if (Date.now() > due) throw new Error("setting the alarms took longer than until they were due");
    await delay(due - Date.now() - 100);
    for (let count = 0; count < kAlarms;) {
      if (Date.now() > due + 60_000) throw new Error(`${count} of ${kAlarms} alarms fired within a minute`);
      count = Number((await http(`${target.url}/fired`)).body);
      await delay(2);
    }
    return { value: (kAlarms * 1_000) / (Date.now() - due) };
  } finally {
    await target.discard();
  }
};

/** The handlers' beginnings. */
export const alarms = alarmsOf("alarm");
/** The handlers' ends, each with a write that has reached the disk. */
export const writingAlarms = alarmsOf("writer");
