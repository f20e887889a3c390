// The log of a running server: user code's console and the reports on it with agent and ids, in both
// forms, without secrets, within bounds, and in files that are put aside.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth, kProjects } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kPassword = 'tr0ub4dor&3 "quoted"\\slash';
const kKey = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END KEY-----";
const kJson = ["--log-format", "json"];

function projectWithSecrets() {
  const folder = temporaryFolder("hearth-logs-");
  cpSync(join(kProjects, "logs"), folder, { recursive: true });
  writeFileSync(join(folder, ".dev.vars"), `DEPLOY_PASSWORD='${kPassword}'\nSIGNING_KEY="${kKey.replaceAll("\n", "\\n")}"\n`);
  return folder;
}

const say = (target, agent, line) => http(`${target.url}/${agent}?${encodeURIComponent(line)}`);
const recordsOf = (target) => target.child.lines.filter(({ stream }) => stream === "stderr").map(({ text }) => JSON.parse(text));
/** The first record that all of `wanted` holds for, once it is there. */
function record(target, wanted) {
  const matches = (found) => Object.entries(wanted).every(([key, value]) =>
    value instanceof RegExp ? value.test(found[key]) : found[key] === value);
  return until(() => recordsOf(target).find(matches), () => `no ${JSON.stringify(wanted)} in\n${target.output}`);
}

describe("as JSON lines", () => {
  test("console's calls have their level, agent, request or connection, and time", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: [...kJson, "--log-level", "debug"] });
    const before = Date.now();
    await say(target, "lobby", "log hello");
    const said = await record(target, { message: /^hello for 2 of/ });
    assert.deepEqual({ level: said.level, source: said.source, class: said.class, agent: said.agent },
      { level: "info", source: "console", class: "Room", agent: "lobby" });
    assert.ok(said.request > 0 && said.connection === undefined, JSON.stringify(said));
    assert.ok(Date.parse(said.time) >= before && Date.parse(said.time) <= Date.now(), said.time);

    await say(target, "", "warn beware");
    const warned = await record(target, { message: "beware" });
    assert.deepEqual([warned.level, warned.class, warned.agent], ["warn", undefined, undefined]);
    assert.ok(warned.request > said.request, "another request");

    const socket = await Socket.connect(`${target.ws}/lobby`);
    await socket.ask("debug from a socket");
    const sent = await record(target, { message: "from a socket" });
    assert.deepEqual([sent.level, sent.agent, sent.request], ["debug", "lobby", undefined]);
    const other = await Socket.connect(`${target.ws}/lobby`);
    await other.ask("warn from another");
    const second = await record(target, { message: "from another" });
    assert.ok(sent.connection > 0 && second.connection > 0 && sent.connection !== second.connection);

    await say(target, "lobby", "table cell");
    assert.match((await record(target, { message: /cell/ })).message, /│ 0\s+│ 1 │ 'cell' │/);
    await say(target, "lobby", "group");
    assert.equal((await record(target, { message: /inner/ })).message, "  inner");
    assert.equal((await record(target, { message: /^ready on/ })).source, "hearth");
    await Promise.all([socket.close(), other.close()]);
  });

  test("what no code handles names the agent, the event and the line", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: kJson });
    await say(target, "lobby", "float away");
    const floating = await record(target, { code: "R412" });
    assert.deepEqual([floating.level, floating.class, floating.agent], ["error", "Room", "lobby"]);
    assert.ok(floating.request > 0);
    assert.match(floating.where, /server\.ts:25:\d+$/);

    const socket = await Socket.connect(`${target.ws}/den`);
    await socket.ask("late thrown in a timer");
    const late = await record(target, { code: "R407", message: /thrown in a timer/ });
    assert.equal(late.agent, "den");
    assert.ok(late.connection > 0);
    assert.match(late.where, /server\.ts:26:\d+$/);
    await socket.ask("nonsense");
    const thrown = await record(target, { message: /nonsense on purpose/ });
    assert.deepEqual([thrown.code, thrown.agent, thrown.connection], ["R407", "den", late.connection]);
    await socket.close();
  });

  test("what a turn said that never ends is there", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: [...kJson, "--hang-timeout", "1"] });
    const stalled = say(target, "lobby", "stall");
    assert.equal((await record(target, { message: "about to stall" })).agent, "lobby");
    assert.equal((await stalled).status, 503);
  });

  test("an agent that floods the log loses lines and is told how many; its neighbours lose none", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: kJson });
    await say(target, "loud", "flood 6000");
    await say(target, "quiet", "warn still heard");
    await record(target, { message: "still heard" });
    const dropped = await record(target, { message: /lines dropped/, agent: "loud" });
    const kept = recordsOf(target).filter(({ agent, message }) => agent === "loud" && message.startsWith("flood ")).length;
    assert.equal(dropped.level, "warn");
    assert.equal(kept + dropped.dropped, 6000);
    assert.ok(kept >= 1_900 && kept < 4_000, `${kept} lines were kept`);
  });
});

