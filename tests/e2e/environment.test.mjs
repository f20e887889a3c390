// `analyzeAgentEnvironment`, `hearth doctor --json` and /_hearth/env: the same answer from all three.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { ask } from "../lib/admin.mjs";
import { http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kBuild, kHearth, kRoot } from "../lib/paths.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kSecret = "a-secret-that-nobody-sees";
const kConfig = `{
  "name": "analysed",
  "main": "server.ts",
  "compatibility_date": "2026-06-01",
  "compatibility_flags": ["nodejs_compat"],
  "vars": { "GREETING": "hello there" },
  "ai": { "binding": "AI" },
  "d1_databases": [{ "binding": "DB", "database_name": "x", "database_id": "y" }],
  "durable_objects": { "bindings": [
    { "name": "coderagent", "class_name": "CoderAgent" },
    { "name": "Plain", "class_name": "Plain" },
  ] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["CoderAgent"] }],
}
`;
const kServer = `import { DurableObject } from "cloudflare:workers";
import { analyzeAgentEnvironment, type EnvironmentAnalysis } from "hearth";
export class CoderAgent extends DurableObject {}
export class Plain extends DurableObject {}
export default {
  async fetch(request: Request, env: Record<string, unknown>): Promise<Response> {
    const given = { ...env, EXTRA: 1 };
    delete (given as Record<string, unknown>)["GREETING"];
    const answer: EnvironmentAnalysis = analyzeAgentEnvironment(request.url.endsWith("/given") ? given : undefined);
    return Response.json(answer);
  },
};
`;

function project() {
  const folder = temporaryFolder("hearth-env-");
  writeFileSync(join(folder, "wrangler.jsonc"), kConfig);
  writeFileSync(join(folder, "server.ts"), kServer);
  writeFileSync(join(folder, ".dev.vars"), `API_SECRET=${kSecret}\nEMPTY=\n`);
  return folder;
}

const entry = (analysis, name) => analysis.entries.find((each) => each.name === name);

test("user code, the doctor and the admin interface tell what each entry of env is, and what is wrong with it", hearthOnly, async (t) => {
  const folder = project();
  const target = await startFor(t, folder, { expectErrors: [/./] });
  const told = (await http(`${target.url}/`)).json();
  assert.equal(told.worker, "analysed");
  const { diagnostics, ...coder } = entry(told, "coderagent");
  assert.deepEqual(coder, {
    name: "coderagent", kind: "durable_object", class: "CoderAgent", exported: true, migrated: true, sql: true,
    segment: "coderagent", url: "/agents/coderagent/:name",
  });
  assert.deepEqual(diagnostics.map(({ code }) => code), ["C107"]);
  assert.deepEqual([diagnostics[0].file, diagnostics[0].severity], ["wrangler.jsonc", "warning"]);
  assert.deepEqual([entry(told, "Plain").migrated, entry(told, "Plain").sql, entry(told, "Plain").diagnostics.map(({ code }) => code)],
    [false, true, ["C114"]], "hearth gives it SQL all the same");
  assert.deepEqual(entry(told, "GREETING"), { name: "GREETING", kind: "var", diagnostics: [] });
  assert.equal(entry(told, "API_SECRET").set, true);
  assert.equal(entry(told, "EMPTY").set, false);
  assert.equal(entry(told, "AI").kind, "ai");
  assert.deepEqual([entry(told, "DB").kind, entry(told, "DB").type], ["unsupported", "d1_databases"]);
  assert.ok(!JSON.stringify(told).includes(kSecret) && !JSON.stringify(told).includes("hello there"), "no values");

  const given = (await http(`${target.url}/given`)).json();
  assert.equal(entry(given, "GREETING"), undefined);
  assert.deepEqual(entry(given, "EXTRA"), { name: "EXTRA", kind: "unknown", diagnostics: [] });

  assert.deepEqual((await ask(target, "/_hearth/env")).json().entries, told.entries);
  const doctor = spawnSync(kHearth, ["doctor", "--json", "-c", join(folder, "wrangler.jsonc")], { encoding: "utf8", timeout: 60_000 });
  // Only the doctor scans the sources of what is served, and so knows which edits are safe.
  const comparable = (entries) => entries.map((each) => ({ ...each, diagnostics: each.diagnostics.map(({ safe, ...rest }) => rest) }));
  assert.deepEqual(comparable(JSON.parse(doctor.stdout).environment.entries), comparable(told.entries));
});

