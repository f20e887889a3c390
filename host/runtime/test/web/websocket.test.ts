// Pairs, ends of the core's connections, attachments: what code and the dispatcher rely on.
import { test } from "node:test";
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { deserialize } from "node:v8";
import { setHooks } from "../../src/web/hooks.ts";
import { Response } from "../../src/web/response.ts";
import {
  WebSocket, WebSocketPair, WebSocketRequestResponsePair, attachTransport, attachmentBytes, autoResponseAt, breakSocket,
  deliverClose, deliverMessage, isAccepted, isHibernatable, isWebSocket, makeSocket, markHibernatable, serverEnd, setAutoResponseAt,
  type Transport,
} from "../../src/web/websocket.ts";
import { settle, turn } from "./support.ts";

class Recorder implements Transport {
  readonly log: unknown[] = [];
  send(data: string | ArrayBuffer | Uint8Array): void { this.log.push(typeof data === "string" ? data : [...new Uint8Array(data as ArrayBuffer)]); }
  close(code: number, reason: string): void { this.log.push({ code, reason }); }
  attach(attachment: Uint8Array | null): void { this.log.push({ attachment: attachment === null ? null : deserialize(attachment) }); }
}
function record(socket: WebSocket): unknown[] {
  const log: unknown[] = [];
  socket.addEventListener("message", (event) => {
    const { data } = event as MessageEvent;
    log.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
  });
  socket.addEventListener("close", (event) => {
    const { code, reason, wasClean } = event as CloseEvent;
    log.push({ code, reason, wasClean, state: socket.readyState });
  });
  return log;
}
const typeError = (message: string) => ({ name: "TypeError", message });