describe("secrets", () => {
  test("are in no sink, however they are written", hearthOnly, async (t) => {
    const folder = projectWithSecrets();
    const file = join(folder, "hearth.jsonl");
    const target = await startFor(t, folder, { args: [...kJson, "--log-file", file] });
    await say(target, "lobby", "secrets");
    const said = await record(target, { message: /DEPLOY_PASSWORD redacted/ });
    assert.match(said.message, /GREETING: 'hello there'/, "what is no secret stays");
    assert.match(said.message, /\[SIGNING_KEY redacted\]/);
    assert.match(said.message, /\[PARTNER_TOKEN redacted\]/);
    await say(target, "lobby", `warn ${kPassword}`);
    await record(target, { level: "warn", message: "[DEPLOY_PASSWORD redacted]" });
    // The line is cut in the middle of the password.
    await say(target, "lobby", `long ${16 * 1024 - 9}`);
    const long = await record(target, { message: /^xxx/ });
    assert.ok(long.cut > 0 && long.message.length < 17 * 1024);
    assert.match(long.message, /x\[DEPLOY_PASSWORD redacted\]$/);
    const everything = target.output + readFileSync(file, "utf8");
    for (const secret of [kPassword, JSON.stringify(kPassword).slice(1, -1), "MIIEvQIBADANBgkqhkiG", "BKcwggSjAgEA", "partner-token-value",
      kPassword.slice(0, 8), encodeURIComponent(kPassword)]) {
      assert.ok(!everything.includes(secret), `${secret} is in the log`);
    }
  });
});

describe("what goes past the console", () => {
  test("process.stdout and process.stderr give lines with the agent and the request", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: kJson });
    await say(target, "lobby", "print line hello");
    const said = await record(target, { message: "hello" });
    assert.deepEqual([said.level, said.source, said.class, said.agent, said.what], ["info", "output", "Room", "lobby", "stdout"]);
    assert.ok(said.request > 0);
    await say(target, "", "print complain bitterly");
    const complained = await record(target, { message: "bitterly" });
    assert.deepEqual([complained.level, complained.agent, complained.what], ["warn", undefined, "stderr"]);
    // Two agents' lines do not run into each other, and one without an end is told all the same.
    await say(target, "den", "print part of den's");
    await say(target, "lobby", "print line whole");
    assert.equal((await record(target, { message: "whole" })).agent, "lobby");
    assert.deepEqual([(await record(target, { message: "of den's" })).agent, recordsOf(target).find(({ message }) => message === "of den's").partial], ["den", true]);
    await say(target, "lobby", "print dots 20000");
    const dots = await record(target, { message: /^\.{16384}$/ });
    assert.equal(dots.cut, 20_000 - 16_384 + "ended".length);
    await say(target, "lobby", "print line after its end");
    await record(target, { message: "after its end" });
  });

  test("child processes and native writes are output of their host", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: kJson });
    await say(target, "lobby", "print child echo from a child; echo it complains >&2");
    const said = await record(target, { message: "from a child" });
    assert.deepEqual([said.level, said.source, said.agent], ["info", "output", undefined]);
    assert.ok(said.host > 0);
    assert.equal((await record(target, { message: "it complains" })).level, "warn");
    await say(target, "lobby", "print streams echo given the streams");
    await record(target, { message: "given the streams" });
    // Who prints without end waits for nobody, and is bounded.
    await say(target, "lobby", "print child yes | head -c 3000000; echo the last");
    await record(target, { message: "the last" });
    assert.ok((await record(target, { message: /lines dropped: more than 500 a second were printed/ })).dropped > 1_000_000);
    assert.ok(recordsOf(target).filter(({ message }) => message === "y").length < 20_000);
  });

  test("secrets are redacted there, also when they come in pieces", hearthOnly, async (t) => {
    const target = await startFor(t, projectWithSecrets(), { args: kJson });
    await say(target, "lobby", "print halves joined");
    assert.equal((await record(target, { message: /joined$/ })).message, "[DEPLOY_PASSWORD redacted] joined");
    await say(target, "lobby", "print native joined by the core");
    await record(target, { message: /joined by the core$/ });
    await record(target, { message: "[DEPLOY_PASSWORD redacted]" });
    await say(target, "lobby", "print child printf '%s' 'tr0ub4dor&3 \"quoted\"'; printf '%s\\n' '\\slash'");
    // Longer apart than the beginning of a line is kept.
    await say(target, "lobby", "print slowly at last");
    await record(target, { message: /at last$/ });
    await record(target, { message: /at last, natively$/ });
    const half = kPassword.length >> 1;
    for (const secret of [kPassword, kPassword.slice(0, half), kPassword.slice(half)]) {
      assert.ok(!target.output.includes(JSON.stringify(secret).slice(1, -1)), `${secret} is in the log\n${target.output}`);
    }
  });

  test("a native crash tells its reason before the news of the host's end", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { args: kJson, expectErrors: [/./] });
    assert.equal((await say(target, "lobby", "abort")).status, 503);
    const died = await record(target, { message: /^host \d+ died: .*SIGABRT/ });
    const records = recordsOf(target);
    const told = records.findIndex(({ source, message }) => source === "output" && /Native stack trace|Abort/i.test(message));
    assert.ok(told >= 0 && told < records.findIndex(({ message }) => message === died.message), target.output);
  });
});

