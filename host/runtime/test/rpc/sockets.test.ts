// A Response's socket whose other end lives on another host: frames, closes, order, bounds, and what
// each side sees when the other host, or the agent, is gone. The core is not here: what it would get
// is seen in `connections`.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DurableObject } from "../../src/modules/workers.ts";
import { MAX_WAITING_BYTES, SOCKET_WINDOW_BYTES } from "../../src/rpc/peer_sockets.ts";
import { isAccepted, type LocalHandler, markHibernatable, type WebSocket, WebSocketPair } from "../../src/web/websocket.ts";
import { type FakeAgent, makeWorld, type World } from "./harness.ts";

/** The agents' ends, and what their listeners or handlers saw. */
let ends: WebSocket[] = [];
let seen: unknown[] = [];
/** When set, a hibernatable end's handler takes each message only when this has resolved. */
let hold: Promise<void> | null = null;

const handlerOf = (end: () => WebSocket): LocalHandler => ({
  message: (data) => {
    seen.push(data);
    if (data === "echo") end().send("echoed");
    return hold ?? undefined;
  },
  close: (code, reason, clean) => void seen.push({ code, reason, clean }),
});

class Far extends DurableObject {
  fetch(request: Request): Response {
    const [client, server] = new WebSocketPair() as unknown as [WebSocket, WebSocket];
    ends.push(server);
    if (request.url.includes("hibernatable")) {
      markHibernatable(server, handlerOf(() => server));
    } else {
      server.accept();
      server.addEventListener("message", (event) => {
        const { data } = event as globalThis.MessageEvent;
        seen.push(data);
        server.send(data);
      });
      server.addEventListener("close", (event) => {
        const { code, reason, wasClean } = event as globalThis.CloseEvent;
        seen.push({ code, reason, clean: wasClean });
      });
    }
    server.send("hello");
    return new Response(null, { status: 101, webSocket: client } as never);
  }
}

/** In front of it, on a third host. */
class Middle extends DurableObject<{ Far: unknown }> {
  fetch(request: Request): Promise<Response> {
    return (exported["Far"] as { getByName(name: string): Fetcher }).getByName("far").fetch(request.url);
  }
}
let exported: Record<string, unknown> = {};
interface Fetcher { fetch(url: string): Promise<Response> }

function world(): World {
  ends = [];
  seen = [];
  hold = null;
  const made = makeWorld({
    classes: { Far: Far as never, Middle: Middle as never }, hosts: 3, place: (name) => (name === "far" ? 1 : 2),
  });
  exported = made.hosts[2]!.exports;
  return made;
}

async function connect(made: World, kind: "events" | "hibernatable", through = "Far"): Promise<WebSocket> {
  const namespace = made.hosts[0]!.namespace(through) as { getByName(name: string): Fetcher };
  const response = await namespace.getByName(through === "Far" ? "far" : "middle").fetch(`http://far/${kind}`);
  assert.equal(response.status, 101);
  return (response as unknown as { webSocket: WebSocket }).webSocket;
}

/** Accepts it and records what comes. */
function record(socket: WebSocket): unknown[] {
  const got: unknown[] = [];
  socket.accept();
  socket.addEventListener("message", (event) => got.push((event as globalThis.MessageEvent).data));
  socket.addEventListener("error", (event) => got.push(`error: ${(event as ErrorEvent).message}`));
  socket.addEventListener("close", (event) => {
    const { code, reason, wasClean } = event as globalThis.CloseEvent;
    got.push({ code, reason, clean: wasClean });
  });
  return got;
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000 && !condition(); turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(condition(), "it did not come about within two seconds");
}
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));
const agentOf = (made: World): FakeAgent => [...made.hosts[1]!.agents.values()][0]!;
const lost = "Network connection lost.";

