// The faults of tests/faults that show themselves to clients of a running server: each is asked for by
// plain HTTP, by a WebSocket and by the SDK's own clients, old and new, in `dev` and in `serve`. Nobody
// hangs, gets a bare 1006 or somebody else's error; what is the code's own answer stays; and where there
// is a cure, it makes the fault go away while the server runs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

import { importFromProjects } from "../lib/agent-client.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth, kProjects, kRoot } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, start } from "../lib/target.mjs";

const kFaults = join(kRoot, "tests/faults");
const kPatienceMs = 10_000;
const fromOld = createRequire(join(kProjects, "agents-0.0.46/package.json"));
const clients = {
  "0.32": (await importFromProjects("agents/client")).AgentClient,
  "0.0.46": (await import(pathToFileURL(fromOld.resolve("agents/client")).href)).AgentClient,
};

function copyOf(name, modules = "") {
  const copy = temporaryFolder("hearth-answers-");
  cpSync(join(kFaults, name), copy, { recursive: true });
  if (!existsSync(join(copy, "node_modules"))) symlinkSync(join(kProjects, modules, "node_modules"), join(copy, "node_modules"));
  return copy;
}

const running = async (t, folder, command, { args = [] } = {}) => {
  const target = await start(folder, { command, args, expectErrors: [/./] });
  t.after(() => target.stop({ checkDescriptors: false }));
  return target;
};
const urlOf = (path) => path.replace("LONG", "x".repeat(1025));

/** What a client learns: {status?, close?, reason?, error: {code, message, where, fix, docs}}. */
async function ask(target, given) {
  if (given.http !== undefined) {
    const { http: path, headers = {} } = given;
    const answer = await http(target.url + urlOf(path), { headers });
    return { status: answer.status, text: answer.text, error: answer.text.startsWith('{"error"') ? answer.json().error : {} };
  }
  if (given.client !== undefined) return askAgentClient(target, given);
  const socket = await Socket.connect(target.ws + urlOf(given.websocket));
  if (given.bytes !== undefined) socket.ws._socket.write(Buffer.from(given.bytes, "hex"));
  if (given.sends !== undefined) socket.send(given.sends);
  const frame = given.bytes === undefined ? await frameWithCode(socket) : { error: "" };
  const error = { ...frame, message: frame.error };
  if (!given.goesOn) {
    const { code, reason } = await socket.closed;
    return { close: code, reason, error };
  }
  assert.equal(await socket.ask("still there"), "echo still there", "the socket stays");
  await socket.close();
  return { error };
}

/** The first that tells of a fault; the SDK sends some of its own before. */
async function frameWithCode(socket) {
  for (;;) {
    const frame = JSON.parse(await socket.next(kPatienceMs));
    if (frame.code !== undefined) return frame;
  }
}

async function askAgentClient(target, { client: version, agent }) {
  const client = new clients[version]({ agent, name: "default", host: target.host, protocol: "ws", WebSocket, maxRetries: 5 });
  client.addEventListener("error", () => {});
  if (version === "0.32") client.ready?.catch?.(() => {});
  try {
    const frames = [];
    let closes = 0;
    client.addEventListener("message", ({ data }) => frames.push(JSON.parse(data)));
    client.addEventListener("close", () => closes++);
    const { code, reason } = await new Promise((resolve, reject) => {
      client.addEventListener("close", resolve, { once: true });
      setTimeout(() => reject(new Error("the client learned nothing")), kPatienceMs).unref();
    });
    const frame = frames.find((each) => each.code !== undefined) ?? {};
    if (version === "0.32") {
      assert.equal(client.shouldReconnect, false, "it does not try again");
      assert.match(client.connectionError?.message ?? "", /R4\d\d: /, "and knows the reason");
      await assert.rejects(client.call("anything"), /Connection closed/, "nor keeps calls waiting");
      assert.equal(closes, 1);
    }
    return { close: code, reason, error: { ...frame, message: reason } };
  } finally {
    client.close();
  }
}

function checkInDev(given, answer, code) {
  const told = JSON.stringify(answer);
  if (given.status !== undefined) assert.equal(answer.status, given.status, told);
  if (given.close !== undefined) assert.equal(answer.close, given.close, told);
  if (answer.close !== undefined) {
    assert.ok(answer.reason.startsWith(`${code}: `), told);
    assert.ok(Buffer.byteLength(answer.reason) <= 123, told);
  }
  if (given.where !== undefined) assert.equal(answer.error.where, given.where, told);
  if (given.bytes === undefined) assert.equal(answer.error.code, code, told);
  const words = [answer.error.message, answer.error.fix, answer.error.where, answer.reason].join("\n");
  assert.ok(words.includes(given.says), `${JSON.stringify(given.says)} in ${words}`);
  assert.doesNotMatch(answer.error.stack ?? "", /host\.mjs|host\/runtime\/src|node:internal/, "only the user's own lines");
  if (answer.error.docs !== undefined) {
    const [file, anchor] = answer.error.docs.split("#");
    assert.ok(readFileSync(join(kRoot, file), "utf8").toLowerCase().includes(`### ${anchor}\n`), `${answer.error.docs} leads somewhere`);
  }
}

/** What a refusal says of the client's own request, or of what the code answered to it, is no secret. */
const open = (code, given) => code === "R410" || code === "R411" || (code === "R405" && given.close === 4426);

