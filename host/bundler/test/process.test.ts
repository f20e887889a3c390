import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { BundlerProcess, TestProject } from "./support.ts";

const worker = (version: string) => `export const version = ${version}; export default { fetch() {} };\n`;

test("one job, one line, exit status 0", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": worker("1") });
  const bundler = new BundlerProcess(t, project.job());
  assert.equal((await bundler.next()).ok, true);
  assert.equal(await bundler.exited, 0);
});

test("a failed build and a faulty job are lines too, with their own exit status", { timeout: 30_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": "const = 1;" });
  const failing = new BundlerProcess(t, project.job());
  assert.equal((await failing.next()).errors![0]!.line, 1);
  assert.equal(await failing.exited, 1);
  const faulty = new BundlerProcess(t, '{"root":"/tmp"}');
  assert.equal((await faulty.next()).errors![0]!.text, 'the bundle job lacks "outdir"');
  assert.equal(await faulty.exited, 2);
});

test("watching: a change is a new bundle, a fault a report, its mending a bundle again", { timeout: 60_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": `import { part } from "./part"; export { part };\n${worker("1")}`, "src/part.ts": "export const part = 1;" });
  const bundler = new BundlerProcess(t, project.job({ watch: true }));
  const first = await bundler.next();
  assert.equal(first.ok, true);

  project.write("src/part.ts", "export const part = 2;");
  const second = await bundler.next();
  assert.equal(second.ok, true);
  assert.notEqual(second.bundle, first.bundle);

  project.write("src/part.ts", "export const part = ;");
  const broken = await bundler.next();
  assert.deepEqual([broken.ok, broken.errors![0]!.file], [false, "src/part.ts"]);

  // As editors save: a new file renamed over the old one.
  project.write("src/part.ts.new", "export const part = 2;");
  renameSync(path.join(project.root, "src/part.ts.new"), path.join(project.root, "src/part.ts"));
  const mended = await bundler.next();
  assert.deepEqual([mended.ok, mended.bundle, mended.unchanged], [true, second.bundle, true]);

  bundler.end();
  assert.equal(await bundler.exited, 0);
});

test("watching a project that does not build at first: creating the missing file mends it", { timeout: 60_000 }, async (t) => {
  const project = new TestProject(t, { "src/index.ts": `import { part } from "./part"; export { part };\n${worker("1")}` });
  const bundler = new BundlerProcess(t, project.job({ watch: true }));
  assert.match((await bundler.next()).errors![0]!.text, /Could not resolve "\.\/part"/);
  project.write("src/part.ts", "export const part = 1;");
  assert.equal((await bundler.next()).ok, true);
  bundler.end();
  assert.equal(await bundler.exited, 0);
});
