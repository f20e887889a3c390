// A project with a build command of its own, and one of assets alone.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";

import { http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

function project(files) {
  const folder = temporaryFolder("hearth-build-");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}
const configuration = (more) => JSON.stringify({ name: "built", compatibility_date: "2026-06-01", ...more });

describe("build.command", () => {
  const files = {
    "wrangler.jsonc": configuration({ main: "out/worker.js", build: { command: "sh build.sh", watch_dir: "pages" } }),
    "build.sh": 'echo "building $(cat pages/title)"; test "$(cat pages/title)" != broken || { echo "the title is broken" >&2; exit 4; }\n' +
      'mkdir -p out; echo "export default { fetch: () => new Response(\'$(cat pages/title)\') };" > out/worker.js\n',
    "pages/title": "one",
  };

  test("makes the worker that is served, once", hearthOnly, async (t) => {
    const target = await startFor(t, project(files));
    assert.equal((await http(target.url)).text, "one");
  });

  test("runs again when its folder changes, and its failure is told with its output", hearthOnly, async (t) => {
    const folder = project(files);
    const target = await startFor(t, folder, { command: "dev", expectErrors: [/build/] });
    assert.equal((await http(target.url)).text, "one");
    writeFileSync(join(folder, "pages/title"), "two");
    await until(async () => (await http(target.url)).text === "two", "the new page");
    writeFileSync(join(folder, "pages/title"), "broken");
    await until(() => target.output.includes("the title is broken"), "the command's output");
    assert.match(target.output, /the build command "sh build\.sh" \(in \.\) ended with status 4/);
    writeFileSync(join(folder, "pages/title"), "three");
    await until(async () => (await http(target.url)).text === "three", "the mended page");
  });

  test("that fails at the start ends it with the command's output", hearthOnly, async (t) => {
    await assert.rejects(startFor(t, project({ ...files, "pages/title": "broken" })), /ended with status 4[^]*the title is broken/);
  });
});

describe("assets without a worker", () => {
  test("are served, and a missing one is 404", hearthOnly, async (t) => {
    const target = await startFor(t, project({
      "wrangler.jsonc": configuration({ assets: { directory: "public" } }),
      "public/index.html": "<h1>home</h1>", "public/about.html": "<h1>about</h1>",
    }));
    assert.equal((await http(target.url)).text, "<h1>home</h1>");
    assert.equal((await http(`${target.url}/about`)).text, "<h1>about</h1>");
    assert.equal((await http(`${target.url}/nowhere`)).status, 404);
    assert.equal((await http(target.url, { method: "POST" })).status, 405);
  });

  test("may be a single page", hearthOnly, async (t) => {
    const target = await startFor(t, project({
      "wrangler.jsonc": configuration({ assets: { directory: "public", not_found_handling: "single-page-application" } }),
      "public/index.html": "<h1>app</h1>",
    }));
    const answer = await http(`${target.url}/any/where`);
    assert.deepEqual([answer.status, answer.text], [200, "<h1>app</h1>"]);
  });
});
