// Every fault of tests/faults: `hearth doctor` finds it, by its code and at its place, and where
// there is a cure, the cure makes it go away: by --fix, or by the diff that is shown.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { temporaryFolder } from "../lib/folders.mjs";
import { startFor } from "../lib/target.mjs";
import { kHearth, kProjects, kRoot } from "../lib/paths.mjs";

const kFaults = join(kRoot, "tests/faults");

/** A copy of a project, to be written into. */
function copyOf(folder) {
  const copy = temporaryFolder("hearth-fault-");
  cpSync(folder, copy, { recursive: true });
  if (!existsSync(join(copy, "node_modules"))) symlinkSync(join(kProjects, "node_modules"), join(copy, "node_modules"));
  return copy;
}

function hearth(...args) {
  const run = spawnSync(kHearth, args, { encoding: "utf8", timeout: 60_000, env: { ...process.env, NO_COLOR: "1" } });
  assert.equal(run.signal, null, `it ends by itself: ${run.stderr}`);
  return run;
}

function doctor(folder, ...args) {
  const run = hearth("doctor", "-c", folder, "--json", ...args);
  return { ...JSON.parse(run.stdout), status: run.status };
}

const places = (finding) => finding.line === undefined ? finding.file : `${finding.file}:${finding.line}:${finding.column}`;

describe("the table of faults", () => {
  for (const name of readdirSync(kFaults)) {
    const expected = JSON.parse(readFileSync(join(kFaults, name, "expect.json"), "utf8"));
    if (expected.exit === undefined) continue; // of a running server: answers.test.mjs
    test(name, () => {
      const folder = copyOf(join(kFaults, name));
      const args = expected.args ?? [];
      const found = doctor(folder, ...args);
      const told = JSON.stringify(found.findings, null, 1);
      assert.equal(found.status, expected.exit, told);
      assert.equal(found.exitCode, expected.exit);
      assert.deepEqual(found.notes, []);
      if (expected.code === null) return assert.deepEqual(found.findings, []);
      const finding = found.findings.find(({ code }) => code === expected.code);
      assert.ok(finding, `${expected.code} is found, not only ${told}`);
      if (expected.place !== undefined) assert.equal(places(finding), expected.place);
      if (expected.says !== undefined) assert.ok(JSON.stringify(finding).includes(expected.says), told);
      if (expected.cure === undefined) return assert.equal(finding.diff, undefined, "an edit that is shown is tried: expect.json has no cure");
      assert.ok(finding.diff, "there is an edit");
      assert.equal(finding.safe, expected.cure === "fix", "whether --fix applies it");
      if (expected.cure === "fix") {
        doctor(folder, "--fix", ...args);
      } else {
        writeFileSync(join(folder, "edit.diff"), finding.diff);
        const patched = spawnSync("git", ["apply", "--unsafe-paths", "--directory", folder, join(folder, "edit.diff")], { cwd: folder, encoding: "utf8", env: { ...process.env, GIT_DIR: "/nonexistent" } });
        assert.equal(patched.status, 0, patched.stderr + finding.diff);
      }
      const after = doctor(folder, ...args);
      assert.ok(!after.findings.some(({ code, severity }) => code === expected.code && severity === finding.severity), `the cure mends it: ${JSON.stringify(after.findings, null, 1)}`);
      if (expected.cure === "fix") assert.equal(after.status, 0, "and nothing else is wrong then");
    });
  }
});

test("dev tells the same of the code, at start and at a change, and goes on", async (t) => {
  const folder = copyOf(join(kFaults, "B211-client"));
  const target = await startFor(t, folder, { command: "dev" });
  await target.child.line(/client\.tsx:4:51: useAgent with agent: "CoderAgent".*\(B211\)/, 10_000);
  const server = join(folder, "server.ts");
  const text = readFileSync(server, "utf8");
  writeFileSync(server, text.replace("(request, env)) ||", "(request)) ||"));
  await target.child.line(/server\.ts:5:19: .*\(B210\)/, 15_000);
  assert.equal(target.child.output.match(/\(B211\)/g).length, 1, "what was told is not told again");
});

test("without a configuration there is nothing to look at", () => {
  const folder = temporaryFolder("hearth-nothing-");
  const found = doctor(folder);
  assert.equal(found.status, 2);
  assert.equal(found.findings[0].code, "C111");
});

test("explain prints a code's page, and knows what it does not know", () => {
  const page = hearth("explain", "b204");
  assert.equal(page.status, 0);
  assert.match(page.stdout, /^B204 {2}A bound class is not exported\n/);
  const none = hearth("explain", "X1");
  assert.equal(none.status, 2);
  assert.match(none.stderr, /C107/);
});

/** The block of a document that begins with the command. */
function shown(document, command) {
  const text = readFileSync(join(kRoot, document), "utf8");
  const start = text.indexOf(`$ ${command}\n`);
  assert.ok(start >= 0, `${document} shows ${command}`);
  return text.slice(start + command.length + 3, text.indexOf("```", start));
}

/** Puts another text there. */
function show(document, command, text) {
  const path = join(kRoot, document);
  writeFileSync(path, readFileSync(path, "utf8").replace(shown(document, command), () => text));
}

for (const [config, status] of [["wrangler.jsonc", 0], ["wrangler.pascal.jsonc", 0]]) {
  test(`the documentation shows what doctor says of the seeds' ${config}`, () => {
    const folder = copyOf(join(kProjects, "seed"));
    const run = hearth("doctor", "-c", join(folder, config));
    assert.equal(run.status, status, run.stdout);
    const said = run.stdout.replaceAll(`${folder}/`, "");
    const command = `hearth doctor -c ${config}`;
    if (process.env.HEARTH_UPDATE_DOCS === "1") show("docs/diagnostics.md", command, said);
    assert.equal(said, shown("docs/diagnostics.md", command), "HEARTH_UPDATE_DOCS=1 writes it anew");
  });
}

test("README's excerpt is of what doctor says", () => {
  const readme = readFileSync(join(kRoot, "README.md"), "utf8");
  const [, excerpt] = /``` *\n( *warning C107[\s\S]*?)```/.exec(readme) ?? assert.fail("README.md shows C107");
  const folder = copyOf(join(kProjects, "seed"));
  const words = (text) => text.replace(/\s+/g, " ").trim();
  const said = words(hearth("doctor", "-c", join(folder, "wrangler.jsonc")).stdout.replaceAll(`${folder}/`, ""));
  // "…" stands for what it leaves out; lines are wrapped.
  let at = 0;
  for (const piece of excerpt.split(/…|\n(?= *(?:Edit|[-+]) )/).map(words).filter(Boolean)) {
    const found = said.indexOf(piece, at);
    assert.ok(found >= 0, `${JSON.stringify(piece)} in ${JSON.stringify(said.slice(at))}`);
    at = found + piece.length;
  }
  assert.ok(at > 0);
});

// How long that takes is the bench's to say (`./dev bench checks`): here others use the machine too.
test("the coder has nothing wrong", () => {
  const run = hearth("doctor", "-c", join(kRoot, "examples/coder/wrangler.jsonc"));
  assert.equal(run.status, 0, run.stdout);
  assert.match(run.stdout, /nothing is wrong|0 faults/);
});