test("a pair has keys 0 and 1, iterates, and gives the same extensible objects", () => {
  const pair = new WebSocketPair();
  assert.deepEqual(Object.keys(pair), ["0", "1"]);
  const [first, second] = pair;
  assert.ok(first === pair[0] && second === pair[1] && Object.values(pair)[0] === first);
  assert.ok(Object.isExtensible(first) && first instanceof WebSocket && isWebSocket(first));
  assert.deepEqual(Object.keys(first!), []);
  assert.deepEqual([first!.readyState, first!.url, first!.protocol, first!.extensions, first!.binaryType], [1, null, "", "", "arraybuffer"]);
});
test("both families of constants are on the class and on its instances", () => {
  const [socket] = new WebSocketPair();
  for (const place of [WebSocket, WebSocket.prototype, socket!]) {
    assert.deepEqual([place.CONNECTING, place.OPEN, place.CLOSING, place.CLOSED], [0, 1, 2, 3]);
    assert.deepEqual([place.READY_STATE_CONNECTING, place.READY_STATE_OPEN, place.READY_STATE_CLOSING, place.READY_STATE_CLOSED], [0, 1, 2, 3]);
  }
});
test("messages cross a pair in order, as text and as bytes of their own", async () => {
  const [a, b] = new WebSocketPair();
  a!.accept();
  const bytes = new Uint8Array([1, 2, 3]);
  a!.send("early");
  a!.send(bytes.subarray(1));
  bytes[1] = 9;
  await settle();
  b!.accept();
  const log = record(b!);
  a!.send("late");
  await settle();
  assert.deepEqual(log, ["early", [2, 3], "late"]);
});
test("sending and closing need an accepted end", () => {
  const [socket] = new WebSocketPair();
  const expected = typeError("You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.");
  assert.throws(() => socket!.send("x"), expected);
  assert.throws(() => socket!.close(1000), expected);
});
test("after close() nothing can be sent, and closing again does nothing", () => {
  const [socket] = new WebSocketPair();
  socket!.accept();
  socket!.close(1000, "done");
  assert.equal(socket!.readyState, WebSocket.CLOSING);
  assert.throws(() => socket!.send("x"), typeError("Can't call WebSocket send() after close()."));
  socket!.close();
});
test("close codes are checked", () => {
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 5000]) {
    const [socket] = new WebSocketPair();
    socket!.accept();
    assert.throws(() => socket!.close(code), { name: "InvalidAccessError", message: `Invalid WebSocket close code: ${code}.` });
    assert.equal(socket!.readyState, WebSocket.OPEN);
  }
  const [socket] = new WebSocketPair();
  socket!.accept();
  assert.throws(() => socket!.close(undefined, "x"), { name: "InvalidAccessError", message: "If you specify a WebSocket close reason, you must also specify a code." });
});
test("a reason is cut to 123 bytes, between characters", () => {
  const transport = new Recorder();
  const socket = makeSocket({ url: null, protocol: "", attachment: null, transport });
  socket.close(1011, "é".repeat(100));
  assert.deepEqual(transport.log, [{ code: 1011, reason: "é".repeat(61) }]);
});
test("a close reaches the other end, which may answer it with its own", async () => {
  const [a, b] = new WebSocketPair();
  a!.accept();
  b!.accept();
  const left = record(a!);
  const right = record(b!);
  b!.addEventListener("close", () => b!.close(1000, "reply"));
  a!.close(1001, "going");
  await settle();
  assert.deepEqual(right, [{ code: 1001, reason: "going", wasClean: true, state: WebSocket.CLOSING }]);
  assert.deepEqual(left, [{ code: 1000, reason: "reply", wasClean: true, state: WebSocket.CLOSED }]);
  assert.deepEqual([a!.readyState, b!.readyState], [3, 3]);
});
test("a close that is not answered is answered for the end, and a close without a code is 1005", async () => {
  const [a, b] = new WebSocketPair();
  a!.accept();
  b!.accept();
  const right = record(b!);
  a!.close();
  await settle();
  assert.deepEqual(right, [{ code: 1005, reason: "", wasClean: true, state: WebSocket.CLOSING }]);
  assert.deepEqual([a!.readyState, b!.readyState], [3, 3]);
  b!.send("into the void");
});
test("onmessage is a listener that can be replaced", async () => {
  const [a, b] = new WebSocketPair();
  a!.accept();
  b!.accept();
  const log: string[] = [];
  b!.onmessage = (event) => log.push(`1 ${event.data}`);
  b!.onmessage = (event) => log.push(`2 ${event.data}`);
  a!.send("x");
  await settle();
  b!.onmessage = null;
  a!.send("y");
  await settle();
  assert.deepEqual(log, ["2 x"]);
  assert.equal(b!.onmessage, null);
});
test("events run in the context in which the end was accepted", async () => {
  const context = new AsyncLocalStorage<string>();
  const [a, b] = new WebSocketPair();
  let seen: string | undefined;
  context.run("receiver", () => {
    b!.accept();
    b!.addEventListener("message", () => { seen = context.getStore(); });
  });
  a!.accept();
  context.run("sender", () => a!.send("x"));
  await settle();
  assert.equal(seen, "receiver");
});
test("what an end that nobody accepts is sent is bounded", () => {
  const [a] = new WebSocketPair();
  a!.accept();
  const chunk = new ArrayBuffer(16 * 1024 * 1024);
  for (let i = 0; i < 4; i++) a!.send(chunk);
  assert.throws(() => a!.send("one more"), /has not taken 67108864 bytes/);
});

test("two ends that answer each other without end leave the rest of the host its turns", async () => {
  const [a, b] = new WebSocketPair();
  let rounds = 0;
  for (const end of [a!, b!]) {
    end.accept();
    end.addEventListener("message", (event) => {
      rounds += 1;
      if (end.readyState === WebSocket.OPEN) end.send((event as MessageEvent).data);
    });
  }
  a!.send("ball");
  for (let i = 0; i < 10; i++) await turn();
  a!.close();
  assert.ok(rounds >= 3 && rounds <= 20, `${rounds} rounds`);
});

// ---- attachments --------------------------------------------------------------------------------------

