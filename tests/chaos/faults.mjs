// Everything that is done to a server while clients talk to it. Each fault has a kind, a weight, and a
// run() that lasts as long as the fault is at work, and says how it ended.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { kHearth } from "../lib/paths.mjs";
import { Child, alive, until } from "../lib/process.mjs";
import { upgrade } from "../lib/upgrade.mjs";

/** After a fault has been done, its effect may still show for so long. */
const kEffectMs = 300;
const kPatienceMs = 20_000;
/** A fault after which nothing else is done until it is over is given up on after: */
const kAloneMs = 30_000;
const kAloneMsMin = 3_000;

/** mulberry32: the faults of a seed are the same each time. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Changes the code: what is built next is another version. */
export function edit(folder, version) {
  const file = join(folder, "server.ts");
  writeFileSync(file, readFileSync(file, "utf8").replace(/VERSION = \d+/, `VERSION = ${version}`));
}

const over = (condition) => until(condition, "the fault's end", kPatienceMs).then(() => "", () => "");

/** A message whose handler never ends by itself; over when the log reports it. */
function trouble(kind, word, { clients, log, pick }) {
  return { kind, run: () => {
    const client = pick(clients);
    client.trouble(word);
    const number = client.texts.length;
    return over(() => log.reported(client.name).has(number));
  } };
}

const slowDisk = ({ disk, draw }) => ({ kind: "slow disk", weight: 2, run: async () => {
  disk.set(20 + Math.floor(draw() * 180), Math.floor(draw() * 2));
  await delay(1_000 + draw() * 2_000);
  disk.set(0, 0);
} });

/** What any hearth can meet. context: {target, folder, clients, log, disk, draw, pick}. */
function common(context) {
  const { target, pick } = context;
  return [
    { kind: "killed (kill -9)", weight: 5, run: () => {
      const hosts = target.hosts();
      if (hosts.length > 0) process.kill(pick(hosts), "SIGKILL");
    } },
    { kind: "stopped (SIGSTOP)", weight: 2, run: async () => {
      const host = pick(target.hosts()); // one that serves, drains or starts, or the spare
      process.kill(host, "SIGSTOP"); // and nobody lets it go on
      return over(() => !alive(host));
    } },
    { weight: 1, ...trouble("endless loop", "loop", context) },
    { weight: 1, ...trouble("endless allocation, buffers", "allocate", context) },
    { weight: 1, ...trouble("endless allocation, heap", "fill", context) },
    slowDisk(context),
    { kind: "upgrade of the core", weight: 2, run: async () => {
      const { code, output } = await upgrade(target, "--wait", "3");
      return code === 0 ? "" : `called off: ${output.trim().split("\n").at(-1).replace(/^hearth upgrade: /, "")}`;
    } },
  ];
}

export function hearthFaults(context) {
  const { target, folder } = context;
  let version = 0;
  if (context.command === "dev") {
    return [...common(context), { kind: "reload", weight: 4, run: async () => {
      const reloaded = target.child.nextLine(/reloaded/, kPatienceMs).catch(() => {});
      edit(folder, ++version);
      await reloaded;
    } }];
  }
  return [...common(context), { kind: "deploy", weight: 3, run: async () => {
    edit(folder, ++version);
    const child = new Child(kHearth, ["deploy", "-c", join(folder, "wrangler.jsonc"), "--state", target.state]);
    if ((await child.exited).code === 0) return "";
    return `refused: ${child.output.trim().split("\n")[0].replace(/^hearth deploy: /, "")}`;
  } }];
}

/** The same on one process that its keeper starts again; new code is a restart. */
export function workerdFaults(context) {
  const { target, keeper, folder, clients, pick } = context;
  let version = 0;
  const restart = (kind, weight, act) => ({ kind, weight, run: () => {
    const before = keeper.starts;
    act();
    return over(() => keeper.starts > before);
  } });
  const kill = (name) => target.child.kill(name);
  return [
    restart("killed (kill -9)", 5, () => kill("SIGKILL")),
    restart("stopped (SIGSTOP)", 2, () => kill("SIGSTOP")),
    restart("endless loop", 1, () => pick(clients).trouble("loop")),
    restart("endless allocation, buffers", 1, () => pick(clients).trouble("allocate")),
    restart("endless allocation, heap", 1, () => pick(clients).trouble("fill")),
    slowDisk(context),
    restart("deploy", 4, () => { edit(folder, ++version); kill("SIGKILL"); }),
  ];
}

/** In an order that is drawn. */
function shuffled(list, draw) {
  const order = [...list];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * Does each fault once, and then what is drawn until `untilMs`: half of them alone, the others while the
 * last one is still at work; with `pauseMs` each alone, so long a pause before it, and none for the sake
 * of completeness. Returns [{kind, from, to, outcome}], each over.
 */
export async function wreck(list, draw, untilMs, { pauseMs = 0, journal }) {
  const first = pauseMs > 0 ? [] : shuffled(list, draw);
  const total = list.reduce((sum, fault) => sum + fault.weight, 0);
  const done = [];
  const running = new Map(); // kind → promise
  while (performance.now() < untilMs || first.length > 0) {
    await delay(pauseMs + 300 + draw() * 1_200);
    let at = draw() * total;
    const fault = first.find(({ kind }) => !running.has(kind)) ?? list.find(({ weight }) => (at -= weight) < 0) ?? list[0];
    const alone = draw() < 0.5 || pauseMs > 0;
    if (running.has(fault.kind)) continue;
    if (first.includes(fault)) first.splice(first.indexOf(fault), 1);
    const entry = { kind: fault.kind, from: performance.now(), to: Infinity, outcome: "" };
    done.push(entry);
    journal.add(`${entry.kind} begins`);
    const end = Promise.resolve().then(fault.run).then((outcome) => outcome ?? "", () => "nothing to do").then((outcome) => {
      entry.outcome = outcome;
      journal.add(`${entry.kind} is over${outcome && ` (${outcome})`}`);
      entry.to = performance.now() + kEffectMs;
      running.delete(fault.kind);
    });
    running.set(fault.kind, end);
    if (alone) await Promise.race([Promise.all(running.values()), delay(Math.min(kAloneMs, Math.max(kAloneMsMin, untilMs - performance.now())))]);
  }
  await Promise.all(running.values());
  return done;
}
