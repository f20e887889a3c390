// What became of an agent: told by a running server, by the disk of a stopped one, and after a kill.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { http, Socket } from "../lib/clients.mjs";
import { command } from "../lib/command.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, startFor } from "../lib/target.mjs";
import { upgrade } from "../lib/upgrade.mjs";

const suite = { skip: onHearth ? false : "hearth's own ledger", concurrency: 1 };
const kHostDied = /host|SIGKILL|died|killed|R407|R409|R413|R414|on purpose/i;
const why = (target, agent, ...args) => command(["agents", "why", agent, "--state", target.state, ...args]);

describe("hearth agents why", suite, () => {
  test("tells why an agent woke, what its sockets met, its error, its alarm, and its reset", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const socket = await Socket.connect(`${target.ws}/room/lobby?user=secret`);
    assert.match(await socket.ask("throw"), /R407/);
    await target.child.line(/failed on purpose/);
    process.kill(Number(await socket.ask("pid")), "SIGKILL");
    assert.equal(await socket.ask("back", 10_000), "back");
    await socket.close();
    await http(`${target.url}/store/one/alarm-set?in=3600000`);

    const told = await until(async () => {
      const text = await why(target, "lobby");
      return /closed with/.test(text) && text;
    }, "the close in the ledger");
    assert.match(told, /^Room\/lobby {2}[0-9a-f]{64}\n {2}now +host \d+, version 1/);
    assert.match(told, /last error +\S+Z {2}R407 .*failed on purpose.*server\.ts:\d+/);
    const expected = [
      /Z {2}woke on host \d+ for /, /Z {2}socket [0-9a-f]+ opened at \/room\/lobby$/m, /R407 .*failed on purpose/,
      /was reset: host \d+ ended: signal 9 \(SIGKILL\)/, /woke on host \d+ for .*, version 1/, /socket [0-9a-f]+ closed with 1000 by the client/,
    ];
    let rest = told.slice(told.indexOf("\n\n"));
    for (const pattern of expected) {
      const at = rest.search(pattern);
      assert.ok(at >= 0, `${pattern} in its place in\n${told}`);
      rest = rest.slice(at + 1);
    }
    assert.doesNotMatch(told, /secret/, "a query may hold secrets");
    assert.match(await why(target, "Store/one"), /next alarm +\d{4}-[\s\S]*set its alarm for \d{4}-/);
    assert.match(await command(["agents", "why", "nobody", "--state", target.state], { code: 1 }), /no agent is called nobody/);

    const json = JSON.parse(await why(target, "lobby", "--json"));
    assert.equal(json.entries.at(-1).kind, "socket-closed");
    assert.equal(json.entries.at(-1).code, 1000);

    // What was noted half a second before a kill -9 is kept, and the disk tells it.
    await target.kill();
    assert.match(await why(target, "lobby"), /now +asleep[\s\S]*was reset[\s\S]*closed with 1000 by the client/);
    await target.restart();
    await http(`${target.url}/room/lobby`);
    const again = await why(target, "lobby");
    assert.match(again, /closed with 1000[\s\S]*woke on host 1 for/);
  });

  test("still tells, after an upgrade, what was before it, and that the agent moved", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const socket = await Socket.connect(`${target.ws}/room/moves?user=u`);
    process.kill(Number(await socket.ask("pid")), "SIGKILL");
    assert.equal(await socket.ask("back", 30_000), "back");
    const { code, output } = await upgrade(target);
    assert.equal(code, 0, output);
    assert.equal(await socket.ask("there", 30_000), "there");
    await socket.close();
    const told = await until(async () => {
      const text = await why(target, "moves");
      return /closed with/.test(text) && text;
    }, "the close in the ledger", 30_000);
    const inOrder = [
      /socket ([0-9a-f]+) opened at \/room\/moves$/m, /was reset: host \d+ ended: signal 9/, /woke on host \d+/,
      /left host \d+: /, /woke on host \d+ for a WebSocket message/, /socket [0-9a-f]+ closed with 1000 by the client/,
    ];
    let rest = told;
    for (const pattern of inOrder) {
      const at = rest.search(pattern);
      assert.ok(at >= 0, `${pattern} in its place in\n${told}`);
      rest = rest.slice(at + 1);
    }
    const [, opened] = inOrder[0].exec(told);
    assert.match(told, new RegExp(`socket ${opened} closed`), "the same socket before and after");
  });

  test("release frees a quarantined agent, and its clients are served again", async (t) => {
    const target = await startFor(t, "raw", { expectErrors: [kHostDied] });
    const bad = await Socket.connect(`${target.ws}/room/bad?user=u`);
    assert.match(await command(["agents", "release", "bad", "--state", target.state], { code: 1 }), /not quarantined/);
    for (let i = 0; i < 3; i++) {
      bad.send("die");
      await until(() => (target.output.match(/host \d+ died/g) ?? []).length > i, "the host's end");
      await until(async () => (await http(`${target.url}/room/good`)).status === 200, "the next host");
    }
    assert.equal((await bad.closed).code, 4503);
    const refused = (await http(`${target.url}/room/bad`)).json();
    assert.equal(refused.error.code, "R414");
    assert.match(await command(["explain", "R414"]), /hearth agents release/);
    assert.match(await command(["agents", "list", "--state", target.state]), /Room +bad +quarantined/);
    assert.match(await why(target, "bad"), /was quarantined: Room\/bad is quarantined/);

    assert.match(await command(["agents", "release", "bad", "--state", target.state]), /Room\/bad may run again/);
    const socket = await Socket.connect(`${target.ws}/room/bad?user=u`);
    assert.equal(await socket.ask("here"), "here");
    await socket.close();
    assert.match(await why(target, "bad"), /was released from quarantine/);
    assert.match(target.output, /Room\/bad was released from quarantine/);
  });
});
