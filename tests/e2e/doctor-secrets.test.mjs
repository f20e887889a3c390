// What the doctor says holds none of the project's secrets, wherever they come into it: the lines around
// a place in the source or in the configuration, a message that code throws while it loads, a stack, the
// diff of an edit, --json and --fix; and neither does what dev tells of a configuration that is broken.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { hearthOnly, start } from "../lib/target.mjs";

const kSecrets = { API_KEY: "sk-live-4711-do-not-tell", DB_PASSWORD: "correct-horse-battery", STAGING_TOKEN: "tok-of-staging-0815" };
const kConfig = `{
  "name": "quiet",
  "main": "server.ts",
  "compatibility_date": "2026-01-01",
  "vars": { "DB_PASSWORD": "${kSecrets.DB_PASSWORD}" },
  "durable_objects": { "bindings": [{ "name": "coderagent", "class_name": "CoderAgent" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["CoderAgent"] }]
}
`;
const kServer = `import { DurableObject, env } from "cloudflare:workers";
export class CoderAgent extends DurableObject {}
export default { fetch: () => new Response(\`\${env.API_KEY === undefined}\`) };
`;
// Its frame has a secret in the line before it, one at the place itself, and one across the cut of a long line.
const kThrowing = `${kServer}const staging = "${kSecrets.STAGING_TOKEN}"; //${" ".repeat(100)} ${kSecrets.DB_PASSWORD} ${kSecrets.DB_PASSWORD}
throw new Error("refused with " + env.API_KEY + " ${kSecrets.DB_PASSWORD} " + staging);
`;

function projectOf({ config = kConfig, server = kServer, vars = `API_KEY=${kSecrets.API_KEY}\nLOG_LEVEL=warning\n` } = {}) {
  const folder = temporaryFolder("hearth-quiet-");
  writeFileSync(join(folder, "wrangler.jsonc"), config);
  writeFileSync(join(folder, "server.ts"), server);
  writeFileSync(join(folder, ".dev.vars"), vars);
  writeFileSync(join(folder, ".env.staging"), `STAGING_TOKEN=${kSecrets.STAGING_TOKEN}\n`); // not of this environment
  return folder;
}

function doctor(folder, ...args) {
  const { stdout, stderr, status } = spawnSync(kHearth, ["doctor", "-c", join(folder, "wrangler.jsonc"), ...args],
    { encoding: "utf8", timeout: 60_000, env: { ...process.env, NO_COLOR: "1" } });
  return { said: stdout + stderr, stdout, status };
}

/** None of the values is there, nor half of one, and those that are expected show by name. */
function assertQuiet(text, ...shown) {
  for (const [name, value] of Object.entries(kSecrets)) {
    assert.ok(!text.includes(value) && !text.includes(value.slice(0, 9)), `the value of ${name} is in ${text}`);
  }
  for (const name of shown) assert.ok(text.includes(`[${name} redacted]`), `${name} would have been in ${text}`);
}

test("an error thrown at load, its stack and the lines around it", () => {
  const folder = projectOf({ server: kThrowing });
  const { said, status } = doctor(folder);
  assert.equal(status, 1);
  assert.match(said, /fault S302/);
  assertQuiet(said, "API_KEY", "DB_PASSWORD", "STAGING_TOKEN");
  const json = doctor(folder, "--json");
  assertQuiet(json.said, "API_KEY", "DB_PASSWORD", "STAGING_TOKEN");
  const { findings } = JSON.parse(json.stdout);
  assert.ok(findings.some(({ severity }) => severity === "warning"), "hearth's own words stay, whatever a secret's value is");
});

test("the diff of an edit, shown, as JSON and applied; what is written is the real thing", () => {
  const folder = projectOf();
  assertQuiet(doctor(folder).said, "DB_PASSWORD");
  const json = doctor(folder, "--json");
  assertQuiet(json.said, "DB_PASSWORD");
  const document = JSON.parse(json.stdout);
  assertQuiet(document.findings.find(({ code }) => code === "C107").diff, "DB_PASSWORD");
  assertQuiet(JSON.stringify(document.environment), "DB_PASSWORD");
  const fixed = doctor(folder, "--fix");
  assert.match(fixed.said, /fixed C107/);
  assertQuiet(fixed.said, "DB_PASSWORD");
  assert.equal(readFileSync(join(folder, "wrangler.jsonc"), "utf8"), kConfig.replace('"coderagent"', '"CoderAgent"'));
});

test("a configuration that does not parse, where no project says what its secrets are", () => {
  const broken = kConfig.replace('" },\n  "durable', '" }\n  "durable');
  const folder = projectOf({ config: broken });
  const { said, status } = doctor(folder);
  assert.equal(status, 1);
  assert.match(said, /fault C101/);
  assertQuiet(said, "DB_PASSWORD");
  assertQuiet(doctor(folder, "--json").said);
});

test("an edit to .dev.vars is not shown with its neighbours", () => {
  const folder = projectOf({ server: kServer.replace("() => new Response(`${env.API_KEY === undefined}`)", "(_request, env) => new Response(env.API_SECRET)") });
  const { said } = doctor(folder);
  assert.match(said, /C118/);
  assertQuiet(said);
  assertQuiet(doctor(folder, "--json").said);
});

test("dev, which waits for the configuration to be mended", hearthOnly, async (t) => {
  const folder = projectOf({ config: kConfig.replace('"server.ts"', `"${kSecrets.API_KEY}/server.ts"`) }); // which the finding quotes
  const target = await start(folder, { command: "dev", expectErrors: [/./] });
  t.after(() => target.stop({ checkDescriptors: false }));
  for (const accept of ["text/html", "*/*"]) {
    const { status, text } = await http(`${target.url}/`, { headers: { accept } });
    assert.equal(status, 503);
    assertQuiet(text, "API_KEY");
  }
  const socket = await Socket.connect(`${target.ws}/agents/coder-agent/a`);
  assertQuiet(await socket.next(), "API_KEY");
  assertQuiet((await socket.closed).reason);
  await until(() => target.output.includes("C112"), "the log tells it", 30_000);
  assertQuiet(target.output, "API_KEY");
});
