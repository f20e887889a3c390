// `hearth check`: the compiler's findings in doctor's form, with the types of env wherever they come
// from, and its exit codes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryFolder } from "../lib/folders.mjs";
import { installTestPackages } from "../lib/packages.mjs";
import { kHearth } from "../lib/paths.mjs";

function hearth(cwd, ...args) {
  const { status, stdout, stderr } = spawnSync(kHearth, args, { cwd, encoding: "utf8", timeout: 120_000, env: { ...process.env, NO_COLOR: "1" } });
  return { status, stdout, stderr };
}

function project(edit = () => {}) {
  const folder = temporaryFolder("hearth-check-");
  assert.equal(hearth(folder, "init").status, 0);
  installTestPackages(folder);
  edit({
    folder,
    change: (name, from, to) => writeFileSync(join(folder, name), readFileSync(join(folder, name), "utf8").replace(from, to)),
    write: (name, text) => writeFileSync(join(folder, name), text),
    remove: (name) => rmSync(join(folder, name)),
  });
  return folder;
}

const check = (folder) => {
  const { status, stdout, stderr } = hearth(folder, "check", "--json");
  return { status, ...JSON.parse(stdout), stderr };
};

test("a fault is told with its place, the lines around and TypeScript's own code", () => {
  const folder = project(({ change }) => change("coder-agent.ts", "this.state.notes.length;", "this.state.note.length;"));
  const { status, stdout } = hearth(folder, "check");
  assert.equal(status, 1);
  assert.match(stdout, /^fault TS2551\n {2}coder-agent\.ts:15:23: Property 'note' does not exist on type 'Notes'\. Did you mean 'notes'\?$/m);
  assert.match(stdout, /^ {2}> 15 \| {5}return this\.state\.note\.length;\n {7}\| {23}\^$/m);
  assert.match(stdout, /1 fault, 0 warnings/);
  const found = check(folder);
  assert.equal(found.status, 1);
  assert.deepEqual(found.findings.map(({ code, severity, file, line, column }) => ({ code, severity, file, line, column })), [{ code: "TS2551", severity: "fault", file: "coder-agent.ts", line: 15, column: 23 }]);
});

test("env has the configuration's types: a binding that is not there is found", () => {
  const folder = project(({ change }) => change("server.ts", "return (await", "env.CodrAgent.idFromName(\"x\");\n    return (await"));
  const { status, findings } = check(folder);
  assert.equal(status, 1);
  assert.match(findings[0].message, /'CodrAgent' does not exist on type 'Env'/);
});

test("without the types' file they are there all the same, and nothing of the project is touched", () => {
  const folder = project(({ remove, change }) => { remove("worker-configuration.d.ts"); change("server.ts", "return (await", "env.CoderAgent.idFromName(\"x\");\n    return (await"); });
  const { status, findings } = check(folder);
  assert.deepEqual([status, findings], [0, []]);
  assert.ok(!existsSync(join(folder, "worker-configuration.d.ts")));
});

test("a stale file of its own is written anew, and it says so", () => {
  const folder = project(({ change }) => { change("wrangler.jsonc", "\"assets\"", "\"vars\": { \"GREETING\": \"hello\" },\n  \"assets\""); change("server.ts", "return (await", "env.GREETING.toUpperCase();\n    return (await"); });
  const { status, notes } = check(folder);
  assert.equal(status, 0);
  assert.match(notes.join(), /worker-configuration\.d\.ts was stale and is written anew/);
  assert.match(readFileSync(join(folder, "worker-configuration.d.ts"), "utf8"), /GREETING: "hello"/);
});

test("a tsconfig that only refers to others has those compiled; one that is missing is stood in for", () => {
  const referring = project(({ change, write, folder }) => {
    mkdirSync(join(folder, "parts"));
    write("parts/tsconfig.json", readFileSync(join(folder, "tsconfig.json"), "utf8").replace("**/*.ts", "../*.ts"));
    write("tsconfig.json", JSON.stringify({ files: [], references: [{ path: "./parts" }] }));
    change("server.ts", "status: 404", "status: \"404\"");
  });
  assert.deepEqual(check(referring).findings.map(({ code, file }) => [code, file]), [["TS2322", "server.ts"]]);
  const without = project(({ change, remove }) => { remove("tsconfig.json"); change("server.ts", "status: 404", "status: \"404\""); });
  const found = check(without);
  assert.deepEqual(found.findings.map(({ code, file }) => [code, file]), [["TS2322", "server.ts"]]);
  assert.match(found.notes.join(), /there is no tsconfig\.json/);
});

test("a configuration that does not read is a fault, and where there is none there is nothing to look at", () => {
  const broken = check(project(({ write }) => write("wrangler.jsonc", "{ \"name\": \"x\" \"main\": 1 }")));
  assert.deepEqual([broken.status, broken.findings[0].code], [1, "C101"]);
  const { status, stdout } = hearth(temporaryFolder("hearth-check-"), "check");
  assert.equal(status, 2);
  assert.match(stdout, /C111|could not look/);
});

test("a compiler that cannot run is said to be so", () => {
  const folder = project(({ folder: own, write }) => {
    rmSync(join(own, "node_modules/.bin/tsc"));
    writeFileSync(join(own, "node_modules/.bin/tsc"), "#!/bin/sh\necho it broke\nexit 3\n", { mode: 0o755 });
    write("note.txt", "");
  });
  const { status, notes } = check(folder);
  assert.equal(status, 2);
  assert.match(notes.join(), /ended with .*3.*it broke/s);
});
