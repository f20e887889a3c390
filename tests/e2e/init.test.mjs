// The first hour: a folder, `hearth init`, and everything that its README promises. npm's packages
// are those of the tests, for the registry is not asked here.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { connectAgent } from "../lib/agent-client.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { installTestPackages } from "../lib/packages.mjs";
import { kHearth, kProjects, kRoot } from "../lib/paths.mjs";
import { startFor } from "../lib/target.mjs";

function hearth(cwd, ...args) {
  const { status, stdout, stderr } = spawnSync(kHearth, args, { cwd, encoding: "utf8", timeout: 120_000, env: { ...process.env, NO_COLOR: "1" } });
  return { status, stdout, stderr };
}

/** A new project with its packages. */
function initialized(...args) {
  const folder = temporaryFolder("hearth-init-");
  const made = hearth(folder, "init", ...args);
  assert.equal(made.status, 0, made.stderr);
  installTestPackages(folder);
  return folder;
}

test("what it makes is well for doctor, types and check, and serves", async (t) => {
  const folder = initialized();
  const examined = hearth(folder, "doctor");
  assert.equal(examined.status, 0, examined.stdout);
  assert.match(examined.stdout, /nothing is wrong/);
  assert.match(hearth(folder, "types", "--check").stdout, /is up to date/);
  const checked = hearth(folder, "check");
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  assert.match(checked.stdout, /nothing is wrong/);

  const target = await startFor(t, folder, { command: "dev", args: [] });
  assert.doesNotMatch(target.output, /warn|ignored|unknown/i);
  assert.match((await http(target.url)).text, /new WebSocket\(address\)/);
  const client = await connectAgent(target, { agent: "CoderAgent", name: "default" });
  assert.equal(await client.call("addNote", ["first"]), 1);
  assert.deepEqual((await http(`${target.url}/agents/coder-agent/default`)).json(), { name: "default", notes: ["first"] });
  const socket = await Socket.connect(`${target.ws}/agents/coder-agent/default`);
  t.after(() => socket.close());
  socket.send("hello");
  let message;
  do message = await socket.next(); while (message.startsWith("{"));
  assert.equal(message, "echo: hello");
});

test("on a terminal it asks for the name alone", () => {
  const folder = temporaryFolder("hearth-init-");
  // A real terminal: hearth looks whether it has one.
  const typed = `
import os, pty, sys
child, terminal = pty.fork()
if child == 0: os.execv(sys.argv[1], ["hearth", "init"])
seen = b""
while True:
    try: part = os.read(terminal, 4096)
    except OSError: break
    if not part: break
    asked = b"Name of the worker" in seen
    seen += part
    if b"Name of the worker" in seen and not asked: os.write(terminal, b"my-room\\n")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))`;
  const { status, stdout, stderr } = spawnSync("python3", ["-c", typed, kHearth], { cwd: folder, encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stdout + stderr);
  assert.equal(stdout.match(/\?|\]:/g)?.length, 1, `one question: ${stdout}`);
  assert.match(readFileSync(join(folder, "wrangler.jsonc"), "utf8"), /"name": "my-room"/);
});

test("its packages are those that hearth is tested with", () => {
  const folder = initialized();
  const made = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const tested = JSON.parse(readFileSync(join(kProjects, "package.json"), "utf8"));
  for (const [name, version] of Object.entries(made.dependencies)) assert.equal(version, tested.dependencies[name], name);
  for (const [name, version] of Object.entries(made.devDependencies)) {
    assert.equal(version, JSON.parse(readFileSync(join(kRoot, "node_modules", name, "package.json"), "utf8")).version, name);
  }
});

test("a folder that holds something is left alone, and a repository just begun is not something", () => {
  const folder = temporaryFolder("hearth-init-");
  for (const name of ["a.txt", "b.txt", "c.txt", "d.txt"]) writeFileSync(join(folder, name), "mine");
  const { status, stderr } = hearth(folder, "init", "--yes");
  assert.equal(status, 2);
  assert.match(stderr, /is not empty: it has a\.txt, b\.txt, c\.txt and 1 more; nothing was written/);
  assert.equal(readdirSync(folder).length, 4);
  const begun = temporaryFolder("hearth-init-");
  mkdirSync(join(begun, ".git"));
  assert.equal(hearth(begun, "init").status, 0);
  writeFileSync(join(folder, "file"), "");
  assert.match(hearth(folder, "init", "file").stderr, /is a file/);
});

test("the name is the folder's, or the one that is given", () => {
  const parent = temporaryFolder("hearth-init-");
  const nameOf = (folder) => JSON.parse(readFileSync(join(parent, folder, "package.json"), "utf8")).name;
  const { stdout } = hearth(parent, "init", "My Agents!");
  assert.equal(nameOf("My Agents!"), "my-agents");
  assert.match(stdout, /npm install\n {2}hearth dev/);
  assert.equal(hearth(parent, "init", "sub/other", "--name", "coder").status, 0);
  assert.equal(nameOf("sub/other"), "coder");
  assert.match(hearth(parent, "init", "x", "--name", "No Good").stderr, /--name no-good/);
  assert.ok(!readdirSync(parent).includes("x"));
});
