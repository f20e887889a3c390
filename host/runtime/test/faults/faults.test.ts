// What errors are told as: the fault, the user's own lines, and nothing that is the code's own answer.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { coded } from "../../src/faults/coded.ts";
import { Faults } from "../../src/faults/faults.ts";
import { redactorOf } from "../../src/faults/secrets.ts";
import { ownFrames, stackOf } from "../../src/faults/stack.ts";
import { setRoot } from "../../src/faults/where.ts";

function faults(env: object, mode: "dev" | "serve" = "dev") {
  const reported: { error: unknown; details: object }[] = [];
  return { reported, of: new Faults({ mode, env: () => env, redact: (text) => text.replaceAll("s3cret", "[S redacted]"), report: (error, details) => reported.push({ error, details }) }) };
}

/** What a module throws whose source this is. */
async function thrown(t: { after(end: () => void): void }, source: string, env: object): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "hearth-faults-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "server.mjs");
  writeFileSync(file, source);
  setRoot(folder);
  t.after(() => setRoot(undefined));
  const { run } = await import(pathToFileURL(file).href) as { run(env: object): unknown };
  try {
    await run(env);
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}

for (const [name, source, line] of [
  ["of env", `export const run = (env) => env.ROOM.idFromName("a");`, 1],
  ["of env, by text", `export const run = (env) => env["ROOM"].get("a");`, 1],
  ["over several lines", `export const run = (env) => env\n  .ROOM\n  .getByName("a");`, 3],
  ["taken out of env", `export function run(env) {\n  const { Bound, ROOM } = env;\n  return ROOM.newUniqueId();\n}`, 3],
  ["used as a string", `export const run = (env) =>\n  env.ROOM.trim();`, 2],
  ["given to a helper", `const byName = (namespace) => namespace.idFromName("a");\nexport const run = (env) => byName(env.ROOM);`, undefined],
] as const) {
  test(`a binding that is not there is named: ${name}`, async (t) => {
    const env = { Bound: {} };
    const fault = faults(env).of.of(await thrown(t, source, env));
    if (line === undefined) return assert.deepEqual([fault.code, fault.binding], ["R403", "ROOM"]);
    assert.deepEqual([fault.code, fault.binding, fault.where?.split(":").slice(0, 2).join(":")], ["R403", "ROOM", `server.mjs:${line}`]);
    assert.equal(fault.message, "env.ROOM is undefined: nothing binds it");
    assert.equal(fault.text, name === "used as a string" ? true : undefined);
  });
}

test("a disk that is full or a damaged database is not the code's fault", () => {
  const { of } = faults({});
  const full = of.of(new Error("Internal error in Durable Object storage caused object to be reset.", { cause: "database or disk is full: SQLITE_FULL" }));
  assert.deepEqual([full.code, full.status, full.lasting], ["R418", 503, undefined]);
  assert.match(full.message, /^the disk of the state directory is full/);
  assert.match(full.fix ?? "", /Make room/);
  // The SDK wraps what its sql`` was told.
  const damaged = of.of(new Error("SQL query failed", { cause: new Error("database disk image is malformed: SQLITE_CORRUPT") }));
  assert.deepEqual([damaged.code, damaged.status], ["R418", 503]);
  assert.match(damaged.fix ?? "", /hearth state restore/);
  assert.equal(of.of(new Error("no such table: notes: SQLITE_ERROR")).code, "R407");
  assert.equal(of.of(new Error("UNIQUE constraint failed: SQLITE_CONSTRAINT")).code, "R407");
});

test("what is undefined and not of env is the code's own error", async (t) => {
  const env = { Bound: {} };
  const error = await thrown(t, `export const run = (env) => { const rows = env.Bound.rows; return rows.idFromName; };`, env);
  const fault = faults(env).of.of(error);
  assert.equal(fault.code, "R407");
  assert.equal(fault.message, "Cannot read properties of undefined (reading 'idFromName')");
});

test("an error's causes and members are told, each once", () => {
  const inner = new Error("inner");
  const outer = new Error("outer", { cause: inner });
  inner.cause = outer;
  const told = stackOf(new AggregateError([outer, new TypeError("other")], "both"))!;
  assert.match(told, /^AggregateError: both[^]*Among its errors: Error: outer[^]*Caused by: Error: inner[^]*Among its errors: TypeError: other/);
  assert.equal(told.match(/Error: outer/g)!.length, 1);
  assert.match(stackOf(new Error("x", { cause: "said so" }))!, /Caused by: said so/);
});

test("frames of Node.js and of the runtime are left out", () => {
  assert.equal(ownFrames("Error: x\n    at f (/p/a.ts:1:2)\n    at async node:internal/x:1:2\n    at g (node:events:1:1)\n" +
                         "    at h (/x/host/runtime/src/main.ts:1:1)\n    at i (file:///y/build/host/host.mjs:3:4)\n    at j (/p/b.ts:3:4)"),
  "Error: x\n    at f (/p/a.ts:1:2)\n    at j (/p/b.ts:3:4)");
});

