// The project's own build command, before and between builds; and the worker of assets alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { BundlerProcess, TestProject } from "./support.ts";

const worker = 'import { made } from "./made.ts"; export { made }; export default { fetch() {} };\n';
const command = (project: TestProject, text: string, watch = "notes") =>
  ({ command: text, cwd: project.root, watch: [path.join(project.root, watch)] });
const copy = 'echo run >> runs; echo "export const made = $(cat notes/value);" > src/made.ts';
const runs = (project: TestProject) => readFileSync(path.join(project.root, "runs"), "utf8").split("run").length - 1;

test("it runs first, and what it makes is bundled", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": worker, "notes/value": "1" });
  const bundler = new BundlerProcess(t, project.job({ build: command(project, copy) }));
  assert.equal((await bundler.next()).ok, true);
  assert.equal(await bundler.exited, 0);
  assert.equal(runs(project), 1);
});

test("it may make the entry point itself", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, {});
  const build = { command: "echo 'export default { fetch() {} };' > ../main.js", cwd: path.join(project.root, "sub"), watch: [] };
  project.write("sub/keep", "");
  assert.equal((await new BundlerProcess(t, project.job({ main: "main.js", build })).next()).ok, true);
});

test("it fails: the build is broken, with its output and status", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": worker });
  const bundler = new BundlerProcess(t, project.job({ build: command(project, "echo what went wrong >&2; exit 3") }));
  const [error] = (await bundler.next()).errors!;
  assert.match(error!.text, /^the build command "echo .*" \(in \.\) ended with status 3$/);
  assert.deepEqual(error!.notes.map(({ text }) => text), ["what went wrong"]);
  assert.equal(await bundler.exited, 1);
});

test("watching: a change under its folders runs it again, a change of the sources does not", { timeout: 60_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": worker, "notes/value": "1" });
  const bundler = new BundlerProcess(t, project.job({ watch: true, build: command(project, copy) }));
  const first = await bundler.next();
  assert.equal(first.ok, true);
  project.write("notes/value", "2");
  let second = await bundler.next();
  if (second.unchanged) second = await bundler.next();
  assert.equal(second.ok, true);
  assert.notEqual(second.bundle, first.bundle);
  const before = runs(project);
  project.write("src/index.ts", `${worker}export const more = 1;`);
  let third = await bundler.next();
  while (third.unchanged) third = await bundler.next();
  assert.deepEqual(third.exports?.toSorted(), ["default", "made", "more"]);
  assert.equal(runs(project), before);
  bundler.end();
  assert.equal(await bundler.exited, 0);
});

test("watching: a broken command is mended by the next change, and one that writes beneath itself ends", { timeout: 60_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": worker, "notes/value": "1" });
  const build = command(project, `test -e notes/good || exit 1; ${copy}; date +%N > notes/stamp`);
  const bundler = new BundlerProcess(t, project.job({ watch: true, build }));
  assert.equal((await bundler.next()).ok, false);
  project.write("notes/good", "");
  let report = await bundler.next();
  while (!report.ok) report = await bundler.next();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(runs(project) <= 4, `it ran ${runs(project)} times`);
  bundler.end();
  assert.equal(await bundler.exited, 0);
});

test("a command that does not end goes with the bundler", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": worker });
  const bundler = new BundlerProcess(t, project.job({ watch: true, build: command(project, "echo $$ > pid; sleep 1000") }));
  const pid = async (): Promise<number> => {
    for (;;) {
      try {
        const text = readFileSync(path.join(project.root, "pid"), "utf8");
        if (text.endsWith("\n")) return Number(text);
      } catch {
        // Not written yet.
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const child = await pid();
  bundler.end();
  await bundler.exited;
  assert.throws(() => process.kill(child, 0), { code: "ESRCH" });
});

test("assets alone have a worker without handlers", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, {});
  const report = await project.build({ main: null });
  assert.deepEqual([report.ok, report.exports], [true, ["assetsOnly"]]);
});