test("an attachment is a fresh copy at each reading", () => {
  const [socket] = new WebSocketPair();
  assert.equal(socket!.deserializeAttachment(), null);
  const given = { __pk: { id: "a", tags: ["x"] }, __user: { n: 1, u: undefined } };
  socket!.serializeAttachment(given);
  given.__pk.id = "changed";
  const first = socket!.deserializeAttachment();
  first.__user.n = 2;
  assert.deepEqual(socket!.deserializeAttachment(), { __pk: { id: "a", tags: ["x"] }, __user: { n: 1, u: undefined } });
  socket!.serializeAttachment(undefined);
  assert.equal(socket!.deserializeAttachment(), null);
});
test("attachments are structured clones: Map, Date, cycles and the same object twice", () => {
  const [socket] = new WebSocketPair();
  const inner = { a: 1 };
  const value: Record<string, unknown> = { map: new Map([[1, new Date(5)]]), twice: [inner, inner], bytes: new Uint8Array([1]) };
  value["self"] = value;
  socket!.serializeAttachment(value);
  const read = socket!.deserializeAttachment();
  assert.deepEqual(read.map, new Map([[1, new Date(5)]]));
  assert.ok(read.self === read && read.twice[0] === read.twice[1] && read !== value);
  assert.deepEqual([...read.bytes], [1]);
});
test("what cannot be cloned or is too large is refused, and the old attachment stays", () => {
  const [socket] = new WebSocketPair();
  socket!.serializeAttachment("old");
  assert.throws(() => socket!.serializeAttachment(() => 1), { name: "DataCloneError" });
  assert.throws(() => socket!.serializeAttachment("x".repeat(16384)), /cannot be larger than 16384 bytes/);
  assert.equal(socket!.deserializeAttachment(), "old");
});
test("the SDK's way of asking works on any socket and throws for what is none", () => {
  const [socket] = new WebSocketPair();
  WebSocket.prototype.serializeAttachment.call(socket!, { a: 1 });
  assert.deepEqual(WebSocket.prototype.deserializeAttachment.call(socket!), { a: 1 });
  assert.throws(() => WebSocket.prototype.serializeAttachment.call({} as never, 1), { name: "TypeError" });
});

// ---- the dispatcher's ends ------------------------------------------------------------------------------