test("a mistake in the code stays, and what may pass is tried again", () => {
  const { of } = faults({});
  const close = (error: unknown) => of.told(error, {}).code;
  for (const error of [new TypeError("x is not a function"), new ReferenceError("y is not defined"), new RangeError("Invalid array length")]) {
    assert.equal(close(error), 4500, String(error));
    assert.equal(of.of(error).lasting, true);
  }
  for (const error of [
    new Error("the upstream is down"), new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }), new TypeError("terminated"),
    Object.assign(new TypeError("over capacity"), { retryable: true }), new DOMException("late", "TimeoutError"), "thrown text",
  ]) {
    assert.equal(close(error), 1011, String(error));
    assert.equal(of.of(error).lasting, undefined);
  }
});

test("what a client is told holds no secret", () => {
  const told = faults({}).of.told(new Error("no access with s3cret"), {});
  assert.equal(JSON.parse(told.frame).error, "no access with [S redacted]");
  assert.match(told.reason, /^R407: no access with \[S redacted\]/);
  const redact = redactorOf([{
    worker: "w", bundle: "", compatibilityDate: "", compatibilityFlags: [], ai: { baseUrl: "", keyName: "KEY", key: "sk-1234" },
    bindings: [{ type: "secret", name: "A", value: "longer s$&t" }, { type: "secret", name: "B", value: "longer s$&t and more" }, { type: "secret", name: "C", value: "abc" }],
  }]);
  assert.equal(redact("abc longer s$&t and more, longer s$&t, sk-1234"), "abc [B redacted], [A redacted], [KEY redacted]");
});

const kUrl = "http://h/agents/rom/a";

test("the SDK's answer for an agent that nobody serves is known by what it said, and only then", () => {
  const { of } = faults({});
  const said: unknown[][] = [];
  const target = { error: (...args: unknown[]) => void said.push(args) };
  of.complaints.watch(target, () => false);
  assert.equal(of.ofAnswer(kUrl, 400, "Invalid request"), undefined, "it is the code's own");
  target.error(`The URL ${kUrl} with namespace "rom" and name "a" does not match any Durable Object binding.`);
  assert.equal(said.length, 1, "it is passed on");
  assert.equal(of.ofAnswer(kUrl, 400, "Invalid request, said the code"), undefined);
  assert.equal(of.ofAnswer("http://h/other", 400, "Invalid request"), undefined);
  assert.equal(of.ofAnswer(kUrl, 400, Buffer.from("Invalid request"))?.segment, "rom");
  target.error("The url http://h/parties/x/y does not match any server namespace. \nDid you forget …");
  const error = new TypeError("Cannot read properties of undefined (reading 'idFromName')");
  assert.deepEqual([of.ofRequest(error, "http://h/parties/x/y").code, of.ofRequest(error, "http://h/z").code], ["R401", "R407"]);
});

test("a bare stack that the SDK answers becomes the fault that it is, once", () => {
  const { of, reported } = faults({});
  const target = { error: () => {} } as { error: (...said: unknown[]) => void };
  of.complaints.watch(target, () => false);
  const error = new Error("onConnect failed");
  target.error("Error in Room:a fetch:", error);
  assert.equal(of.ofAnswer(kUrl, 500, error.stack)?.message, "onConnect failed");
  assert.equal(of.ofAnswer(kUrl, 500, error.stack), undefined);
  const frame = JSON.stringify({ error: error.stack });
  const told = of.ofFrame(frame, { connection: 7 })!;
  assert.equal(told.code, 1011);
  assert.match(told.reason, /^R407: onConnect failed \(/);
  assert.deepEqual(reported, [{ error, details: { connection: 7 } }]);
  assert.equal(of.ofFrame(frame, {}), undefined);
});

test("an error of a handler without an answer is handed over instead of written", () => {
  const { of } = faults({});
  const written: unknown[] = [];
  const swallowed: unknown[] = [];
  const target = { error: (...args: unknown[]) => void written.push(args[0]) };
  of.complaints.watch(target, (error) => { swallowed.push(error); return true; });
  target.error("Error in Room:a webSocketMessage:", "why");
  target.error("Error in the code's own words:", "kept");
  assert.deepEqual([swallowed, written], [["why"], ["Error in the code's own words:"]]);
});

test("in production a client gets the code and a reference, under which the log has the cause", () => {
  const { of, reported } = faults({}, "serve");
  const error = coded(new TypeError("secret cause"), "R404");
  const told = of.told(error, {});
  const { code, reference } = JSON.parse(told.frame) as { code: string; reference: string };
  assert.doesNotMatch(told.frame + told.reason, /secret/);
  assert.equal(code, "R404");
  assert.equal(told.code, 4500, "what stays wrong is not to be tried again");
  assert.deepEqual(reported, [{ error, details: { reference } }]);
});

test("a reason fits into a close frame, between characters", () => {
  const { of } = faults({});
  const { reason } = of.told(new Error("ë".repeat(200)), {});
  assert.ok(Buffer.byteLength(reason) <= 123);
  assert.match(reason, /^R407: ë+\.\.\.$/);
});
