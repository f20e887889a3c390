// What the handlers of a WebSocket are told of its end, and how long they may run: the same on workerd,
// but for what hearth keeps when a process dies.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Socket, http } from "../lib/clients.mjs";
import { until } from "../lib/process.mjs";
import { RawWebSocket, frame } from "../lib/raw-websocket.mjs";
import { hearthOnly, start, startFor } from "../lib/target.mjs";
import { upgrade } from "../lib/upgrade.mjs";

const kPatienceMs = 30_000;
const kLimitMs = 200;
const kVanished = "WebSocket disconnected without sending Close frame.";

let target;
before(async () => {
  target = await start("sockets", { expectErrors: [/R408|R413|host .* (ended|was killed|died)/i] });
});
after(() => target?.stop());

const notes = async (name) => (await http(`${target.url}/notes/${name}`)).json();
const noted = (name, count = 1) => until(async () => {
  const seen = await notes(name);
  return seen.notes.length >= count && seen.sockets === 0 ? seen.notes : undefined;
}, `the handlers of ${name} are told`, kPatienceMs);

/** Sends what no client may: a frame with a reserved opcode. */
async function breakProtocol(path) {
  const socket = await RawWebSocket.open(target.port, path);
  socket.raw.write(frame(3, "x"));
  await socket.raw.until(() => socket.raw.received.length >= 4, "the close frame");
  return socket.raw;
}

describe("a connection that ends", () => {
  test("without a close frame is a close with 1006, and no error", async () => {
    const socket = await Socket.connect(`${target.ws}/socket/gone`);
    socket.ws.terminate();
    assert.deepEqual(await noted("gone"), [["close", 1006, kVanished, false]]);
    const reset = await Socket.connect(`${target.ws}/socket/reset`);
    reset.ws._socket.resetAndDestroy();
    assert.deepEqual(await noted("reset"), [["close", 1006, kVanished, false]]);
  });

  test("by a fault of the protocol is an error, and no close; the client gets the code", async () => {
    const raw = await breakProtocol("/socket/fault");
    assert.equal(raw.received.readUInt16BE(2), 1002);
    const [note, ...more] = await noted("fault");
    assert.deepEqual(more, []);
    const [kind, isError, message, state, sockets] = note;
    assert.deepEqual([kind, isError, state, sockets], ["error", true, 2, 1]);
    assert.match(message, /^WebSocket protocol error; protocolError\.statusCode = 1002; protocolError\.description = ./);
    raw.destroy?.();
  });

  test("is an event for accept(): an error for a fault, a close for the rest", async () => {
    const raw = await breakProtocol("/socket/plain-fault?plain");
    const [[kind, isError, message], ...more] = await noted("plain-fault");
    assert.deepEqual([kind, isError, more], ["error event", true, []]);
    assert.match(message, /WebSocket protocol error; protocolError\.statusCode = 1002/);
    raw.destroy?.();
    const gone = await Socket.connect(`${target.ws}/socket/plain-gone?plain`);
    assert.equal(await gone.ask("x", kPatienceMs), "plain x");
    gone.ws.terminate();
    assert.deepEqual(await noted("plain-gone"), [["close event", 1006, kVanished, false]]);
  });
});

/** Until a handler that counts does not do so any more; what it has counted then. */
async function stopped(name) {
  let last = -1;
  let same = 0;
  await until(async () => {
    const { ticks } = await notes(name);
    same = ticks > 0 && ticks === last ? same + 1 : 0;
    last = ticks;
    await new Promise((resolve) => setTimeout(resolve, 40));
    return same >= 15;
  }, "the handler stops", kPatienceMs);
  return last;
}

// workerd alone cuts the handler off too, but leaves an object that has written in it answering no request.
describe("the event timeout", () => {
  test("cuts off a handler, and the socket goes on", hearthOnly, async () => {
    const socket = await Socket.connect(`${target.ws}/socket/limit`);
    assert.equal(await socket.ask(`limit ${kLimitMs}`, kPatienceMs), `limit: ${kLimitMs}`);
    socket.send("tick");
    assert.ok((await stopped("limit")) < 100, "it did not run to its end");
    assert.equal(await socket.ask("hi", kPatienceMs), `hi: ${kLimitMs}`);
    assert.equal((await notes("limit")).lives, 2);
    await until(() => /R408 Room\/limit: webSocketMessage took longer than the 200 ms/.test(target.output), "the log says so", kPatienceMs);
    await socket.close();
  });

  test("is none at first, and none again when it is cleared", async () => {
    const socket = await Socket.connect(`${target.ws}/socket/none`);
    assert.equal(await socket.ask("hi", kPatienceMs), "hi: null");
    assert.equal(await socket.ask(`limit ${kLimitMs}`, kPatienceMs), `limit: ${kLimitMs}`);
    assert.equal(await socket.ask("limit", kPatienceMs), "limit: null");
    assert.equal(await socket.ask("tick", kPatienceMs), "tick: null");
    await socket.close();
  });

  test("holds for the handler of a close, whose socket is gone afterwards", hearthOnly, async () => {
    const socket = await Socket.connect(`${target.ws}/socket/closing`);
    await socket.ask(`limit ${kLimitMs}`, kPatienceMs);
    socket.ws.close(4000, "tick");
    assert.ok((await stopped("closing")) < 100);
    const seen = await notes("closing");
    assert.deepEqual(seen.notes, [["close", 4000, "tick", true]]);
    assert.equal(seen.sockets, 0);
    socket.ws.terminate();
  });

  test("outlives the object's sleep", async () => {
    const socket = await Socket.connect(`${target.ws}/socket/sleep`);
    await socket.ask("limit 5000", kPatienceMs);
    assert.equal((await http(`${target.url}/evict/sleep`, { timeoutMs: kPatienceMs })).status, 200);
    assert.equal(await socket.ask("hi", kPatienceMs), "hi: 5000");
    await socket.close();
  });

  test("outlives an upgrade of hearth", hearthOnly, async (t) => {
    const own = await startFor(t, "sockets");
    const socket = await Socket.connect(`${own.ws}/socket/upgraded`);
    await socket.ask("limit 5000", kPatienceMs);
    const { code, output } = await upgrade(own);
    assert.equal(code, 0, output);
    assert.equal(await socket.ask("hi", kPatienceMs), "hi: 5000");
    await socket.close();
  });

  test("outlives the host's process", hearthOnly, async () => {
    const socket = await Socket.connect(`${target.ws}/socket/killed`);
    await socket.ask("limit 5000", kPatienceMs);
    for (const pid of target.hosts()) process.kill(pid, "SIGKILL");
    assert.equal(await socket.ask("hi", kPatienceMs), "hi: 5000");
    assert.equal((await notes("killed")).lives, 2);
    await socket.close();
  });
});
