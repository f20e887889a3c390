// `dev` never ends for what an edit can mend: whatever is broken at its very start, the port is open and
// answers at once with the finding, and mending the file is enough.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import WebSocket from "ws";

import { importFromProjects } from "../lib/agent-client.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kProjects } from "../lib/paths.mjs";
import { commandLine, descendants, until } from "../lib/process.mjs";
import { hearthOnly, start, startFor } from "../lib/target.mjs";

const { AgentClient } = await importFromProjects("agents/client");
const kConfig = `{
  "name": "waits",
  "main": "server.ts",
  "compatibility_date": "2026-01-01",
  "durable_objects": { "bindings": [{ "name": "Room", "class_name": "Room" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }]
}
`;
const kServer = `import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {}
export default { fetch: () => new Response("mended") };
`;

function projectOf(files) {
  const folder = temporaryFolder("hearth-waits-");
  mkdirSync(join(folder, "node_modules"));
  for (const [name, text] of Object.entries({ "wrangler.jsonc": kConfig, "server.ts": kServer, ...files })) {
    if (text !== null) writeFileSync(join(folder, name), text);
  }
  return folder;
}

for (const { name, files, code, says, place, mend } of [
  { name: "a configuration that does not parse", code: "C101", place: "wrangler.jsonc:3:3", says: /comma/,
    files: { "wrangler.jsonc": kConfig.replace('"waits",', '"waits"') } },
  { name: "main that is not there", code: "C112", place: "wrangler.jsonc:3:11", says: /server\.ts/, files: { "server.ts": null } },
  { name: "a bound class that main does not export", code: "B204", place: "wrangler.jsonc:5:69", says: /Room/,
    files: { "server.ts": kServer.replace("export class", "class") } },
  { name: "code that does not parse", code: "B201", place: "server.ts:3:1", says: /./, files: { "server.ts": `${kServer.split("\n").slice(0, 2).join("\n")}\n}\n` } },
  { name: "a package that is not installed", code: "B202", place: "server.ts:1:18", says: /missing-package/,
    files: { "server.ts": `import gone from "missing-package";\n${kServer}console.log(gone);\n` } },
  { name: "a build command that fails", code: "B212", place: "wrangler.jsonc:4:25", says: /sh build\.sh.*status 4: no such schema/,
    files: { "wrangler.jsonc": kConfig.replace('"compat', '"build": { "command": "sh build.sh" },\n  "compat'), "build.sh": "echo 'no such schema' >&2; exit 4\n" },
    mend: { "build.sh": "true\n" } },
  { name: "a throw at the top level", code: "S302", place: "server.ts:4:7", says: /too early/, files: { "server.ts": `${kServer}throw new Error("too early");\n` } },
]) {
  test(`${name} is answered at once, and mending it is enough`, hearthOnly, async (t) => {
    const folder = projectOf(files);
    const target = await start(folder, { command: "dev", expectErrors: [/./] });
    // It opens most of what it has open only when it is mended.
    t.after(() => target.stop({ checkDescriptors: false }));
    const found = await until(async () => {
      const answer = await http(`${target.url}/`);
      return answer.status === 503 && answer.json().error.code === code ? answer.json().error : false;
    }, `the finding ${code}`, 10_000);
    assert.equal(found.where, place);
    assert.match(JSON.stringify(found), says);
    assert.ok(found.fix, "there is a cure");
    const page = await http(`${target.url}/`, { headers: { accept: "text/html" } });
    assert.match(page.text, new RegExp(`<span class="code">${code}</span>`));
    const socket = await Socket.connect(`${target.ws}/agents/room/a`);
    assert.equal(JSON.parse(await socket.next()).code, code);
    const end = await socket.closed;
    assert.equal(end.code, 1013, "it may pass: clients try again");
    assert.ok(end.reason.startsWith(`${code}: `), end.reason);
    const client = trying(t, target);
    const { reason } = await until(() => client.closes[0], "the SDK's client is told", 30_000);
    assert.ok(reason.startsWith(`${code}: `), reason);

    for (const [file, text] of Object.entries(mend ?? { "wrangler.jsonc": kConfig, "server.ts": kServer })) {
      const path = join(folder, file);
      let before = null;
      try { before = readFileSync(path, "utf8"); } catch { /* it was not there */ }
      if (before === text) continue;
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    }
    await target.child.line(/ready on/, 20_000);
    assert.equal((await http(`${target.url}/`)).text, "mended", "on the same port");
    await until(() => client.closes.some(({ code: last }) => last === 4426), "and the client comes to the worker by itself", 30_000);
  });
}

/** The SDK's client, which goes on trying; what its sockets were closed with. */
function trying(t, target) {
  const client = new AgentClient({ agent: "Room", name: "a", host: target.host, protocol: "ws", WebSocket, minReconnectionDelay: 100, maxReconnectionDelay: 300 });
  t.after(() => client.close());
  client.ready?.catch?.(() => {});
  client.addEventListener("error", () => {});
  const closes = [];
  client.addEventListener("close", ({ code, reason }) => closes.push({ code, reason }));
  return { closes };
}

