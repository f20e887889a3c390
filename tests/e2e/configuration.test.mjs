// Projects as people have them, by their configuration: the seeds' own, TOML, environments and
// secrets, module rules, assets; and what a faulty one is answered with.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { kHearth, kProjects } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

/** A copy of a test project in a folder of its own, for tests that write into it. */
function copyOf(t, project) {
  const folder = temporaryFolder("hearth-project-");
  cpSync(join(kProjects, project), folder, { recursive: true });
  symlinkSync(join(kProjects, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Runs hearth on a configuration that it refuses, and returns what it says. */
function refusal(folder, ...args) {
  const run = spawnSync(kHearth, ["serve", "-c", folder, "--port", "0", "--state", join(folder, ".hearth"), ...args],
    { encoding: "utf8", timeout: 20_000, env: { ...process.env, NO_COLOR: "1" } });
  assert.notEqual(run.status, 0, "a refused configuration ends with a status");
  assert.equal(run.signal, null, "it ends by itself");
  return run.stdout + run.stderr;
}

describe("the seeds' project", () => {
  test("is served under its binding's name, over HTTP and WebSocket", async (t) => {
    const target = await startFor(t, "seed");
    assert.deepEqual((await http(`${target.url}/agents/coderagent/default`)).json(), { name: "default", notes: [] });
    assert.equal((await http(`${target.url}/elsewhere`)).status, 404);
    const socket = await Socket.connect(`${target.ws}/agents/coderagent/default`);
    socket.send("hello");
    await until(async () => (await socket.next()) === "echo: hello", "the agent's echo");
    await socket.close();
  });

  test("with the binding named as its class is where today's clients ask", async (t) => {
    const target = await startFor(t, "seed", { config: "wrangler.pascal.jsonc" });
    assert.deepEqual((await http(`${target.url}/agents/coder-agent/a`)).json(), { name: "a", notes: [] });
  });

  test("says at start what it serves and which address a client would miss", hearthOnly, async (t) => {
    const target = await startFor(t, "seed");
    assert.match(target.output, /coderagent\s+CoderAgent\s+\/agents\/coderagent\/:name\s+yes\s+yes/);
    assert.match(target.output, /wrangler\.jsonc:10:17: .*asks for \/agents\/coder-agent\/:name.*\(C107\)/);
  });
});

describe("a TOML project", () => {
  test("runs with its variables and classes", hearthOnly, async (t) => {
    const target = await startFor(t, "toml", { config: "wrangler.toml" });
    assert.deepEqual((await http(`${target.url}/`)).json(), { greeting: "hello", limits: { items: 3, ratio: 0.5 } });
    assert.equal((await http(`${target.url}/count`)).text, "1");
    assert.equal((await http(`${target.url}/count`)).text, "2");
  });

  test("has an environment with variables and a worker of its own", hearthOnly, async (t) => {
    const target = await startFor(t, "toml", { config: "wrangler.toml", args: ["--env", "staging"] });
    assert.deepEqual((await http(`${target.url}/`)).json(), { greeting: "hello from staging", limits: null });
    assert.match(target.output, /toml-staging/);
  });
});

describe("variables and secrets", () => {
  test("come from the configuration, .dev.vars and --var, the later over the earlier", hearthOnly, async (t) => {
    const folder = copyOf(t, "env");
    writeFileSync(join(folder, ".dev.vars"), 'SECRET="two\\nlines" # kept\nPLACE=secret\n');
    writeFileSync(join(folder, ".env"), "IGNORED=1\n");
    const target = await startFor(t, folder, { vars: { EXTRA: "a:b" } });
    assert.deepEqual((await http(`${target.url}/`)).json(), {
      build: "top",
      env: { PLACE: "secret", ONLY_TOP: true, NESTED: { list: [1, null, "x"] }, SECRET: "two\nlines", EXTRA: "a:b" },
    });
  });

  test("of an environment are its own, with .env files by their precedence", hearthOnly, async (t) => {
    const folder = copyOf(t, "env");
    writeFileSync(join(folder, ".env"), "A=1\nB=1\nURL=http://$A/\n");
    writeFileSync(join(folder, ".env.staging"), "B=2\n");
    const target = await startFor(t, folder, { args: ["--env", "staging"] });
    assert.deepEqual((await http(`${target.url}/`)).json(),
      { build: "staging", env: { PLACE: "staging", A: "1", B: "2", URL: "http://1/" } });
    assert.match(target.output, /"kv_namespaces" is at the top level but not in "env\.staging".*\(C109\)/);
  });

  test("of a kind that hearth lacks throw their reason when used, and only then", hearthOnly, async (t) => {
    const target = await startFor(t, "env", { expectErrors: [/CACHE/] });
    assert.equal((await http(`${target.url}/`)).status, 200);
    assert.equal((await http(`${target.url}/cache`)).status, 500);
    await until(() => /env\.CACHE \(kv_namespaces\).*hearth has no KV/.test(target.output), "the reason in the log");
  });
});

describe("module rules", () => {
  test("make text, bytes, WebAssembly and JSON of imports", hearthOnly, async (t) => {
    const target = await startFor(t, "rules");
    assert.deepEqual((await http(`${target.url}/`)).json(), {
      page: "<p>a page</p>\n", prompt: "You are a coder.\n", settings: { limit: 3 }, answer: 42, version: "1.2.3",
      same: true, bytes: [0, 1, 254, 255], sum: 42,
    });
  });
});

describe("assets", () => {
  test("are served beside the worker, with client-side routes and the worker first where it says", hearthOnly, async (t) => {
    const target = await startFor(t, "assets");
    const page = await http(`${target.url}/`);
    assert.match(page.text, /<title>home/);
    assert.match(page.headers["content-type"], /^text\/html/);
    assert.match((await http(`${target.url}/about`)).text, /<title>about/);
    assert.match((await http(`${target.url}/style.css`)).headers["content-type"], /^text\/css/);
    const route = await http(`${target.url}/some/route`, { headers: { "sec-fetch-mode": "navigate" } });
    assert.equal(route.status, 200);
    assert.match(route.text, /<title>home/);
    assert.deepEqual((await http(`${target.url}/api/x`)).json(), { worker: "/api/x" });
    assert.deepEqual((await http(`${target.url}/api/static.json`)).json(), { static: true });
    assert.match((await http(`${target.url}/api/page`)).text, /<title>about/);
  });
});

describe("hearth dev", () => {
  test("serves a change of the code and of the secrets, and names a fault until it is mended", hearthOnly, async (t) => {
    const folder = copyOf(t, "env");
    const source = (answer) => `export default { fetch(request, env) { return new Response(${answer}); } };\n`;
    writeFileSync(join(folder, "server.ts"), source('"one " + env.SECRET'));
    writeFileSync(join(folder, ".dev.vars"), "SECRET=a\n");
    const target = await startFor(t, folder, { command: "dev", expectErrors: [/Unexpected/, /the build/i] });
    const answers = async (status, text) => {
      let last;
      await until(async () => {
        last = await http(`${target.url}/`);
        return last.status === status && last.text.includes(text);
      }, () => `${status} with "${text}", but it was ${last.status} ${last.text}`, 15_000);
    };
    await answers(200, "one a");
    writeFileSync(join(folder, "server.ts"), source('"two " + env.SECRET'));
    await answers(200, "two a");
    writeFileSync(join(folder, ".dev.vars"), "SECRET=b\n");
    await answers(200, "two b");
    writeFileSync(join(folder, "server.ts"), source("+*"));
    await until(() => /server\.ts:1:\d+: Unexpected/.test(target.output), "the build's error in the log", 15_000);
    writeFileSync(join(folder, "server.ts"), source('"three " + env.SECRET'));
    await answers(200, "three b");
  });
});

describe("a faulty project is refused with place and cure", () => {
  const config = (t, text) => {
    const folder = copyOf(t, "rules");
    writeFileSync(join(folder, "wrangler.jsonc"), text);
    return folder;
  };

  test("a comma that is missing", hearthOnly, (t) => {
    assert.match(refusal(config(t, '{\n  "name": "x"\n  "main": "src/server.ts"\n}')),
      /wrangler\.jsonc:3:3: comma missing after line 2 .*\(C101\)/);
  });

  test("a value of the wrong shape", hearthOnly, (t) => {
    assert.match(refusal(config(t, '{ "name": "x", "main": "src/server.ts",\n  "durable_objects": [] }')),
      /wrangler\.jsonc:2:22: "durable_objects" is a list, expected an object \(C104\)/);
  });

  test("an entry point that is not there", hearthOnly, (t) => {
    assert.match(refusal(config(t, '{ "name": "x", "main": "src/sever.ts" }')), /did you mean "src\/server\.ts"\? \(C112\)/);
  });

  test("an environment that is not there", hearthOnly, (t) => {
    assert.match(refusal(copyOf(t, "env"), "--env", "stagin"), /no environment "stagin"; did you mean "staging"\?.*\(C110\)/);
  });

  test("no configuration at all", hearthOnly, (t) => {
    const folder = temporaryFolder("hearth-project-");
    assert.match(refusal(folder), /there is no wrangler\.json, wrangler\.jsonc or wrangler\.toml in .*\(C111\)/);
  });

  test("code that does not build", hearthOnly, (t) => {
    const folder = copyOf(t, "rules");
    writeFileSync(join(folder, "src/server.ts"), 'import { x } from "not-installed";\nexport default { fetch: x };\n');
    const said = refusal(folder);
    assert.match(said, /src\/server\.ts:1:19: Could not resolve "not-installed"/);
    assert.match(said, /npm install not-installed/);
  });
});
