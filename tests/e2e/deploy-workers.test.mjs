// Deploys to a server of several workers: they are one version, switched to and rolled back together.
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth, kProjects, kRoot } from "../lib/paths.mjs";
import { Child, until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";
import { upgrade } from "../lib/upgrade.mjs";

const suite = { skip: onHearth ? false : "hearth's own deploys", concurrency: 1 };

/** The two workers of tests/projects, to be edited. */
function copied() {
  const folder = temporaryFolder("hearth-workers-");
  cpSync(join(kProjects, "workers"), folder, { recursive: true });
  symlinkSync(join(kRoot, "node_modules"), join(folder, "node_modules"));
  const config = (worker) => join(folder, worker, "wrangler.jsonc");
  const edit = (file, from, to) => {
    const text = readFileSync(join(folder, file), "utf8");
    assert.ok(text.includes(from), `${file} has ${from}`);
    writeFileSync(join(folder, file), text.replace(from, to));
  };
  return { folder, front: config("front"), back: config("back"), both: ["-c", config("front"), "-c", config("back")], edit };
}

const serve = (t, { folder, back }, options = {}) => startFor(t, join(folder, "front"), { args: ["-c", back], ...options });
const run = (verb, configs, target, args = [], options = {}) =>
  command([verb, ...configs, "--state", target.state, ...args], { timeoutMs: 60_000, ...options });
const versions = async (target) => JSON.parse(await run("versions", [], target, ["--json"])).versions;
const hello = async ({ url }) => (await http(`${url}/fetch`, { method: "POST", body: "x" })).text;
const ask = async ({ url }, path) => (await http(`${url}${path}`)).json();

describe("a deploy of several workers", suite, () => {
  test("switches them together, with the sockets of both, and rolls back together", async (t) => {
    const project = copied();
    const target = await serve(t, project);
    assert.match(await hello(target), /^back got POST back\?x=1/);
    assert.equal(await ask(target, "/room?name=kept"), 1);
    const socket = await Socket.connect(`${target.ws}/socket?name=lasting`);
    assert.equal(await socket.ask("hello"), "hello 1 of back");
    const first = await until(async () => (await versions(target)).find((each) => each.current), "a current version", 30_000);

    project.edit("back/server.ts", "got ${request.method}", "took ${request.method}");
    project.edit("front/server.ts", "back/hello?x=1", "back/hello?x=2");
    project.edit("back/public/page.txt", "a page", "another page");
    assert.match(await run("deploy", project.both, target, ["-m", "both"]), /version [0-9a-f]{8} is served/);
    assert.match(await hello(target), /^back took POST back\?x=2/);
    assert.match((await http(`${target.url}/asset`)).text, /^another page/);
    assert.equal(await ask(target, "/room?name=kept"), 2);
    assert.equal(await socket.ask("again"), "again 2 of back");
    const { who } = await ask(target, "/rpc");
    assert.equal(who.secret, "of back", "the secrets beside the server");
    const second = (await versions(target)).find((each) => each.current);
    assert.equal(second.message, "both");

    assert.match(await run("rollback", [], target), new RegExp(`${first.id} is served again`));
    assert.match(await hello(target), /^back got POST back\?x=1/);
    assert.match((await http(`${target.url}/asset`)).text, /^a page/);
    assert.equal(await ask(target, "/room?name=kept"), 3);
    assert.equal(await socket.ask("yet again"), "yet again 3 of back");
    await socket.close();
  });

  test("changes nothing when one of them is broken, or is missing", async (t) => {
    const project = copied();
    const target = await serve(t, project, { expectErrors: [/did not load/] });
    assert.equal(await ask(target, "/room?name=kept"), 1);
    const socket = await Socket.connect(`${target.ws}/socket?name=lasting`);
    const before = (await versions(target)).map((each) => each.id);
    const refused = async (configs, pattern) => {
      assert.match(await run("deploy", configs, target, [], { code: 1 }), pattern);
      assert.match(await hello(target), /^back got POST/);
      assert.deepEqual((await versions(target)).map((each) => each.id), before);
      assert.deepEqual(readdirSync(join(target.state, "versions")).filter((name) => !name.startsWith(".")), before);
    };
    await refused(["-c", project.front], /serves the workers "front", "back"[\s\S]*-c of its own/);
    const other = copied();
    other.edit("back/server.ts", "export class Room", "nothing.there();\nexport class Room");
    await refused(other.both, /nothing is not defined/);
    const syntax = copied();
    syntax.edit("back/server.ts", "export class Room", "export class");
    await refused(syntax.both, /the build of back is broken/);
    const renamed = copied();
    renamed.edit("back/wrangler.jsonc", '"new_sqlite_classes": ["Room"]', '"new_sqlite_classes": ["Hall"]');
    renamed.edit("back/wrangler.jsonc", '"class_name": "Room" }', '"class_name": "Hall" }');
    renamed.edit("back/server.ts", "export class Room", "export class Hall");
    await refused(renamed.both, /S304/);
    assert.equal(await socket.ask("hello"), "hello 1 of back");
    await socket.close();
  });

  test("carries out the migrations of each, and rehearses the agents of each", async (t) => {
    const project = copied();
    const target = await serve(t, project);
    assert.equal(await ask(target, "/room?name=kept"), 1);
    await ask(target, "/own-whose");
    await ask(target, "/back-to-front");
    const next = copied();
    next.edit("back/wrangler.jsonc", '[{ "tag": "v1", "new_sqlite_classes": ["Room"] }]',
      '[{ "tag": "v1", "new_sqlite_classes": ["Room"] }, { "tag": "v2", "renamed_classes": [{ "from": "Room", "to": "Hall" }] }]');
    next.edit("back/wrangler.jsonc", '"class_name": "Room" }', '"class_name": "Hall" }');
    next.edit("back/server.ts", "export class Room", "export class Hall");
    next.edit("front/wrangler.jsonc", '"class_name": "Room"', '"class_name": "Hall"');
    const report = JSON.parse((await run("deploy", next.both, target, ["--rehearse", "--json"])).replace(/^[^{]*(?={\n)/, ""));
    assert.deepEqual(report.classes.map((each) => [each.class, each.tried, each.failed]), [["Own", 1, 0], ["Hall", 1, 0]]);
    assert.match(await run("deploy", next.both, target), /Room is Hall now, with its 1 agent/);
    assert.equal(await ask(target, "/room?name=kept"), 2);
  });

  test("is what the state alone serves after a restart, with the secrets that were given", async (t) => {
    const project = copied();
    const target = await serve(t, project);
    assert.equal(await ask(target, "/room?name=kept"), 1);
    project.edit("back/server.ts", "got ${request.method}", "took ${request.method}");
    await run("deploy", project.both, target, ["--secret", "back:SECRET=given to back", "--secret", "SECRET=given to all"]);
    assert.equal((await ask(target, "/rpc")).who.secret, "given to back");
    await target.stop({ keepState: true, checkDescriptors: false });
    const child = new Child(kHearth, ["serve", "--state", target.state, "--port", "0"], { cwd: temporaryFolder("hearth-test-"), env: { ...process.env, NO_COLOR: "1" } });
    t.after(() => child.killTree());
    const [, url] = await child.line(/(http:\/\/127\.0\.0\.1:\d+)/, 30_000);
    assert.match(await hello({ url }), /^back took POST/);
    assert.equal(await ask({ url }, "/room?name=kept"), 2);
    assert.equal((await ask({ url }, "/rpc")).who.secret, "given to back");
    assert.equal((await http(`${url}/asset`)).text, 'a page of the worker "back"\n');
    assert.equal((await child.end()).code, 0);
  });

  test("is what a hearth serves that takes this one's place, with the sockets", async (t) => {
    const project = copied();
    const target = await serve(t, project);
    const socket = await Socket.connect(`${target.ws}/socket?name=lasting`);
    assert.equal(await socket.ask("hello"), "hello 1 of back");
    // The sources stay as they were: what is served then can only be the version.
    const next = copied();
    next.edit("back/server.ts", "got ${request.method}", "took ${request.method}");
    await run("deploy", next.both, target);
    const { code, output } = await upgrade(target);
    assert.equal(code, 0, output);
    assert.match(await hello(target), /^back took POST/);
    assert.equal(await socket.ask("again"), "again 2 of back");
    assert.equal((await ask(target, "/rpc")).who.secret, "of back");
    await socket.close();
  });

  test("brings a further worker to a server of one", async (t) => {
    const project = copied();
    const target = await startFor(t, join(project.folder, "front"));
    assert.match((await http(`${target.url}/fetch`, { method: "POST", body: "x" })).text, /C117|BACK|error/);
    await run("deploy", project.both, target);
    assert.match(await hello(target), /^back got POST/);
    assert.equal(await ask(target, "/room?name=kept"), 1);
    assert.ok(existsSync(join(target.state, "do/back-Room")));
    await run("rollback", [], target);
    assert.doesNotMatch(await hello(target), /^back got POST/);
    await run("deploy", project.both, target);
    assert.equal(await ask(target, "/room?name=kept"), 2);
  });
});
