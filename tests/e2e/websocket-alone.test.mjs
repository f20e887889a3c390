// What somebody learns who has nothing but a WebSocket: every project of tests/faults that `doctor` finds
// something in is served by `dev` as it is. Either the agent speaks, so the client is served all the same,
// or the socket tells a code and its cure, the one that plain HTTP tells, and its close begins with it.
// The faults of a running server are asked for in answers.test.mjs. docs/diagnostics.md has the figure.
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kProjects, kRoot } from "../lib/paths.mjs";
import { hearthOnly, start } from "../lib/target.mjs";

const kFaults = join(kRoot, "tests/faults");
const kDocument = join(kRoot, "docs/diagnostics.md");
const kBegin = "<!-- faults:begin (written by tests/e2e/websocket-alone.test.mjs) -->\n";
const kEnd = "<!-- faults:end -->";

const all = readdirSync(kFaults).map((name) => ({ name, ...JSON.parse(readFileSync(join(kFaults, name, "expect.json"), "utf8")) }))
  .filter(({ code }) => code !== null);
const found = all.filter(({ exit }) => exit !== undefined);
const asked = all.filter(({ exit, asks }) => exit === undefined && asks?.some(({ websocket, client }) => websocket ?? client));
/** What became of each of `found`: the code that a socket was told, or null. */
const told = new Map();

function copyOf(name) {
  const copy = temporaryFolder("hearth-alone-");
  cpSync(join(kFaults, name), copy, { recursive: true });
  if (!existsSync(join(copy, "node_modules"))) symlinkSync(join(kProjects, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** Where the SDK's client asks when it is given the class's name. */
function routeOf(folder) {
  const config = ["wrangler.jsonc", "wrangler.toml"].map((name) => join(folder, name)).find((path) => existsSync(path));
  const [, name = "Coder"] = /"?class_name"?\s*[:=]\s*"(\w+)"/.exec(readFileSync(config, "utf8")) ?? [];
  return `/agents/${name.replace(/(?<!^)[A-Z]/g, "-$&").toLowerCase()}/default`;
}

/** The fault that an answer is, if it is one. */
function faultOf({ text }) {
  try {
    return JSON.parse(text).error?.code;
  } catch {
    return undefined;
  }
}

/** The first frame and the end; undefined: the agent itself has begun to speak, so the client is served. */
async function learned(target, path) {
  const socket = await Socket.connect(target.ws + path);
  const frame = JSON.parse(await socket.next(30_000));
  if (frame.code !== undefined) return { frame, ...await socket.closed };
  await socket.close();
  return undefined;
}

describe("a WebSocket alone", { concurrency: 2 }, () => {
  for (const { name, args = [] } of found) {
    test(name, hearthOnly, async (t) => {
      const folder = copyOf(name);
      const target = await start(folder, { command: "dev", args, config: existsSync(join(folder, "wrangler.jsonc")) ? "wrangler.jsonc" : "wrangler.toml", expectErrors: [/./] });
      t.after(() => target.stop({ checkDescriptors: false }));
      const path = routeOf(folder);
      const code = faultOf(await http(target.url + path, { timeoutMs: 30_000 }));
      const learnt = await learned(target, path);
      if (learnt === undefined) return void told.set(name, null);
      const { frame, code: close, reason } = learnt;
      const said = JSON.stringify({ frame, close, reason });
      // What the code answers to plain HTTP by itself is left alone; a socket is told all the same.
      if (code !== undefined) assert.equal(frame.code, code, said);
      assert.ok(frame.error && frame.fix, said);
      assert.ok(reason.startsWith(`${frame.code}: `), said);
      assert.notEqual(close, 1006);
      told.set(name, frame.code);
    });
  }
});

test("docs/diagnostics.md says how many that are", { skip: hearthOnly.skip }, (t) => {
  if (told.size < found.length) return t.skip("not every project was tried");
  const learnt = [...told].filter(([, code]) => code !== null).map(([name]) => name);
  const served = [...told].filter(([, code]) => code === null).map(([name]) => name);
  const before = all.filter((each) => each.start !== undefined);
  const rest = all.length - learnt.length - served.length - asked.length - before.length;
  const figure = `Measured on the ${all.length} projects of [tests/faults](../tests/faults) under \`hearth dev\`, somebody with nothing but a WebSocket is told
the code and the cure in all ${learnt.length + asked.length} that keep a client from what it asks for. In ${served.length} it is served all the same
(${served.map((name) => name.split("-")[0]).filter((code, i, codes) => codes.indexOf(code) === i).join(", ")}): of these the log and \`hearth doctor\` tell. ${before.length} end before there is a socket, and
${rest} ${rest === 1 ? "is" : "are"} of the log alone.
`;
  const text = readFileSync(kDocument, "utf8");
  const from = text.indexOf(kBegin) + kBegin.length;
  const to = text.indexOf(kEnd);
  assert.ok(from > kBegin.length && to >= from, "the document has a place for it");
  if (process.env.HEARTH_UPDATE_DOCS === "1") writeFileSync(kDocument, text.slice(0, from) + figure + text.slice(to));
  else if (text.slice(from, to).startsWith(`Measured on the ${all.length} projects`)) assert.equal(text.slice(from, to), figure, "HEARTH_UPDATE_DOCS=1 writes it anew");
  else t.diagnostic(`there are other projects than the document was written for; HEARTH_UPDATE_DOCS=1 writes it anew:\n${figure}`);
});