describe("on a terminal", () => {
  test("a line says when, how grave, who, what and whence", hearthOnly, async (t) => {
    const target = await startFor(t, "logs", { expectErrors: [/on purpose/, /R412/] });
    await say(target, "lobby", "warn beware");
    await target.child.line(/^\d\d:\d\d:\d\d\.\d{3} warn {2}Room\/lobby › beware {2}request \d+$/);
    await say(target, "lobby", "repaint red");
    await target.child.line(/Room\/lobby › \\x1b\[2Jred/);
    await say(target, "lobby", "float away on purpose");
    await target.child.line(/error R412 Room\/lobby: .*away on purpose.*server\.ts:25:\d+/);
    await say(target, "lobby", "debug unheard");
    assert.doesNotMatch(target.output, /unheard/, "debug is below the level");
  });

  test("is coloured there, unless NO_COLOR asks for none; elsewhere it is JSON", hearthOnly, () => {
    // It ends at once, with one line.
    const command = [kHearth, "serve", "-c", join(kProjects, "logs/wrangler.jsonc"), "--log-file", "/proc/nowhere/log"];
    const run = (program, args, env) => {
      const { NO_COLOR, HEARTH_LOG_FORMAT, ...rest } = process.env;
      const ended = spawnSync(program, args, { env: { ...rest, ...env }, encoding: "utf8", timeout: 20_000 });
      return ended.stdout + ended.stderr;
    };
    const terminal = (env) => run("python3", ["-c", "import pty, sys; pty.spawn(sys.argv[1:])", ...command], env);
    assert.match(terminal({}), /\d\d:\d\d:\d\d\.\d{3}\u001b\[0m \u001b\[1;31merror\u001b\[0m the log file cannot be opened/);
    assert.match(terminal({ NO_COLOR: "1" }), /^\d\d:\d\d:\d\d\.\d{3} error the log file cannot be opened/);
    assert.equal(JSON.parse(run(command[0], command.slice(1), {})).level, "error");
  });
});

describe("the log file", () => {
  test("is put aside at its size, and only so many are kept", hearthOnly, async (t) => {
    const folder = temporaryFolder("hearth-rotate-");
    const file = join(folder, "hearth.jsonl");
    const target = await startFor(t, "logs", { args: ["--log-level", "info", "--log-file", file, "--log-file-size", "16KB", "--log-files", "2"] });
    for (let i = 0; i < 4; i++) await say(target, `agent${i}`, "flood 300");
    await say(target, "last", "warn the last");
    await until(() => readFileSync(file, "utf8").includes("the last"), "the last line in the file");
    assert.deepEqual(readdirSync(folder).sort(), ["hearth.1.jsonl", "hearth.2.jsonl", "hearth.jsonl"]);
    for (const name of readdirSync(folder)) {
      assert.ok(statSync(join(folder, name)).size <= 16 * 1024 + 1024, name);
      for (const line of readFileSync(join(folder, name), "utf8").trimEnd().split("\n")) assert.ok(JSON.parse(line).time);
    }
  });

  test("that cannot be opened is said at once", hearthOnly, async () => {
    await assert.rejects(startFor({ after() {} }, "logs", { args: ["--log-file", "/proc/nowhere/hearth.jsonl"] }), /the log file cannot be opened/);
  });
});
