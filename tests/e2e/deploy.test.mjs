// Deploys to a server that serves: what is checked changes nothing, what is taken moves the agents
// with their sockets, and what does not stand gives way to the last good one.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth } from "../lib/paths.mjs";
import { Child, alive, descendants, until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";
import { upgrade } from "../lib/upgrade.mjs";
import { writeProject } from "../lib/written-project.mjs";

const suite = { skip: onHearth ? false : "hearth's own deploys", concurrency: 1 };
const v1 = { tag: "v1", new_sqlite_classes: ["A"] };
const base = { name: "dep", classes: ["A"], migrations: [v1] };

const deploy = (folder, target, args = [], options) =>
  command(["deploy", "-c", join(folder, "wrangler.jsonc"), "--state", target.state, ...args], options);
const rollback = (target, args = [], options) => command(["rollback", "--state", target.state, ...args], options);
const versions = async (target) => JSON.parse(await command(["versions", "--state", target.state, "--json"])).versions;
const get = async (target, path) => (await http(`${target.url}/${path}`)).text;

/** A client that numbers its messages and checks the answers: in order, each once, none missing. */
class Counting {
  sent = 0;
  received = 0;
  answered = new Set();
  versions = new Set();
  #stop = false;
  #done;

  static async connect(target, name) {
    const client = new Counting();
    client.socket = await Socket.connect(`${target.ws}/A/${name}/socket`);
    client.#done = client.#run();
    return client;
  }

  async #run() {
    // Up to 16 are on their way at any time.
    while (!this.#stop || this.received < this.sent) {
      while (!this.#stop && this.sent - this.received < 16) this.socket.send(String(++this.sent));
      const [number, seen, version, since] = (await this.socket.next()).split(" ");
      this.received++;
      // Handlers that wait are overtaken by the answers of others, and not by their beginnings.
      assert.equal(seen, number, "begun in order, none lost, none twice, and all written");
      assert.ok(!this.answered.has(number), "answered once");
      this.answered.add(number);
      assert.equal(since, "one", "the attachment is the first one's");
      this.versions.add(version);
    }
  }

  async stop() {
    this.#stop = true;
    await this.#done;
    assert.equal(this.answered.size, this.sent);
    assert.ok(this.socket.open);
    await this.socket.close();
    return this.versions;
  }
}

describe("hearth deploy", suite, () => {
  test("moves agents under load with their sockets: nothing lost, nothing twice, all in order; and rolls back", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project);
    const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => Counting.connect(target, `load-${i % 4}-${i}`)));
    assert.equal(await get(target, "version"), "one ");
    writeProject({ ...base, folder: project, version: "two", vars: { GREETING: "hi" } });
    assert.match(await deploy(project, target, ["-m", "the second"]), /version [0-9a-f]{8} is served, after \d+ ms/);
    assert.equal(await get(target, "version"), "two hi");
    assert.match(await rollback(target), /served again/);
    assert.equal(await get(target, "version"), "one ");
    const kept = await versions(target);
    const second = kept.find((each) => each.message === "the second");
    assert.match(await rollback(target, [second.id.slice(0, 6)]), new RegExp(second.id));
    assert.equal(await get(target, "version"), "two hi");
    await until(() => clients.every((client) => client.versions.has("two")), "answers of the new code");
    for (const client of clients) assert.deepEqual([...await client.stop()].sort(), ["one", "two"]);
    assert.equal((await versions(target)).find((each) => each.current).id, second.id);
    assert.match(await command(["versions", "--state", target.state]), /\* +[0-9a-f]{8} .*the second/);
    assert.match(await rollback(target, [second.id], { code: 1 }), /is the current one/);
  });

  test("neither cuts what has just begun, nor lets its neighbours wait for it", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project);
    await get(target, "A/neighbour/put?v=0");
    writeProject({ ...base, folder: project, version: "two" });
    const before = new Set(target.hosts());
    const deployed = deploy(project, target, [], { timeoutMs: 60_000 });
    // While the new code loads: not old enough to be waited for when that is done.
    await until(() => target.hosts().some((pid) => !before.has(pid)), "a host for the new code", 30_000);
    let left = 3;
    const lasting = Array.from({ length: left }, async (_, i) => {
      const answer = await http(`${target.url}/A/busy-${i}/wait?ms=4000`, { timeoutMs: 30_000 });
      left--;
      return `${answer.status} ${answer.text}`;
    });
    let meanwhile = 0;
    await until(() => /reloaded in/.test(target.output), "the new code", 30_000);
    const lasts = left > 0;
    while (left > 0) {
      await get(target, `A/neighbour/put?v=${meanwhile}`);
      if (left > 0) meanwhile++;
    }
    assert.deepEqual([...new Set(await Promise.all(lasting))], ["200 waited one"]);
    assert.ok(meanwhile > 0 || !lasts, "no answer for the neighbour while the others were at work");
    assert.match(await deployed, /is served/);
    assert.equal(await get(target, "version"), "two ");
  });

  test("changes nothing, and says why, when the code does not build, export, load or fit the state", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project, { expectErrors: [/did not load/] });
    await get(target, "A/one/put?v=kept");
    const socket = await Socket.connect(`${target.ws}/A/one/socket`);
    const refused = async (change, pattern, args) => {
      const broken = writeProject({ ...base, version: "broken", ...change });
      const said = await deploy(broken, target, args, { code: 1 });
      assert.match(said, pattern);
      assert.equal(await get(target, "version"), "one ");
      assert.match(await socket.ask("1"), /^1 \d+ one one$/);
    };
    await refused({ code: "export const x = ;" }, /the build is broken[\s\S]*server\.js:\d+/);
    await refused({ classes: ["A"], durable_objects: { bindings: [{ name: "Z", class_name: "Z" }] } }, /B204/);
    await refused({ code: "nothing.there;" }, /S302[\s\S]*nothing is not defined[\s\S]*server\.js:\d+|nothing is not defined[\s\S]*S302/);
    await refused({ classes: ["B"], migrations: [{ tag: "v1", new_sqlite_classes: ["B"] }] }, /S304[\s\S]*renamed_classes/);
    await refused({ classes: ["B"], migrations: [v1, { tag: "v2", deleted_classes: ["A"], new_sqlite_classes: ["B"] }] }, /S306[\s\S]*--yes-delete A/);
    assert.equal((await versions(target)).length, 1);
    assert.deepEqual(readdirSync(join(target.state, "versions")).filter((name) => !name.startsWith(".")).length, 1);
    await socket.close();
  });

  test("carries out migrations at the switch", async (t) => {
    const project = writeProject({ ...base, classes: ["A", "D"], migrations: [v1, { tag: "v2", new_sqlite_classes: ["D"] }] });
    const target = await startFor(t, project);
    await get(target, "A/one/put?v=kept");
    await get(target, "D/one/put?v=gone");
    const kept = await Socket.connect(`${target.ws}/A/one/socket`);
    const gone = await Socket.connect(`${target.ws}/D/one/socket`);
    writeProject({ ...base, folder: project, classes: ["B"], version: "two",
      migrations: [v1, { tag: "v2", new_sqlite_classes: ["D"] }, { tag: "v3", renamed_classes: [{ from: "A", to: "B" }], deleted_classes: ["D"] }] });
    const said = await deploy(project, target, ["--yes-delete", "D"]);
    assert.match(said, /A is B now, with its 1 agent/);
    assert.equal(await get(target, "B/one/get"), "kept");
    assert.match(await kept.ask("1"), /^1 1 two one$/);
    const end = await gone.closed;
    assert.equal(end.code, 4410);
    assert.match(end.reason, /deleted/);
    assert.equal(readdirSync(join(target.state, "trash")).length, 1);
    assert.ok(!existsSync(join(target.state, "do/dep-D")));
    assert.match(await rollback(target, [], { code: 1 }), /S304/);
    assert.equal(await get(target, "B/one/get"), "kept");
    await kept.close();
  });

  test("takes back a version whose hosts end as soon as they start, and says so loudly", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project, { expectErrors: [/died/, /S307/] });
    const socket = await Socket.connect(`${target.ws}/A/one/socket`);
    assert.match(await socket.ask("1"), /^1 1 one/);
    const broken = writeProject({ ...base, version: "dying", code: "setTimeout(() => process.exit(9), 150);" });
    const said = await deploy(broken, target, [], { code: 1 });
    assert.match(said, /S307[\s\S]*hosts end as soon as they start/);
    assert.match(target.output, /S307.*served again/);
    assert.equal(await get(target, "version"), "one ");
    assert.match(await socket.ask("2"), /^2 2 one one$/);
    assert.equal((await versions(target)).length, 1);
    await socket.close();
  });

  test("is served after a restart: with the state alone, and one that was built anew says that it differs", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project);
    await get(target, "A/one/put?v=kept");
    const other = writeProject({ ...base, version: "two", assets: { directory: "public" } });
    mkdirSync(join(other, "public"));
    writeFileSync(join(other, "public/hello.txt"), "an asset");
    await deploy(other, target);
    assert.equal(await get(target, "hello.txt"), "an asset");
    await target.stop({ keepState: true, checkDescriptors: false });
    const child = new Child(kHearth, ["serve", "--state", target.state, "--port", "0"], { cwd: temporaryFolder("hearth-test-"), env: { ...process.env, NO_COLOR: "1" } });
    t.after(() => child.killTree());
    const [, url] = await child.line(/(http:\/\/127\.0\.0\.1:\d+)/);
    assert.equal(await get({ url }, "version"), "two ");
    assert.equal(await get({ url }, "hello.txt"), "an asset");
    assert.equal(await get({ url }, "A/one/get"), "kept");
    assert.equal((await child.end()).code, 0);
    const again = await startFor(t, project, { state: target.state });
    assert.equal(await get(again, "version"), "one ");
    assert.match(again.output, /version [0-9a-f]{8}, which was deployed .*, is another/);
  });

  test("at a start, too: a new build whose hosts end at once gives way to the version that was served last", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project, { expectErrors: [/died/, /S307/] });
    await get(target, "A/one/put?v=kept");
    await until(async () => (await versions(target)).some((each) => each.current), "a current version");
    await target.stop({ keepState: true, checkDescriptors: false });
    writeProject({ ...base, folder: project, version: "dying", code: "setTimeout(() => process.exit(9), 150);" });
    await target.start();
    await target.child.line(/S307.*the last good one, is served instead/);
    await until(async () => (await get(target, "version")) === "one ", "the former version");
    assert.equal(await get(target, "A/one/get"), "kept");
    writeProject({ ...base, folder: project, version: "two" });
    await deploy(project, target);
    assert.equal(await get(target, "version"), "two ");
  });

  test("leaves secrets with the server, and takes those that are given", async (t) => {
    const code = "export class Unused {};";
    const project = writeProject({ ...base, code });
    writeFileSync(join(project, ".dev.vars"), "GREETING=of-the-server\n");
    const target = await startFor(t, project);
    const elsewhere = writeProject({ ...base, version: "two" });
    writeFileSync(join(elsewhere, ".dev.vars"), "GREETING=of-the-developer\n");
    await deploy(elsewhere, target);
    assert.equal(await get(target, "version"), "two of-the-server");
    await deploy(elsewhere, target, ["--secret", "GREETING=given"]);
    assert.equal(await get(target, "version"), "two given");
    assert.equal(statSync(join(target.state, "secrets.json")).mode & 0o777, 0o600);
    for (const id of readdirSync(join(target.state, "versions"))) {
      assert.doesNotMatch(readFileSync(join(target.state, "versions", id, "version.json"), "utf8"), /of-the-developer|of-the-server|"given"/);
    }
    await deploy(elsewhere, target, ["--secrets"]);
    assert.equal(await get(target, "version"), "two of-the-developer");
  });

  test("goes over the network with a token", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project, { args: ["--admin", "0", "--admin-token", "s3cret"] });
    const [, admin] = await target.child.line(/admin on (http:\/\/127\.0\.0\.1:\d+)/);
    writeProject({ ...base, folder: project, version: "two" });
    const config = join(project, "wrangler.jsonc");
    await command(["deploy", "-c", config, "--to", admin, "--token", "wrong"], { code: 1 });
    assert.equal(await get(target, "version"), "one ");
    await command(["deploy", "-c", config, "--to", admin, "--token", "s3cret"]);
    assert.equal(await get(target, "version"), "two ");
    await command(["rollback", "--to", admin, "--token", "s3cret"]);
    assert.equal(await get(target, "version"), "one ");
  });

  test("may be killed at any moment: what is there then is served", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project);
    await get(target, "A/one/put?v=kept");
    for (const delayMs of [20, 120, 250, 400, 700, 1100]) {
      writeProject({ ...base, folder: project, version: `at-${delayMs}` });
      const child = new Child(kHearth, ["deploy", "-c", join(project, "wrangler.jsonc"), "--state", target.state]);
      await new Promise((resolve) => setTimeout(resolve, delayMs)); // where it strikes is not known, and need not be
      await target.kill();
      await child.exited;
      await target.restart();
      assert.equal(await get(target, "A/one/get"), "kept");
      await until(async () => (await versions(target)).filter((each) => each.current).length === 1, "a current version");
    }
    assert.ok((await versions(target)).length <= 10);
    assert.ok(alive(target.pid) && descendants(target.pid).length > 0);
  });

  test("goes before an upgrade that is asked for meanwhile, and waits for one that is going on", async (t) => {
    const project = writeProject({ ...base, version: "one" });
    const target = await startFor(t, project, { expectErrors: [/./] });
    const socket = await Socket.connect(`${target.ws}/A/one/socket`);
    // Each is begun before the other has ended: whichever comes first, both are carried out.
    for (const version of ["two", "three", "four"]) {
      writeProject({ ...base, folder: project, version });
      const deployed = deploy(project, target, [], { timeoutMs: 90_000 });
      const upgraded = upgrade(target, "--wait", "1");
      assert.match(await deployed, /is served/);
      assert.equal((await upgraded).code, 0, (await upgraded).output);
      assert.equal(await get(target, "version"), `${version} `);
      assert.equal((await versions(target)).filter((each) => each.current).length, 1);
    }
    assert.ok(socket.open);
    await socket.close();
  });

  test("is refused by a hearth that runs in dev, and by nobody at all", async (t) => {
    const project = writeProject(base);
    const target = await startFor(t, project, { command: "dev" });
    assert.match(await deploy(project, target, [], { code: 1 }), /dev/);
    await command(["deploy", "-c", join(project, "wrangler.jsonc"), "--state", temporaryFolder("hearth-test-")], { code: 1 });
  });
});