describe("a socket between two hosts", () => {
  for (const kind of ["events", "hibernatable"] as const) {
    it(`carries text and binary frames, in order (the agent's end: ${kind})`, async () => {
      const socket = await connect(world(), kind);
      const got = record(socket);
      for (let i = 0; i < 200; i++) socket.send(`${i}`);
      socket.send(new Uint8Array([1, 2, 3]).subarray(1));
      await until(() => seen.length === 201);
      assert.deepEqual(seen.slice(0, 200), Array.from({ length: 200 }, (_, i) => `${i}`));
      assert.deepEqual(new Uint8Array(seen[200] as ArrayBuffer), new Uint8Array([2, 3]));
      assert.equal(got[0], "hello", "what was sent before anyone accepted is there");
      if (kind === "events") {
        await until(() => got.length === 202);
        assert.deepEqual(got.slice(1, 201), seen.slice(0, 200));
      }
    });

    it(`is closed by who asked, with a code and a reason (the agent's end: ${kind})`, async () => {
      const socket = await connect(world(), kind);
      const got = record(socket);
      socket.send("last");
      socket.close(4001, "enough");
      await until(() => seen.length === 2);
      assert.deepEqual(seen, ["last", { code: 4001, reason: "enough", clean: true }]);
      if (kind === "hibernatable") ends[0]!.close(4001, "enough");
      await until(() => got.some((event) => typeof event === "object"));
      assert.deepEqual(got.at(-1), { code: 4001, reason: "enough", clean: true });
      assert.equal(socket.readyState, 3);
      assert.equal(ends[0]!.readyState, 3);
    });

    it(`is closed by the agent (its end: ${kind})`, async () => {
      const socket = await connect(world(), kind);
      const got = record(socket);
      ends[0]!.send("last");
      ends[0]!.close(4002, "go away");
      await until(() => seen.length === 1);
      assert.deepEqual(got, ["hello", "last", { code: 4002, reason: "go away", clean: true }]);
      assert.deepEqual(seen, [{ code: 4002, reason: "go away", clean: true }]);
    });

    it(`ends with 1006 when the agent's host is gone, and when the other is (its end: ${kind})`, async () => {
      const made = world();
      const got = record(await connect(made, kind));
      await until(() => got.length === 1);
      made.kill(1);
      assert.deepEqual(got, ["hello", `error: ${lost}`, { code: 1006, reason: lost, clean: false }]);

      const second = world();
      const socket = await connect(second, kind);
      record(socket);
      await settle();
      second.kill(0);
      await until(() => seen.length === 1);
      assert.deepEqual(seen, [{ code: 1006, reason: lost, clean: false }]);
    });
  }

  it("goes to the core, with what was sent on it, if it is handed on to a client", async () => {
    const made = world();
    const socket = await connect(made, "events");
    const connection = await made.hosts[0]!.connectionOf(socket);
    const given = made.hosts[1]!.connections.get(connection) as WebSocket;
    assert.ok(given !== undefined, "the host that has the end gave it");
    assert.equal(isAccepted(given), false);
    assert.equal(agentOf(made).holds, 0);
    await assert.rejects(async () => made.hosts[0]!.connectionOf(socket), { message: lost });
  });

  it("passes through a host in between, to code and to the core", async () => {
    const made = world();
    const socket = await connect(made, "events", "Middle");
    const got = record(socket);
    socket.send("far away");
    await until(() => got.length === 2);
    assert.deepEqual(got, ["hello", "far away"]);
    socket.close(4003, "bye");
    await until(() => got.length === 3);
    assert.deepEqual(seen, ["far away", { code: 4003, reason: "bye", clean: true }]);

    const handedOn = await connect(made, "events", "Middle");
    const connection = await made.hosts[0]!.connectionOf(handedOn);
    assert.ok(made.hosts[1]!.connections.has(connection));
  });

  it("through a host in between, it ends with 1006 when the far host is gone", async () => {
    const made = world();
    const got = record(await connect(made, "events", "Middle"));
    await until(() => got.length === 1);
    made.kill(1);
    await until(() => got.length === 3);
    assert.deepEqual(got[2], { code: 1006, reason: lost, clean: false });
  });

  it("has at most its window on the way to a handler that takes nothing, and loses no frame", async () => {
    const made = world();
    const socket = await connect(made, "hibernatable");
    record(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    hold = promise;
    const frame = "x".repeat(64 * 1024);
    const count = 100;
    for (let i = 0; i < count; i++) socket.send(frame);
    await settle();
    const arrived = seen.length;
    assert.ok(arrived * frame.length <= SOCKET_WINDOW_BYTES + frame.length, `${arrived} frames`);
    resolve();
    await until(() => seen.length === count);
  });

  it("refuses to keep more than its bound", async () => {
    const made = world();
    const socket = await connect(made, "hibernatable");
    record(socket);
    hold = new Promise(() => {});
    const frame = new ArrayBuffer(8 * 1024 * 1024);
    assert.throws(() => {
      for (let i = 0; i * frame.byteLength <= MAX_WAITING_BYTES + 2 * frame.byteLength; i++) socket.send(frame);
    }, /has not taken \d+ bytes/);
    await until(() => seen.length === 1);
    made.kill(0);
    made.kill(1);
  });

  it("keeps an agent resident that accepted it for its life, until it is closed", async () => {
    const made = world();
    const socket = await connect(made, "events");
    record(socket);
    await settle();
    assert.equal(agentOf(made).holds, 1);
    socket.close(1000);
    await until(() => seen.length === 1);
    await settle();
    assert.equal(agentOf(made).holds, 0);
  });

  it("is closed with 1011 when that agent is reset", async () => {
    const made = world();
    const got = record(await connect(made, "events"));
    await until(() => got.length === 1);
    agentOf(made).abort("for a test");
    await until(() => got.length === 2);
    assert.deepEqual(got[1], { code: 1011, reason: "The Durable Object was reset.", clean: true });
  });

  it("cannot hibernate where it stands for another host's", async () => {
    const socket = await connect(world(), "events");
    socket.accept();
    assert.throws(() => markHibernatable(socket), /cannot hibernate/);
  });
});
