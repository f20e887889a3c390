// One run of faults: clients that number their messages, agents that write each one down before they
// acknowledge it, and a server to which everything happens that may happen. Afterwards the books are
// compared.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kProjects } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { start } from "../lib/target.mjs";
import { Log, compare, longestGaps } from "./books.mjs";
import { Client } from "./client.mjs";
import { hearthFaults, random, workerdFaults, wreck } from "./faults.mjs";
import { Journal } from "./journal.mjs";
import { Keeper } from "./keeper.mjs";
import { SlowDisk } from "./slow_disk.mjs";

const AGENTS = 6;
const CLIENTS_PER_AGENT = 2;
const HANG_TIMEOUT_S = 2;
const HOST_MEMORY_MB = 400;
/** Of a health request to workerd. One that waits behind commits on a slow disk is not hung. */
const HEALTH_ANSWER_MS = 5_000;
const SETTLE_MS = 90_000;
/** A gap of so much is told with what happened in it. */
const STORY_MS = 3_000;

/** Sends a last message on each socket until it is acknowledged: all before it are through, or lost. */
async function settle(target, clients, resolved) {
  for (const pid of target.hosts()) { try { process.kill(pid, "SIGCONT"); } catch { /* ended */ } }
  for (const client of clients) client.send();
  let asked = performance.now();
  await until(() => {
    const waiting = clients.filter((client) => !client.acknowledged.has(client.sent));
    // Its last message may be one that had begun when its host ended.
    if (performance.now() - asked > 2_000) {
      for (const client of waiting) client.send();
      asked = performance.now();
    }
    return waiting.length === 0 && resolved();
  }, "the last messages of all clients", SETTLE_MS);
}

async function readRecords(target) {
  const records = new Map();
  for (let i = 0; i < AGENTS; i++) {
    const answer = () => http(`${target.url}/agent/a${i}`, { timeoutMs: 30_000 }).then((got) => got.status === 200 && got);
    records.set(`a${i}`, (await until(answer, `what a${i} wrote down`, 30_000)).json());
  }
  return records;
}

/** Every loop and allocation has come to its end: it was begun once, and reported. */
const troublesReported = (clients, log) => clients.every((client) => {
  const reported = log.reported(client.name);
  return client.texts.every((text, at) => text === "hello" || Number(text) > 0 || reported.has(at + 1));
});

async function connectAll(target) {
  const clients = [];
  for (let i = 0; i < AGENTS * CLIENTS_PER_AGENT; i++) clients.push(await Client.connect(target, `a${i % AGENTS}`, `c${i}`));
  return clients;
}

/** Sends all the time while `list` is done to the target; what was done, once everything has come to its end. */
async function underLoad({ target, clients, seconds, pauseMs, everyMs, draw, journal, list, resolved }) {
  const sender = setInterval(() => clients.forEach((client) => client.send()), everyMs);
  try {
    const faults = await wreck(list, draw, performance.now() + seconds * 1_000, { pauseMs, journal });
    clearInterval(sender);
    await settle(target, clients, resolved);
    return faults;
  } finally {
    clearInterval(sender);
  }
}

async function booksOf({ target, clients, faults, journal, reported, counts }) {
  const gaps = longestGaps(faults, clients);
  for (const gap of Object.values(gaps)) if (gap.ms >= STORY_MS) gap.story = journal.story(gap);
  return {
    socketsLost: clients.reduce((sum, client) => sum + client.closes, 0),
    ...compare(clients, await readRecords(target), reported, counts),
    gaps, faults,
  };
}

/** A copy of the project to edit, a disk to slow down, and the target on both. */
async function prepare(seed, options) {
  const draw = random(seed);
  const folder = temporaryFolder(".edit-chaos-", kProjects);
  cpSync(join(kProjects, "chaos"), folder, { recursive: true });
  const disk = new SlowDisk();
  const journal = new Journal();
  const target = await start(folder, { expectErrors: [/./], ...options, env: { ...disk.env, HEARTH_LOG_FORMAT: "json" } });
  return { draw, pick: (list) => list[Math.floor(draw() * list.length)], folder, disk, journal, target };
}

async function withLog(target, work) {
  try {
    return { result: await work(), output: target.output };
  } catch (error) {
    error.message += `\nthe server's log:\n${target.output.split("\n").slice(-100).join("\n")}`;
    throw error;
  } finally {
    await target.stop({ checkDescriptors: false });
  }
}