const kBinds = `,
  "services": [{ "binding": "OTHER", "service": "other" }, { "binding": "SELF", "service": "analysed" }]
}
`;
const kForeign = kConfig.replace('{ "name": "Plain", "class_name": "Plain" }',
  '{ "name": "Far", "class_name": "Room", "script_name": "other" }, { "name": "Gone", "class_name": "Missing", "script_name": "other" }').replace(/,\s*\}\s*$/, kBinds);

test("another worker's class and service, with that worker served beside it and without", hearthOnly, async (t) => {
  const folder = project();
  const other = join(folder, "other");
  mkdirSync(other);
  writeFileSync(join(folder, "wrangler.jsonc"), kForeign);
  writeFileSync(join(other, "wrangler.jsonc"), `{ "name": "other", "main": "server.ts", "compatibility_date": "2026-06-01",
    "durable_objects": { "bindings": [{ "name": "Room", "class_name": "Room" }] }, "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }] }`);
  writeFileSync(join(other, "server.ts"), 'import { DurableObject } from "cloudflare:workers";\nexport class Room extends DurableObject {}\nexport default { fetch: () => new Response("other") };\n');
  const told = async (args) => {
    const target = await startFor(t, folder, { args, expectErrors: [/./] });
    const answer = (await http(`${target.url}/`)).json();
    const doctor = spawnSync(kHearth, ["doctor", "--json", "-c", join(folder, "wrangler.jsonc"), ...args], { encoding: "utf8", timeout: 60_000 });
    const [first] = doctor.stdout.split(/^(?=\{)/m);
    for (const name of ["Far", "Gone", "OTHER", "SELF"]) assert.deepEqual(entry(JSON.parse(first).environment, name), entry(answer, name), name);
    return answer;
  };
  const codes = (each) => each.diagnostics.map(({ code }) => code);
  const alone = await told([]);
  const { diagnostics, ...far } = entry(alone, "Far");
  assert.deepEqual(far, { name: "Far", kind: "durable_object", class: "Room", worker: "other", served: false, migrated: false, sql: false, segment: "far", url: "/agents/far/:name" });
  assert.deepEqual(diagnostics.map(({ code, file }) => [code, file]), [["C117", "wrangler.jsonc"]]);
  assert.match(diagnostics[0].message, /one more -c/);
  assert.deepEqual([entry(alone, "OTHER").served, codes(entry(alone, "OTHER")), entry(alone, "SELF").served, codes(entry(alone, "SELF"))], [false, ["C117"], true, []]);
  const beside = await told(["-c", join(other, "wrangler.jsonc")]);
  const found = entry(beside, "Far");
  assert.deepEqual([found.served, found.migrated, found.sql, codes(found)], [true, true, true, []]);
  assert.deepEqual([entry(beside, "Gone").served, codes(entry(beside, "Gone"))], [false, ["C117"]], "a class that the other has not");
  assert.match(entry(beside, "Gone").diagnostics[0].message, /it has Room/);
  assert.equal(entry(beside, "OTHER").served, true);
});

test("the types that hearth ships fit the import", { skip: hearthOnly.skip, timeout: 60_000 }, () => {
  const folder = project();
  mkdirSync(join(folder, "types"));
  writeFileSync(join(folder, "types/platform.d.ts"), 'declare module "cloudflare:workers" { export class DurableObject {} }\n');
  const file = join(kBuild, "host/types/hearth.d.ts");
  assert.equal(readFileSync(file, "utf8"), readFileSync(join(kRoot, "host/types/hearth.d.ts"), "utf8"));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({
    compilerOptions: { strict: true, noEmit: true, module: "esnext", moduleResolution: "bundler", target: "es2022", lib: ["es2024", "dom"], types: [] },
    files: ["server.ts", "types/platform.d.ts", file],
  }));
  const tsc = join(kRoot, "node_modules/.bin/tsc");
  const good = spawnSync(tsc, ["-p", folder], { encoding: "utf8" });
  assert.equal(good.status, 0, good.stdout);
  writeFileSync(join(folder, "server.ts"), kServer.replace("analyzeAgentEnvironment, type", "analyseAgentEnvironment, type"));
  const bad = spawnSync(tsc, ["-p", folder], { encoding: "utf8" });
  assert.match(bad.stdout, /analyseAgentEnvironment/);
});