test("what was sent before the core has the socket goes out then, in order, with what follows", () => {
  const [client, server] = new WebSocketPair();
  markHibernatable(server!);
  server!.send("before");
  server!.send(new Uint8Array([7]));
  const end = serverEnd(new Response(null, { status: 101, webSocket: client! }).webSocket!);
  assert.equal(end, server);
  const transport = new Recorder();
  attachTransport(end, transport);
  server!.send("after");
  server!.serializeAttachment({ a: 1 });
  server!.close(1000, "bye");
  assert.deepEqual(transport.log, ["before", [7], "after", { attachment: { a: 1 } }, { code: 1000, reason: "bye" }]);
});
test("an end can be closed before the core has it", () => {
  const [client, server] = new WebSocketPair();
  server!.accept();
  server!.send("sorry");
  server!.close(1008, "no");
  const transport = new Recorder();
  attachTransport(serverEnd(client!), transport);
  assert.deepEqual(transport.log, ["sorry", { code: 1008, reason: "no" }]);
});
test("a rebuilt socket is open, knows its attachment, and tells of changes", () => {
  const [origin] = new WebSocketPair();
  origin!.serializeAttachment({ n: 1, list: [1, 2] });
  const transport = new Recorder();
  const socket = makeSocket({ url: "http://h/x", protocol: "p", attachment: attachmentBytes(origin!), transport, autoResponseAtMs: 5 });
  assert.deepEqual([socket.readyState, socket.url, socket.protocol, autoResponseAt(socket)], [1, "http://h/x", "p", 5]);
  assert.ok(isAccepted(socket) && isHibernatable(socket));
  assert.deepEqual([socket.deserializeAttachment(), socket.deserializeAttachment()], [{ n: 1, list: [1, 2] }, { n: 1, list: [1, 2] }]);
  socket.send("x");
  setAutoResponseAt(socket, 7);
  assert.equal(autoResponseAt(socket), 7);
  assert.deepEqual(transport.log, ["x"]);
});
test("messages for an accepted end are events, also those that came before accept()", async () => {
  const [client, server] = new WebSocketPair();
  attachTransport(serverEnd(client!), new Recorder());
  deliverMessage(server!, "first");
  await settle();
  server!.accept();
  const log = record(server!);
  deliverMessage(server!, new Uint8Array([5]).buffer);
  deliverClose(server!, 1001, "left", true);
  await settle();
  assert.deepEqual(log, ["first", [5], { code: 1001, reason: "left", wasClean: true, state: WebSocket.CLOSING }]);
  assert.equal(server!.readyState, WebSocket.CLOSED);
});
test("a client that floods an end which nobody accepts is closed, and that is reported", () => {
  const [client, server] = new WebSocketPair();
  const transport = new Recorder();
  attachTransport(serverEnd(client!), transport);
  const reported: unknown[] = [];
  setHooks({ reportError: (error) => reported.push(error) });
  const chunk = new ArrayBuffer(16 * 1024 * 1024);
  for (let i = 0; i < 6; i++) deliverMessage(server!, chunk);
  assert.deepEqual(transport.log, [{ code: 1011, reason: "The server does not take messages" }]);
  assert.equal(reported.length, 1);
});
test("a hibernatable socket whose client is gone takes sends and closes in silence", () => {
  const transport = new Recorder();
  const socket = makeSocket({ url: null, protocol: "", attachment: null, transport });
  deliverClose(socket, 1006, "", false);
  assert.notEqual(socket.readyState, WebSocket.OPEN);
  socket.send("x");
  socket.close(1000, "ok");
  assert.equal(socket.readyState, WebSocket.CLOSED);
  assert.deepEqual(transport.log, []);
});
test("a broken socket does nothing any more", () => {
  const transport = new Recorder();
  const socket = makeSocket({ url: null, protocol: "", attachment: null, transport });
  breakSocket(socket);
  socket.send("x");
  assert.notEqual(socket.readyState, WebSocket.OPEN);
  assert.deepEqual(transport.log, []);
});
test("an end handed on in a response is no longer the code's", () => {
  const [client] = new WebSocketPair();
  serverEnd(client!);
  assert.throws(() => client!.accept(), typeError("Can't accept() WebSocket that was already used in a response."));
  assert.throws(() => serverEnd(client!), typeError("Can't return WebSocket that was already used in a response."));
  const [accepted] = new WebSocketPair();
  accepted!.accept();
  assert.throws(() => serverEnd(accepted!), typeError("Can't return WebSocket in a Response after calling accept()."));
});
test("accept() and acceptWebSocket() exclude each other", () => {
  const [a, b] = new WebSocketPair();
  markHibernatable(a!);
  assert.throws(() => a!.accept(), typeError("Can't accept() WebSocket after enabling hibernation."));
  b!.accept();
  assert.throws(() => markHibernatable(b!), /already accepted/);
});
test("a hibernatable end whose other end this process holds gives its frames to the local handler", async () => {
  const [client, server] = new WebSocketPair();
  const log: unknown[] = [];
  client!.accept();
  client!.send("before");
  markHibernatable(server!, { message: (data) => void log.push(data), close: (code, reason) => log.push({ code, reason }) });
  const events = record(client!);
  client!.send("after");
  server!.send("answer");
  await settle();
  client!.close(1000, "done");
  await settle();
  assert.deepEqual(log, ["before", "after", { code: 1000, reason: "done" }]);
  assert.deepEqual(events, ["answer"]);
});
test("what an agent sends inside the process waits at its output gate, in order", async () => {
  const [a, b] = new WebSocketPair();
  a!.accept();
  b!.accept();
  const log = record(b!);
  let open!: () => void;
  const gate = new Promise<void>((resolve) => { open = resolve; });
  setHooks({ outputGate: () => gate });
  a!.send("gated");
  setHooks({ outputGate: () => null });
  a!.send("behind it");
  await settle();
  assert.deepEqual(log, []);
  open();
  await settle();
  assert.deepEqual(log, ["gated", "behind it"]);
});
test("a pair of request and response needs both", () => {
  const pair = new WebSocketRequestResponsePair("ping", "pong");
  assert.deepEqual([pair.request, pair.response], ["ping", "pong"]);
  assert.throws(() => new (WebSocketRequestResponsePair as never as new (a: string) => unknown)("a"), { name: "TypeError" });
});
