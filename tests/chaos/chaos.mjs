// Clients that number their messages, agents that record them, and a server whose hosts are killed,
// stopped, looped and replaced meanwhile. Afterwards the books are compared.
//   ./dev chaos [--minutes N] [--seed S]
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kProjects } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { start } from "../lib/target.mjs";

const AGENTS = 6;
const CLIENTS_PER_AGENT = 2;
const SEND_EVERY_MS = 15;
const HANG_TIMEOUT_S = 2;
const SETTLE_MS = 60_000;

/** mulberry32: the faults of a seed are the same each time. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One client: sends 1, 2, 3… and notes what is acknowledged. */
class Client {
  sent = 0;
  loops = 0;
  acknowledged = new Set();
  longestGapMs = 0;
  closed = null;
  #last = performance.now();

  static async connect(target, agent, name) {
    const client = new Client();
    client.agent = agent;
    client.name = name;
    client.socket = await Socket.connect(`${target.ws}/agent/${agent}?client=${name}`);
    client.#last = performance.now();
    client.socket.ws.on("message", (data) => client.#acknowledged(String(data)));
    client.socket.closed.then((end) => { client.closed ??= end; });
    return client;
  }

  #acknowledged(text) {
    const number = Number(text.split(" ")[0]);
    this.acknowledged.add(number);
    const now = performance.now();
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#last);
    this.#last = now;
  }

  /** A message that is no number: its handler never ends, so it is begun and reported once. */
  loop() {
    if (this.closed !== null) return;
    this.loops++;
    this.socket.send("loop");
  }

  send() {
    if (this.closed === null) this.socket.send(String(++this.sent));
  }
}

/** Everything that is done to the server; each returns what it did. */
function faults(target, folder, clients, draw) {
  const pick = (list) => list[Math.floor(draw() * list.length)];
  let version = 0;
  const signal = (name) => {
    const hosts = target.hosts();
    if (hosts.length === 0) return "nothing";
    try { process.kill(pick(hosts), name); } catch { return "nothing"; } // it ended meanwhile
    return name === "SIGKILL" ? "killed" : "stopped";
  };
  return [
    { weight: 5, run: () => signal("SIGKILL") },
    { weight: 2, run: () => signal("SIGSTOP") }, // and nobody lets it go on: the watchdog has to end it
    { weight: 1, run: () => { pick(clients).loop(); return "looped"; } },
    { weight: 2, run: () => {
      const file = join(folder, "server.ts");
      writeFileSync(file, readFileSync(file, "utf8").replace(/VERSION = \d+/, `VERSION = ${++version}`));
      return "reloaded";
    } },
  ];
}

async function wreck(list, draw, untilMs, done) {
  const total = list.reduce((sum, fault) => sum + fault.weight, 0);
  while (performance.now() < untilMs) {
    await delay(300 + draw() * 1_700);
    let at = draw() * total;
    const fault = list.find(({ weight }) => (at -= weight) < 0) ?? list[0];
    const what = fault.run();
    done[what] = (done[what] ?? 0) + 1;
  }
}

/** Compares what clients sent with what agents recorded. `reports`: begun-and-unfinished, by agent. */
export function compare(clients, records, reports) {
  const result = { sent: 0, handled: 0, lost: 0, twice: 0, outOfOrder: 0, writesLost: 0, reported: 0 };
  for (const [agent, rows] of records) {
    let missing = 0;
    let loops = 0;
    for (const client of clients.filter((each) => each.agent === agent)) {
      const numbers = rows.filter(([name]) => name === client.name).map(([, number]) => number);
      const seen = new Set(numbers);
      result.sent += client.sent;
      result.handled += seen.size;
      result.twice += numbers.length - seen.size;
      for (let i = 1; i < numbers.length; i++) if (numbers[i] < numbers[i - 1]) result.outOfOrder++;
      for (const number of client.acknowledged) if (!seen.has(number)) result.writesLost++;
      missing += client.sent - seen.size;
      loops += client.loops;
    }
    const reported = Math.max(0, (reports.get(agent) ?? 0) - loops);
    result.reported += reported;
    result.lost += Math.max(0, missing - reported);
  }
  return result;
}

