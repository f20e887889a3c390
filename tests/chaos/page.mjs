// docs/reliability.md's figures, from the results of runs: each run leaves a file under results/, and
// the page between two marks is made of them, so that no figure is there that no run has given.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, totalmem } from "node:os";
import { join } from "node:path";

import { kHearth, kRoot } from "../lib/paths.mjs";

export const kPage = join(kRoot, "docs/reliability.md");
const kResults = join(import.meta.dirname, "results");

export const kNames = {
  socketsLost: "sockets lost",
  lost: "messages lost (neither handled nor reported as begun)",
  twice: "messages handled twice",
  outOfOrder: "messages out of order",
  writesLost: "acknowledged writes lost",
  sent: "messages sent",
  handled: "messages handled",
  reported: "reported as begun and not finished",
  reportedUnwritten: "of these, not written down before their host ended",
};

const kLast = { "several at once": "several at once", none: "no fault of the run (the machine, or what a fault left behind)" };

const number = (value) => value.toLocaleString("en-US");
const ms = (value) => (value === undefined ? "none to see" : `${number(value)} ms`);

/** The machine as it is now: the load is of the last minute, so that other work shows. */
export const machine = () => ({ cores: availableParallelism(), memoryGb: Math.round(totalmem() / 2 ** 30), load: loadavg()[0] });

/** What was measured: the program itself, by what is in it. */
function buildOf(target) {
  if (target === "workerd") {
    const file = join(kRoot, "node_modules/workerd/package.json");
    return `workerd ${existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : "of npm"}`;
  }
  return `hearth ${createHash("sha256").update(readFileSync(kHearth)).digest("hex").slice(0, 8)}`;
}

const fileOf = (name) => join(kResults, `${name}.json`);
export const read = (name) => (existsSync(fileOf(name)) ? JSON.parse(readFileSync(fileOf(name), "utf8")) : null);

/** Keeps a run's result; which part of the page it is for follows from how it was done. */
export function keep({ target, minutes, seed, pauseMs, everyMs }, before, books, kinds) {
  const name = pauseMs > 0 ? `beside-${target}` : "all";
  if (name === "all" && target !== "hearth") throw new Error("--write of workerd is for its part of the comparison: with --pause");
  const kept = { build: buildOf(target), date: new Date().toISOString().slice(0, 10), minutes, seed, pauseMs, everyMs, before, after: machine(), books, kinds };
  mkdirSync(kResults, { recursive: true });
  writeFileSync(fileOf(name), `${JSON.stringify(kept, null, 1)}\n`);
  return name;
}

const stateOf = ({ build, date, minutes, seed, before, after }) =>
  `${minutes} minutes, seed ${seed}, ${date}, build \`${build}\`, ${before.cores} cores and ${before.memoryGb} GB; ` +
  `load ${before.load.toFixed(1)} before the run and ${after.load.toFixed(1)} at its end`;

const countsOf = (books) => ["| | |", "|---|--:|", ...Object.entries(kNames).map(([key, name]) => `| ${name} | ${number(books[key])} |`)];

const withOutcomes = (kind, outcomes) => {
  const bad = Object.values(outcomes).reduce((sum, times) => sum + times, 0);
  return bad === 0 ? kind : `${kind} (${bad} not carried out)`;
};

/** All faults at once, as fast as they come. */
function allText(run) {
  const kinds = Object.entries(run.kinds).filter(([kind]) => !(kind in kLast)).sort(([a], [b]) => (a < b ? -1 : 1));
  const last = Object.entries(kLast).map(([kind, name]) => `| ${name} | | ${ms(run.kinds[kind]?.longestGapMs)} |`);
  const lines = [`${stateOf(run)}:`, "", ...countsOf(run.books), "", "| fault | times | longest gap of a client |", "|---|--:|--:|",
    ...kinds.map(([kind, { count, outcomes, longestGapMs }]) => `| ${withOutcomes(kind, outcomes)} | ${count} | ${ms(longestGapMs)} |`), ...last];
  for (const [kind, { outcomes }] of kinds) {
    for (const [what, times] of Object.entries(outcomes)) lines.push("", `${times} × ${kind}: ${what}`);
  }
  for (const [kind, { longestGapMs, story }] of Object.entries(run.kinds)) {
    if (story) lines.push("", `What the run was doing in the ${number(longestGapMs)} ms of *${kLast[kind] ?? kind}*:`, "", "```", ...story, "```");
  }
  return lines.join("\n");
}

/** The same faults one at a time, beside workerd. */
function besideText(hearth, workerd) {
  const row = (name, of) => `| ${name} | ${of(hearth)} | ${of(workerd)} |`;
  const gap = (kind) => ({ kinds }) => (kind in kinds ? ms(kinds[kind].longestGapMs) : "not drawn");
  const of = (kind) => `${kind}: longest gap`;
  const names = new Set([...Object.keys(hearth.kinds), ...Object.keys(workerd.kinds)].filter((kind) => !(kind in kLast)));
  const own = { "upgrade of the core": "no such thing", reload: "no such thing" };
  const seen = (kind) => `| ${of(kind)} | ${gap(kind)(hearth)} | ${own[kind] ?? gap(kind)(workerd)}${kind === "deploy" ? " (a restart)" : ""} |`;
  return [`hearth: ${stateOf(hearth)}.`, `workerd: ${stateOf(workerd)}.`, "",
    "| | hearth | workerd |", "|---|--:|--:|",
    row("sockets closed", ({ books }) => number(books.socketsLost)),
    row("messages sent", ({ books }) => number(books.sent)),
    row("messages lost", ({ books }) => number(books.lost)),
    `| reported as begun and not finished | ${number(hearth.books.reported)} | nothing is reported |`,
    row("handled twice, out of order, acknowledged writes lost", ({ books }) => [books.twice, books.outOfOrder, books.writesLost].map(number).join(", ")),
    ...[...names].sort().map(seen)].join("\n");
}

/** The page with what the results say between its marks; without results a part stays as it is. */
export function rendered(page) {
  const put = (text, mark, part) => text.replace(new RegExp(`(<!-- ${mark}: [^>]*-->\n)[\\s\\S]*?(\n<!-- end -->)`), (_, begin, end) => `${begin}${part}${end}`);
  const [all, hearth, workerd] = [read("all"), read("beside-hearth"), read("beside-workerd")];
  let text = page;
  if (all) text = put(text, "all", allText(all));
  if (hearth && workerd) text = put(text, "beside", besideText(hearth, workerd));
  return text;
}

export const write = () => writeFileSync(kPage, rendered(readFileSync(kPage, "utf8")));