/** command: "serve" (with deploys) or "dev" (with reloads). */
async function runHearth({ command, seconds, seed, vars = {}, faults: listOf = hearthFaults, ...pace }) {
  const context = await prepare(seed, {
    target: "hearth", command, vars,
    args: ["--hosts", "2", "--quarantine", "0", "--hang-timeout", String(HANG_TIMEOUT_S), "--host-memory", String(HOST_MEMORY_MB)],
  });
  const { target, draw, journal } = context;
  return withLog(target, async () => {
    const log = new Log();
    target.child.watch((line) => { log.line(line); journal.line(line); });
    const clients = await connectAll(target);
    try {
      await until(() => log.clients.size >= clients.length, "the connections in the log", 10_000);
      const list = listOf({ ...context, command, clients, log });
      const faults = await underLoad({ target, clients, seconds, draw, journal, list, ...pace, resolved: () => troublesReported(clients, log) });
      return await booksOf({ target, clients, faults, journal, reported: (name) => log.reported(name) });
    } finally {
      clients.forEach((client) => client.close());
    }
  });
}

/** One process that its keeper starts again; it reports nothing, so what was not handled is lost. */
async function runWorkerd({ seconds, seed, ...pace }) {
  const context = await prepare(seed, { target: "workerd" });
  const { target, draw, journal } = context;
  return withLog(target, async () => {
    const clients = await connectAll(target);
    const keeper = new Keeper(target, { answerMs: HEALTH_ANSWER_MS, memoryBytes: HOST_MEMORY_MB << 20 });
    try {
      const list = workerdFaults({ ...context, clients, keeper });
      const faults = await underLoad({ target, clients, seconds, draw, journal, list, ...pace, resolved: () => true });
      return await booksOf({ target, clients, faults, journal, reported: () => new Set(), counts: (text) => Number(text) > 0 });
    } finally {
      clients.forEach((client) => client.close());
      await keeper.stop();
    }
  });
}

/** Adds up the books of several runs. */
function together(results) {
  const [first, ...rest] = results;
  const sum = structuredClone(first);
  for (const each of rest) {
    for (const [key, value] of Object.entries(each)) if (typeof value === "number") sum[key] += value;
    for (const [kind, gap] of Object.entries(each.gaps)) if (gap.ms > (sum.gaps[kind]?.ms ?? 0)) sum.gaps[kind] = gap;
    sum.faults.push(...each.faults);
    sum.wrong.push(...each.wrong);
  }
  return sum;
}

/** Two thirds of the time in `serve`, with deploys; the rest in `dev`, with reloads. */
export async function chaos({ target = "hearth", minutes, seed, pauseMs = 0, everyMs = 15 }) {
  const pace = { pauseMs, everyMs };
  if (target === "workerd") return runWorkerd({ seconds: minutes * 60, seed, ...pace });
  const serve = await runHearth({ command: "serve", seconds: minutes * 40, seed, ...pace });
  const dev = await runHearth({ command: "dev", seconds: minutes * 20, seed: seed + 1, ...pace });
  return { result: together([serve.result, dev.result]), output: `${serve.output}\n${dev.output}` };
}

/** A run without faults, but for the one that agents commit themselves (`sabotage`, tests/projects/chaos). */
export const quiet = ({ seconds, seed, sabotage }) => runHearth({
  command: "serve", seconds, seed, vars: { SABOTAGE: sabotage }, pauseMs: 0, everyMs: 15,
  faults: () => [{ kind: "nothing", weight: 1, run: () => {} }],
});

/** Nothing is lost, repeated or reordered that must not be. */
export const whole = ({ socketsLost, lost, twice, outOfOrder, writesLost }) =>
  socketsLost + lost + twice + outOfOrder + writesLost === 0;

/** {kind: {count, outcomes: {…}, longestGapMs, story}} */
export function byKind({ faults, gaps }) {
  const kinds = {};
  for (const { kind, outcome } of faults) {
    kinds[kind] ??= { count: 0, outcomes: {}, longestGapMs: gaps[kind]?.ms, story: gaps[kind]?.story };
    kinds[kind].count++;
    if (outcome) kinds[kind].outcomes[outcome] = (kinds[kind].outcomes[outcome] ?? 0) + 1;
  }
  for (const kind of ["several at once", "none"]) if (kind in gaps) kinds[kind] = { count: 0, outcomes: {}, longestGapMs: gaps[kind].ms, story: gaps[kind].story };
  return kinds;
}