/** A project whose state has an agent of the class Room, and the state. */
async function withStoredRoom(t) {
  const folder = projectOf({});
  const state = join(folder, ".hearth");
  const stores = kServer.replace("() =>", "async (_, env) => (await env.Room.getByName(\"a\").fetch(\"http://a/\"),").replace('("mended")', '("mended"))')
    .replace("DurableObject {}", 'DurableObject { fetch() { this.ctx.storage.kv.put("k", 1); return new Response("x"); } }');
  writeFileSync(join(folder, "server.ts"), stores);
  const first = await start(folder, { command: "dev", state });
  t.after(() => first.discard());
  assert.equal((await http(`${first.url}/`)).text, "mended");
  await first.stop({ keepState: true });
  return { folder, state, stores };
}

const kRenamed = (text) => text.replaceAll("Room", "Hall");
const kSecond = (migration) => kRenamed(kConfig).replace(/"migrations".*/, `"migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }, ${migration}]`);
for (const { name, code, config, says, mended } of [
  { name: "a state that contradicts the configuration", code: "S304", config: kRenamed(kConfig), says: /Room/,
    mended: kSecond('{ "tag": "v2", "renamed_classes": [{ "from": "Room", "to": "Hall" }] }') },
  { name: "a migration that deletes agents", code: "S306", says: /"v2" deletes the class Room, and 1 agent.*--yes-delete Room/,
    config: kSecond('{ "tag": "v2", "deleted_classes": ["Room"], "new_sqlite_classes": ["Hall"] }'),
    mended: kSecond('{ "tag": "v2", "renamed_classes": [{ "from": "Room", "to": "Hall" }] }') },
]) {
  test(`${name} is answered at once, and mending it is enough`, hearthOnly, async (t) => {
    const { folder, state, stores } = await withStoredRoom(t);
    writeFileSync(join(folder, "wrangler.jsonc"), config);
    writeFileSync(join(folder, "server.ts"), kRenamed(stores));
    const target = await start(folder, { command: "dev", state, expectErrors: [/./] });
    t.after(() => target.stop({ checkDescriptors: false, keepState: true }));
    const { status, text } = await http(`${target.url}/`);
    assert.equal(status, 503);
    assert.equal(JSON.parse(text).error.code, code, text);
    assert.match(JSON.stringify(JSON.parse(text).error).replaceAll('\\"', '"'), says);
    const socket = await Socket.connect(`${target.ws}/agents/hall/a`);
    assert.equal(JSON.parse(await socket.next()).code, code);
    const end = await socket.closed;
    assert.deepEqual([end.code, end.reason.slice(0, 6)], [1013, `${code}: `]);
    const client = trying(t, target);
    const { reason } = await until(() => client.closes[0], "the SDK's client is told", 30_000);
    assert.ok(reason.startsWith(`${code}: `), reason);
    writeFileSync(join(folder, "wrangler.jsonc"), mended);
    await target.child.line(/ready on/, 30_000);
    assert.equal((await http(`${target.url}/`)).text, "mended", "on the same port");
  });
}

test("a secret is in no answer of dev's", hearthOnly, async (t) => {
  const folder = projectOf({
    ".dev.vars": "DB_PASSWORD=correct-horse-battery\n",
    "server.ts": `${kServer.split("\n").slice(0, 2).join("\n")}\nexport default { fetch(_, env) { throw new Error(\`refused: \${env.DB_PASSWORD}\`); } };\n`,
  });
  const target = await startFor(t, folder, { command: "dev", expectErrors: [/R407/] });
  for (const accept of ["text/html", "*/*"]) {
    const { status, text } = await http(`${target.url}/`, { headers: { accept } });
    assert.equal(status, 500);
    assert.match(text, /refused: \[DB_PASSWORD redacted\]/);
    assert.doesNotMatch(text, /correct-horse/);
  }
  const socket = await Socket.connect(`${target.ws}/`);
  assert.match(JSON.parse(await socket.next()).error, /refused: \[DB_PASSWORD redacted\]/);
  assert.match((await socket.closed).reason, /refused: \[DB_PASSWORD redacted\]/);
});

test("a configuration that breaks later leaves the last good one serving", hearthOnly, async (t) => {
  const folder = projectOf({});
  const target = await startFor(t, folder, { command: "dev", expectErrors: [/the configuration is broken/] });
  writeFileSync(join(folder, "wrangler.jsonc"), "{");
  await target.child.line(/the last good one goes on/);
  assert.equal((await http(`${target.url}/`)).text, "mended");
});

test("a bundler that ends is started again, and changes are still seen", hearthOnly, async (t) => {
  const folder = projectOf({});
  const target = await startFor(t, folder, { command: "dev", expectErrors: [/the bundler ended/] });
  const bundlers = () => descendants(target.pid).filter((pid) => commandLine(pid).some((word) => /bundler\.mjs$/.test(word)));
  for (const pid of bundlers()) process.kill(pid, "SIGKILL");
  await target.child.line(/the bundler ended with .*; it is started again/);
  await until(() => bundlers().length > 0, "another bundler");
  writeFileSync(join(folder, "server.ts"), kServer.replace("mended", "changed"));
  await until(async () => (await http(`${target.url}/`)).text === "changed", "the change", 20_000);
});
