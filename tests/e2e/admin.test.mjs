// The admin interface of a running server, from its commands and by hand.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { ask } from "../lib/admin.mjs";
import { http, Socket } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth's own interface", concurrency: 1 };

describe("the admin interface", suite, () => {
  test("lists agents that are awake and asleep, running and stopped", async (t) => {
    const state = temporaryFolder("hearth-test-");
    const target = await startFor(t, "raw", { state });
    assert.equal(statSync(join(state, "admin.sock")).mode & 0o777, 0o600);
    await http(`${target.url}/store/one/increment`);
    await http(`${target.url}/store/two/alarm-set?in=3600000`);
    const socket = await Socket.connect(`${target.ws}/room/lobby`);
    const { agents, total } = (await ask(target, "/_hearth/agents")).json();
    assert.deepEqual([total, agents.length], [3, 3]);
    assert.equal(agents.find((agent) => agent.name === "lobby").sockets, 1);
    const one = agents.find((agent) => agent.name === "one");
    assert.deepEqual([one.class, one.uniqueKey, one.awake, one.sockets], ["Store", "raw-Store", true, 0]);
    assert.match(one.id, /^[0-9a-f]{64}$/);
    assert.ok(agents.find((agent) => agent.name === "two").alarmMs > Date.now());
    assert.equal((await ask(target, "/_hearth/agents?match=two")).json().total, 1);
    assert.match(await command(["agents", "list", "--state", state]), /^Room +lobby +host \d+ +1 socket$[\s\S]*^Store +one +host \d+$[\s\S]*^Store +two .*alarm \d{4}-[\s\S]*^3 agents$/m);
    assert.equal(JSON.parse(await command(["agents", "list", "--json", "--match", "one", "--state", state])).agents[0].name, "one");
    socket.ws.terminate();
    await target.stop({ keepState: true });
    assert.ok(!existsSync(join(state, "admin.sock")));
    assert.match(await command(["agents", "list", "--state", state]), /^raw-Store +one +asleep$[\s\S]*3 agents/m);
  });

  test("comes back after a kill -9 that left its socket", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [/./] });
    await target.kill();
    assert.ok(existsSync(join(target.state, "admin.sock")));
    await target.restart();
    assert.equal((await ask(target, "/_hearth")).json().routes[0].path, "/_hearth/agents");
  });

  test("on TCP it asks for its token, and keeps pages of web sites out", async (t) => {
    const open = await startFor(t, "raw", { args: ["--admin", "0"] });
    const [, url] = await open.child.line(/admin on (http:\/\/127\.0\.0\.1:\d+)/);
    assert.equal((await http(`${url}/_hearth/agents`)).status, 200);
    assert.equal((await http(`${url}/_hearth/agents`, { headers: { Origin: "http://evil.example" } })).status, 403);
    assert.equal((await http(`${url}/_hearth/agents`, { headers: { Host: "evil.example" } })).status, 403);
    assert.equal((await http(`${open.url}/_hearth/agents`)).status, 404, "the agents' own port has no such route");
    assert.match(await command(["agents", "list", "--to", url]), /0 agents/);

    const guarded = await startFor(t, "raw", { args: ["--admin", "127.0.0.1:0"], env: { HEARTH_ADMIN_TOKEN: "a-secret" } });
    const [, address] = await guarded.child.line(/admin on (http:\/\/127\.0\.0\.1:\d+), with a token/);
    assert.equal((await http(`${address}/_hearth/agents`)).status, 401);
    assert.match(await command(["agents", "list", "--to", address], { code: 1 }), /asks for its admin token/);
    assert.match(await command(["agents", "list", "--to", address, "--token", "a-secret"]), /0 agents/);
  });

  test("says what is wrong: no server, no state, an open address without a token", async () => {
    const folder = temporaryFolder("hearth-test-");
    assert.match(await command(["agents", "list", "--state", folder], { code: 1 }), /holds no state of hearth's/);
    assert.match(await command(["agents", "list", "--to", "http://127.0.0.1:1"], { code: 1 }), /connecting to 127\.0\.0\.1 port 1/);
    const refused = await command(["serve", "-c", join(import.meta.dirname, "../projects/raw/wrangler.jsonc"), "--port", "0", "--state", folder, "--admin", "0.0.0.0:0"], { code: 1 });
    assert.match(refused, /could replace the code; give a token/);
  });
});
