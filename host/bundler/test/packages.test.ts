// What comes from npm: the Agents SDK as published, and packages with native code.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { TestProject } from "./support.ts";

test("a project on the unmodified agents package bundles and loads", { timeout: 120_000 }, async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import { Agent, callable, routeAgentRequest } from "agents";
      export class CoderAgent extends Agent<{ CoderAgent: DurableObjectNamespace }> {
        initialState = { n: 0 };
        @callable() add(a: number, b: number): number { return a + b; }
      }
      export default {
        async fetch(request: Request, env: never) {
          return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
        },
      };`,
  });
  project.linkPackages();
  const report = await project.build();
  assert.equal(report.ok, true, JSON.stringify(report.errors));
  assert.deepEqual([...report.exports!].sort(), ["CoderAgent", "default"]);
  // In a process of its own: the bundle expects globals that only a host has.
  const script = `
    const table = () => new Proxy({}, { get: () => class {} });
    globalThis[Symbol.for("hearth.modules")] = new Proxy({}, { get: table });
    globalThis.WebSocketPair = class {};
    const loaded = await import(${JSON.stringify(pathToFileURL(report.bundle!).href)});
    const answer = await loaded.default.fetch(new Request("http://localhost/other"), {});
    console.log(JSON.stringify({ name: loaded.CoderAgent.name, status: answer.status }));`;
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(JSON.parse(run.stdout), { name: "CoderAgent", status: 404 });
});

test("a package with native code is imported from where it is installed", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import which from "native"; import inner from "plain"; export { which, inner }; export default { fetch() {} };`,
    "node_modules/native/package.json": '{"name":"native","main":"index.js","dependencies":{"bindings":"1"}}',
    "node_modules/native/index.js": "module.exports = { folder: __dirname };",
    "node_modules/plain/package.json": '{"name":"plain","main":"index.js"}',
    "node_modules/plain/index.js": 'module.exports = require("native").folder;',
  });
  const loaded = await project.load();
  assert.equal(loaded["which"].folder, `${project.root}/node_modules/native`);
  assert.equal(loaded["inner"], `${project.root}/node_modules/native`);
});