function checkInServe(given, answer, code) {
  const told = JSON.stringify(answer);
  assert.equal(answer.status, given.status, told);
  if (given.close !== undefined) assert.equal(answer.close, given.close, told);
  if (open(code, given)) return;
  assert.equal(answer.error.code, code, told);
  assert.match(answer.error.reference ?? answer.reason ?? "", /\w-\w/, told);
  for (const secret of ["where", "fix", "stack"]) assert.equal(answer.error[secret], undefined, told);
  assert.doesNotMatch(told, /server\.ts|wrangler|failed"/, told);
}

const all = readdirSync(kFaults).map((name) => ({ name, ...JSON.parse(readFileSync(join(kFaults, name, "expect.json"), "utf8")) }));
const table = all.filter(({ asks }) => asks !== undefined);

describe("faults of a running server", () => {
  for (const { name, code, modules, args = [], asks, left = [], logs, cure } of table) {
    test(`${name}, in dev`, hearthOnly, async (t) => {
      const folder = copyOf(name, modules);
      const target = await running(t, folder, "dev", { args });
      for (const given of asks) checkInDev(given, await ask(target, given), code);
      for (const given of left) {
        const { status, text } = await ask(target, given);
        assert.deepEqual([status, text], [given.status, given.body], "the code's own answer stays");
      }
      if (logs !== undefined) await until(() => target.output.includes(logs), () => `${logs} in the log:\n${target.output}`);
      if (cure === undefined) return;
      const file = join(folder, cure.file);
      const before = readFileSync(file, "utf8");
      assert.ok(before.includes(cure.replace), cure.replace);
      writeFileSync(file, before.replaceAll(cure.replace, cure.by));
      const first = asks[cure.ask ?? 0];
      await until(async () => (await http(target.url + first.http)).text === "hello", "the cure mends it", 20_000);
    });

    // The oldest SDK and the slow ones are tried once.
    if (modules !== undefined || args.length > 0 || asks.length === 0) continue;
    test(`${name}, in serve`, hearthOnly, async (t) => {
      const target = await running(t, copyOf(name), "serve", { args });
      for (const given of asks) {
        const answer = await ask(target, given.client === undefined ? given : { ...given });
        if (given.client === undefined) checkInServe(given, answer, code);
        else assert.match(answer.reason, new RegExp(`^${code}: see the server's log`));
      }
    });
  }
});

test("every code of the catalogue has its project, or a test of its own that names it", () => {
  const folder = join(kRoot, "tests/e2e");
  const tests = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
  const codes = readFileSync(join(kRoot, "docs/diagnostics.md"), "utf8").match(/(?<=^### )[A-Z]\d\d\d$/gm);
  assert.ok(codes.length > 46);
  assert.deepEqual(codes.filter((code) => !all.some(({ name }) => name.startsWith(`${code}-`)) && !tests.includes(code)), []);
});

describe("faults of a start", () => {
  for (const { name, code, start: given, says } of all.filter((each) => each.start !== undefined)) {
    test(name, hearthOnly, async (t) => {
      const folder = copyOf(name);
      const first = await running(t, folder, "serve");
      const port = given.beside === "port" ? first.port : 0;
      const state = given.state ?? (given.beside === "state" ? first.state : temporaryFolder("hearth-answers-"));
      const run = spawnSync(kHearth, ["serve", "-c", folder, "--port", String(port), "--state", state],
        { encoding: "utf8", timeout: kPatienceMs, env: { ...process.env, NO_COLOR: "1" } });
      assert.equal(run.status, 1, run.stderr);
      assert.ok(run.stderr.includes(`${code}: `) && run.stderr.includes(says), run.stderr);
      // What stood in its way goes on.
      assert.equal((await http(`${first.url}/`)).status, 401);
    });
  }
});

// Six ways to write a binding against four URLs: each is served at one at most, and the others are told it.
describe("the name matrix", () => {
  const urls = ["CoderAgent", "coder-agent", "coderagent", "coder_agent"];
  const bindings = {
    CoderAgent: "coder-agent", CODER_AGENT: "coder-agent", coder_agent: "coder-agent",
    coderagent: "coderagent", CODERAGENT: "coderagent", Coder_Agent: "coder--agent",
  };
  for (const [binding, served] of Object.entries(bindings)) {
    test(`${binding} is served at ${served}`, hearthOnly, async (t) => {
      const folder = copyOf("R401-seed");
      const config = join(folder, "wrangler.jsonc");
      writeFileSync(config, readFileSync(config, "utf8").replace('"coderagent"', `"${binding}"`));
      const target = await running(t, folder, "dev");
      for (const url of urls) {
        const answer = await ask(target, { http: `/agents/${url}/default` });
        if (url === served) {
          assert.equal(answer.text, "hello");
          continue;
        }
        assert.deepEqual([answer.status, answer.error.code, answer.error.where], [404, "R401", "wrangler.jsonc:6:47"], url);
        assert.equal(answer.error.message,
          `no agent is served at /agents/${url}; nearest: /agents/${served} (binding ${binding}, wrangler.jsonc:6:47)`);
        const { close, reason } = await ask(target, { websocket: `/agents/${url}/default` });
        assert.equal(close, 4404);
        assert.ok(reason.startsWith(`R401: no agent is served at /agents/${url}; nearest: /agents/${served}`), reason);
      }
      // What the answer says to write leads there.
      const client = new clients["0.32"]({ agent: served, name: "default", host: target.host, protocol: "ws", WebSocket });
      try {
        if (!served.includes("--")) await client.ready;
      } finally {
        client.close();
      }
    });
  }
});
