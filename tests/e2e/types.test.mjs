// `hearth types` beside the pinned wrangler's own: the same names with the same types, for a matrix
// of bindings; and what the command does with the file that is there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";

import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth, kNode, kRoot } from "../lib/paths.mjs";

const kWrangler = join(kRoot, "node_modules/wrangler/bin/wrangler.js");

function projectWith(config, files = {}) {
  const folder = temporaryFolder("hearth-types-");
  const all = {
    "wrangler.jsonc": JSON.stringify({ name: "matrix", main: "src/server.ts", compatibility_date: "2026-01-01", ...config }),
    "src/server.ts": "export class CoderAgent {}\nexport class Room {}\nexport class Flow {}\nexport class Api {}\nexport default { async fetch() { return new Response(); } };\n",
    "public/index.html": "",
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function run(folder, ...args) {
  const { status, stdout, stderr } = spawnSync(kHearth, ["types", ...args], { cwd: folder, encoding: "utf8", timeout: 30_000 });
  return { status, stdout, stderr };
}

function control(folder, ...args) {
  const file = join(folder, "control.d.ts");
  const { status, stdout, stderr } = spawnSync(kNode, [kWrangler, "types", file, "--include-runtime=false", ...args], {
    cwd: folder, encoding: "utf8", timeout: 150_000,
    env: { ...process.env, PATH: `${dirname(kNode)}:${process.env.PATH}`, WRANGLER_SEND_METRICS: "false", CI: "1", WRANGLER_LOG_PATH: join(folder, "logs"), XDG_CONFIG_HOME: join(folder, "config") },
  });
  assert.equal(status, 0, stdout + stderr);
  return readFileSync(file, "utf8");
}

/** An interface's members: {name: type}, "?" for optional ones; comments and layout do not count. */
function members(text, name) {
  const start = text.indexOf(`interface ${name} {\n`);
  assert.ok(start >= 0, `there is an interface ${name} in ${text}`);
  const body = text.slice(start, start + text.slice(start).search(/\n\s*\}\n/) + 1);
  const found = {};
  for (const line of body.split("\n")) {
    const match = /^\s+("(?:[^"\\]|\\.)*"|[\w$]+)(\??): (.*);$/.exec(line);
    if (match) found[match[1].replace(/^"|"$/g, "") + match[2]] = match[3].replace(/ \/\*.*?\*\//g, "").replaceAll("'", '"').split(" | ").sort().join(" | ");
  }
  assert.ok(Object.keys(found).length > 0, body);
  return found;
}

const kVars = { NAME: "text", QUOTE: "a \"b\"\n`c` ${d}", COUNT: 3, YES: true, LIST: [1, "a"], OBJECT: { a: 1, b: ["x"], "c-d": { e: true } }, "with space": "x", "with-dash": "y" };
const kAgents = { durable_objects: { bindings: [{ name: "CoderAgent", class_name: "CoderAgent" }, { name: "my-room", class_name: "Room" }] }, migrations: [{ tag: "v1", new_sqlite_classes: ["CoderAgent", "Room"] }] };
const kMatrix = {
  "agents and a namespace of elsewhere": { ...kAgents, durable_objects: { bindings: [...kAgents.durable_objects.bindings, { name: "FAR", class_name: "Far", script_name: "other" }] } },
  "vars of every kind": { vars: kVars },
  "services, assets, AI, a version": {
    services: [{ binding: "OTHER", service: "other" }, { binding: "SELF", service: "matrix" }, { binding: "API", service: "matrix", entrypoint: "Api" }],
    assets: { directory: "public", binding: "ASSETS" }, ai: { binding: "AI" }, version_metadata: { binding: "VERSION" },
  },
  "what hearth has no service for": {
    kv_namespaces: [{ binding: "KV", id: "x" }], r2_buckets: [{ binding: "R2", bucket_name: "bucket" }],
    d1_databases: [{ binding: "DB", database_name: "x", database_id: "y" }], queues: { producers: [{ binding: "Q", queue: "q" }] },
    vectorize: [{ binding: "VEC", index_name: "v" }], hyperdrive: [{ binding: "HYPER", id: "h", localConnectionString: "postgres://u:p@h/d" }],
    analytics_engine_datasets: [{ binding: "AE" }], browser: { binding: "BROWSER" }, images: { binding: "IMAGES" }, send_email: [{ name: "MAIL" }],
    workflows: [{ binding: "FLOW", name: "flow", class_name: "Flow" }], ratelimits: [{ name: "LIMIT", namespace_id: "1001", simple: { limit: 1, period: 60 } }],
    dispatch_namespaces: [{ binding: "DISPATCH", namespace: "n" }], mtls_certificates: [{ binding: "CERT", certificate_id: "c" }],
    secrets_store_secrets: [{ binding: "SS", store_id: "s", secret_name: "n" }], worker_loaders: [{ binding: "LOADER" }], vpc_services: [{ binding: "VPC", service_id: "v" }],
  },
  "environments": { ...kAgents, vars: { NAME: "top", ONLY: "x" }, kv_namespaces: [{ binding: "KV", id: "x" }],
    env: { staging: { ...kAgents, vars: { NAME: "staged", EXTRA: 1 } }, "live-eu": { ...kAgents, vars: { NAME: "top" } } } },
  "required secrets": { secrets: { required: ["GIVEN", "MISSING"] }, vars: { NAME: "text" } },
};

const kStaged = { vars: { NAME: "top" }, env: { staging: { ...kAgents, vars: { NAME: "staged" } }, live: { ...kAgents, vars: { NAME: "live" } } } };
const kFiles = {
  "secrets of .env files, the later over the earlier": { files: { ".env": "FIRST=1\nBOTH=two\n", ".env.local": "BOTH=3\nSECOND=\"x y\"\n" } },
  "a .dev.vars, with which no .env counts": { files: { ".dev.vars": "FIRST=1\n", ".env": "UNSEEN=1\n" } },
  "a secret over a var of its name": { config: { vars: { API_KEY: "x", COUNT: 3, LIST: [1] } }, files: { ".dev.vars": "API_KEY=secret\nCOUNT=4\nLIST=5\n" } },
  "an environment with a .dev.vars of its own": { config: kStaged, files: { ".dev.vars": "TOP=1\n", ".dev.vars.staging": "STAGED=1\n" }, flags: ["--env", "staging"] },
  "an environment with an .env of its own": { config: kStaged, files: { ".env": "TOP=1\n", ".env.staging": "STAGED=1\n" }, flags: ["--env", "staging"] },
  "all environments, and secrets that all of them have": { config: kStaged, files: { ".dev.vars": "TOP=1\n" } },
  "vars of odd kinds": { config: { vars: { EMPTY: "", NEGATIVE: -1.5, NO: false, NESTED: { a: [], b: {}, c: [{ d: 1 }, [true]] }, WORDS: "ü ñ ✓", "1st": "x", class: "y" } }, files: {} },
  "without secrets of any kind": { files: {} },
};

describe("beside wrangler", () => {
  for (const [name, config] of Object.entries(kMatrix)) {
    test(name, () => {
      const folder = projectWith({ compatibility_flags: ["nodejs_compat"], ...config }, { ".dev.vars": "API_KEY=secret\nGIVEN=x\nCOUNT=9\n" });
      const theirs = control(folder);
      assert.equal(run(folder).status, 0);
      const ours = readFileSync(join(folder, "worker-configuration.d.ts"), "utf8");
      assert.deepEqual(members(ours, "__BaseEnv_Env"), members(theirs, "__BaseEnv_Env"));
      assert.doesNotMatch(ours, /secret/, "no secret's value");
      for (const own of config.env ? ["StagingEnv", "LiveEuEnv"] : []) assert.deepEqual(members(ours, own), members(theirs, own));
      for (const line of ["interface Env extends __BaseEnv_Env {}", "mainModule: typeof import(\"./src/server\");"]) {
        assert.ok(ours.includes(line) && theirs.includes(line), line);
      }
      const modules = (text) => [...text.matchAll(/declare module "(.*)" \{\n\s+const \w+: (.*);/g)].map(([, pattern, type]) => `${pattern}: ${type}`).sort();
      assert.deepEqual(modules(ours), modules(theirs));
    });
  }
  for (const [name, { config = {}, files, flags = [], own = "__BaseEnv_Env" }] of Object.entries(kFiles)) {
    test(name, () => {
      const folder = projectWith({ ...kAgents, ...config }, files);
      const theirs = control(folder, ...flags);
      const { status, stderr } = run(folder, ...flags);
      assert.equal(status, 0, stderr);
      const ours = readFileSync(join(folder, "worker-configuration.d.ts"), "utf8");
      assert.deepEqual(members(ours, own), members(theirs, own));
    });
  }
  test("where an environment has secrets of its own, each is optional in the whole; wrangler heeds the top level's alone", () => {
    const folder = projectWith({ ...kAgents, ...kStaged }, { ".dev.vars": "TOP=1\n", ".dev.vars.staging": "STAGED=1\n" });
    assert.equal(members(control(folder), "__BaseEnv_Env").TOP, "string");
    assert.equal(run(folder).status, 0);
    const ours = readFileSync(join(folder, "worker-configuration.d.ts"), "utf8");
    const { "TOP?": top, "STAGED?": staged, TOP, STAGED } = members(ours, "__BaseEnv_Env");
    assert.deepEqual([top, staged, TOP, STAGED], ["string", "string", undefined, undefined]);
    assert.deepEqual([members(ours, "StagingEnv").STAGED, members(ours, "StagingEnv").TOP, members(ours, "LiveEnv").TOP], ["string", undefined, "string"]);
  });
  test("with --strict-vars=false and --env-interface", () => {
    const folder = projectWith({ ...kAgents, vars: kVars });
    const flags = ["--strict-vars=false", "--env-interface=Bindings"];
    const theirs = control(folder, ...flags);
    assert.equal(run(folder, ...flags).status, 0);
    const ours = readFileSync(join(folder, "worker-configuration.d.ts"), "utf8");
    assert.deepEqual(members(ours, "__BaseEnv_Bindings"), members(theirs, "__BaseEnv_Bindings"));
    assert.ok(ours.includes("interface Bindings extends __BaseEnv_Bindings {}"));
  });
});

test("the second time nothing changes, and it says so", () => {
  const folder = projectWith(kAgents);
  const file = join(folder, "worker-configuration.d.ts");
  assert.match(run(folder).stdout, /worker-configuration\.d\.ts is written$/m);
  const { mtimeNs, ino } = statSync(file, { bigint: true });
  assert.match(run(folder).stdout, /is up to date/);
  assert.deepEqual([statSync(file, { bigint: true }).mtimeNs, statSync(file, { bigint: true }).ino], [mtimeNs, ino], "it is not touched");
});

test("--check exits with 1 when the file is missing or stale, shows how, and writes nothing", () => {
  const folder = projectWith(kAgents);
  assert.equal(run(folder, "--check").status, 1);
  run(folder);
  assert.equal(run(folder, "--check").status, 0);
  writeFileSync(join(folder, "wrangler.jsonc"), readFileSync(join(folder, "wrangler.jsonc"), "utf8").replace("my-room", "Room"));
  const { status, stdout } = run(folder, "--check");
  assert.equal(status, 1);
  assert.match(stdout, /^-  "my-room": .*$/m);
  assert.match(stdout, /^\+  Room: /m);
  assert.equal(run(folder, "--check").status, 1);
});

test("wrangler's file is taken over with its runtime types, and a file written by hand is not", () => {
  const folder = projectWith(kAgents);
  const file = join(folder, "worker-configuration.d.ts");
  writeFileSync(file, "/* eslint-disable */\n// Generated by Wrangler by running `wrangler types` (hash: 1)\ninterface Env {}\n// Begin runtime types\ndeclare class Kept {}\n");
  assert.match(run(folder).stdout, /is written anew/);
  assert.match(readFileSync(file, "utf8"), /CoderAgent: Dur[\s\S]*\/\/ Begin runtime types\ndeclare class Kept \{\}\n$/);
  assert.equal(run(folder, "--check").status, 0);
  writeFileSync(file, "interface Env {}\n");
  const { status, stderr } = run(folder);
  assert.equal(status, 2);
  assert.match(stderr, /was not generated, so it is left as it is/);
  assert.equal(readFileSync(file, "utf8"), "interface Env {}\n");
});

test("a configuration that does not read is told as everywhere", () => {
  const folder = projectWith({}, { "wrangler.jsonc": "{ \"name\": \"x\" \"main\": 1 }" });
  const { status, stderr } = run(folder);
  assert.equal(status, 2);
  assert.match(stderr, /wrangler\.jsonc:1:\d+: .*\(C101\)/);
});