function reportsByAgent(output) {
  const reports = new Map();
  for (const [, agent] of output.matchAll(/the handler of a WebSocket message of Recorder\/(\S+) had begun when/g)) {
    reports.set(agent, (reports.get(agent) ?? 0) + 1);
  }
  return reports;
}

/** Sends a last message on each socket that is open, until it is acknowledged: all before it are through. */
async function settle(target, clients) {
  for (const pid of target.hosts()) { try { process.kill(pid, "SIGCONT"); } catch { /* ended */ } }
  const waiting = clients.filter((client) => client.closed === null);
  await until(async () => {
    for (const client of waiting) if (!client.acknowledged.has(client.sent)) client.send();
    await delay(500);
    return waiting.every((client) => client.closed !== null || client.acknowledged.has(client.sent) || client.acknowledged.has(client.sent - 1));
  }, "the last messages of all clients", SETTLE_MS);
  await delay(1_000);
}

export async function chaos({ minutes, seed }) {
  const draw = random(seed);
  const folder = temporaryFolder(".edit-chaos-", kProjects);
  cpSync(join(kProjects, "chaos"), folder, { recursive: true });
  const target = await start(folder, {
    command: "dev", expectErrors: [/./],
    args: ["--hosts", "2", "--quarantine", "0", "--hang-timeout", String(HANG_TIMEOUT_S)],
  });
  try {
    const clients = [];
    for (let i = 0; i < AGENTS * CLIENTS_PER_AGENT; i++) clients.push(await Client.connect(target, `a${i % AGENTS}`, `c${i}`));
    const sender = setInterval(() => clients.forEach((client) => client.send()), SEND_EVERY_MS);
    const done = {};
    await wreck(faults(target, folder, clients, draw), draw, performance.now() + minutes * 60_000, done);
    clearInterval(sender);
    await settle(target, clients);
    const records = new Map();
    for (let i = 0; i < AGENTS; i++) records.set(`a${i}`, (await http(`${target.url}/agent/a${i}`, { timeoutMs: 20_000 })).json());
    const result = {
      socketsLost: clients.filter((client) => client.closed !== null).length,
      ...compare(clients, records, reportsByAgent(target.output)),
      longestGapMs: Math.round(Math.max(...clients.map((client) => client.longestGapMs))),
      faults: done,
    };
    for (const client of clients) client.socket.ws.terminate();
    return { result, output: target.output };
  } finally {
    await target.stop({ checkDescriptors: false });
  }
}

export const whole = ({ socketsLost, lost, twice, outOfOrder, writesLost }) =>
  socketsLost + lost + twice + outOfOrder + writesLost === 0;

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({ options: {
    minutes: { type: "string", default: "1" }, seed: { type: "string", default: String(Date.now() % 1_000_000) } } });
  const { minutes, seed } = { minutes: Number(values.minutes), seed: Number(values.seed) };
  if (!(minutes > 0) || !Number.isInteger(seed)) throw new Error("--minutes is a number, --seed a whole one");
  console.log(`${minutes} minutes of faults, seed ${seed}`);
  const { result, output } = await chaos({ minutes, seed });
  const { faults: done, ...rest } = result;
  const names = {
    socketsLost: "sockets lost", sent: "messages sent", handled: "messages handled",
    lost: "messages lost (neither handled nor reported as begun)", twice: "messages handled twice",
    outOfOrder: "messages out of order", writesLost: "acknowledged writes lost",
    reported: "reported as begun and not finished", longestGapMs: "longest gap seen by a client, ms",
  };
  console.log(`faults: ${Object.entries(done).map(([what, count]) => `${what} ${count}`).join(", ")}`);
  for (const [key, value] of Object.entries(rest)) console.log(`${String(value).padStart(9)}  ${names[key]}`);
  if (!whole(result)) {
    console.log(`not whole; the server's log:\n${output.split("\n").slice(-60).join("\n")}`);
    process.exitCode = 1;
  }
}
