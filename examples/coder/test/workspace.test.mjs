import assert from "node:assert/strict";
import { mkdtemp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runCommand } from "../src/commands.ts";
import { Workspace } from "../src/workspace.ts";

let folder, workspace;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "coder-"));
  await mkdir(join(folder, "sample/src"), { recursive: true });
  await writeFile(join(folder, "sample/src/a.txt"), "one\ntwo\none\n");
  workspace = await Workspace.open(join(folder, "work"), join(folder, "sample"));
});
after(() => rm(folder, { recursive: true, force: true }));

test("a missing workspace is a copy of the sample", async () => {
  assert.deepEqual(await workspace.list(), ["src/a.txt"]);
});

test("search names the file, the line and its text", async () => {
  assert.deepEqual(await workspace.search("TWO"), ["src/a.txt:2: two"]);
});

test("paths that lead outside are refused, whichever way", async () => {
  await writeFile(join(folder, "secret"), "s");
  await symlink(folder, join(workspace.root, "out"));
  await symlink(join(folder, "secret"), join(workspace.root, "link"));
  for (const path of ["../secret", join(folder, "secret"), "out/secret", "link", "out/new/file", "src/../../secret"]) {
    await assert.rejects(workspace.read(path), /outside of the workspace/, path);
    await assert.rejects(workspace.write(path, "x"), /outside of the workspace/, path);
  }
  assert.equal(await readFile(join(folder, "secret"), "utf8"), "s");
  await rm(join(workspace.root, "out"));
  await rm(join(workspace.root, "link"));
});

test("a patch applies to exactly one passage and answers with its diff", async () => {
  await assert.rejects(workspace.patch("src/a.txt", "one", "three"), /more than once/);
  await assert.rejects(workspace.patch("src/a.txt", "four", "three"), /does not occur/);
  const { diff } = await workspace.patch("src/a.txt", "two", "three");
  assert.match(diff, /^-two$/m);
  assert.match(diff, /^\+three$/m);
  assert.equal(await workspace.read("src/a.txt"), "one\nthree\none\n");
});

test("a replacement is taken as it is, dollar signs included", async () => {
  await workspace.write("dollar.txt", "price: X");
  await workspace.patch("dollar.txt", "X", "$& $1");
  assert.equal(await workspace.read("dollar.txt"), "price: $& $1");
});

test("a command gives its output and exit code, and no secrets of ours", async () => {
  process.env.CODER_TEST_SECRET = "hidden";
  const result = await runCommand('echo "[$CODER_TEST_SECRET]"; echo err >&2; exit 3', workspace.root);
  assert.equal(result.exitCode, 3);
  assert.match(result.output, /\[\]/);
  assert.match(result.output, /err/);
});

test("a command that runs too long is ended with all that it started", async () => {
  const marker = join(folder, "late");
  const result = await runCommand(`(sleep 3; touch ${marker}) & sleep 30`, workspace.root, { seconds: 1 });
  assert.equal(result.timedOut, true);
  assert.ok(result.milliseconds < 2900);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await assert.rejects(readFile(marker));
});

test("long output keeps its beginning and its end", async () => {
  const result = await runCommand("echo first; head -c 200000 /dev/zero | tr '\\0' x; echo; echo last", workspace.root);
  assert.match(result.output, /^first\n/);
  assert.match(result.output, /last\n$/);
  assert.match(result.output, /bytes left out/);
  assert.ok(result.output.length < 40_000);
});
