import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HostCore } from './host_core.mjs';

const kEcho = `
export class Echo extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.born = ctx.getWebSockets().length;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }
  fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/born") return new Response(String(this.born));
    if (url.pathname === "/tags") return Response.json(this.ctx.getWebSockets().map((ws) => this.ctx.getTags(ws)));
    if (url.pathname === "/cast") {
      for (const ws of this.ctx.getWebSockets(url.searchParams.get("tag") ?? undefined)) ws.send("all");
      return new Response("cast");
    }
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server, url.searchParams.getAll("tag"));
    server.serializeAttachment({ hello: url.pathname });
    server.send("welcome");
    return new Response(null, { status: 101, webSocket: client, headers: { "X-Who": "echo" } });
  }
  webSocketMessage(ws, data) {
    if (data === "same") return void ws.send(String(this.last === ws));
    this.last = ws;
    if (data === "attachment") return void ws.send(JSON.stringify(ws.deserializeAttachment()));
    if (data === "throw") throw new Error("as asked");
    if (data === "reject") return Promise.reject(new Error("later"));
    if (data === "abort") this.ctx.abort("enough");
    if (data === "close") return ws.close(4001, "bye");
    ws.send(data);
  }
  async webSocketClose(ws, code, reason, clean) {
    await 0;
    for (const other of this.ctx.getWebSockets()) if (other !== ws) other.send(JSON.stringify({ code, reason, clean }));
  }
}
export class Plain extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.addEventListener("message", (event) => server.send("heard " + event.data));
    server.addEventListener("close", (event) => { this.closed = event.code; });
    return new Response(null, { status: 101, webSocket: client });
  }
  wasClosed() { return this.closed; }
}
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.pathname === "/worker") {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      server.addEventListener("message", (event) => server.send(event.data + "!"));
      return new Response(null, { status: 101, webSocket: client });
    }
    if (url.pathname === "/plain") {
      const answer = await env.Plain.getByName("p").fetch(request);
      return new Response(null, { status: 101, webSocket: answer.webSocket });
    }
    if (url.pathname === "/closed") return new Response(String(await env.Plain.getByName("p").wasClosed()));
    if (url.pathname === "/inside") {
      const { webSocket } = await env.Echo.getByName("e").fetch("http://x/in", { headers: { Upgrade: "websocket" } });
      webSocket.accept();
      const heard = [];
      const done = new Promise((resolve) => webSocket.addEventListener("message", (event) => {
        heard.push(event.data);
        if (heard.length === 3) resolve();
      }));
      webSocket.send("one");
      webSocket.send("two");
      await done;
      return Response.json(heard);
    }
    return env.Echo.getByName("e").fetch(request);
  },
};
`;
const kClasses = ['Echo', 'Plain'];

async function started(t, options) {
  const host = await HostCore.start(kEcho, { classes: kClasses, ...options });
  t.after(() => host.stop());
  return host;
}

test('an upgrade is answered with what was sent before it, and messages are echoed in order', async (t) => {
  const host = await started(t);
  const connection = await host.connect('/a');
  assert.deepEqual(await host.received(connection), ['welcome']);
  const slots = ['x', 'é', 'y'].map((text) => host.message(connection, text));
  host.message(connection, Buffer.from([1, 2, 3]));
  const [x, e, y, bytes] = await host.received(connection, 4);
  assert.deepEqual([x, e, y], ['x', 'é', 'y']);
  assert.deepEqual(Buffer.from(bytes), Buffer.from([1, 2, 3]));
  for (const slot of slots) assert.equal(host.core.progress(slot), 3);
  const upgrade = host.frames.find(({ type }) => type === 'RespondUpgrade');
  assert.match(upgrade.headers, /x-who\0echo\0/i);
});

test('the same text to many sockets crosses once', async (t) => {
  const host = await started(t);
  const all = [];
  for (let i = 0; i < 5; i++) all.push(await host.connect(`/s?tag=${i % 2 ? 'odd' : 'even'}`));
  for (const connection of all) await host.received(connection);
  await host.text('/cast');
  for (const connection of all) assert.deepEqual(await host.received(connection), ['all']);
  assert.equal(host.frames.filter(({ type }) => type === 'SendMany').length, 1);
  await host.text('/cast?tag=odd');
  assert.deepEqual(all.map((connection) => host.sockets.get(connection).sent.length), [0, 1, 0, 1, 0]);
});

test('an agent sleeps when idle, and wakes with its sockets, tags and attachments', async (t) => {
  const host = await started(t, { idleTimeoutMs: 250 });
  const connection = await host.connect('/deep?tag=a&tag=b');
  await host.received(connection);
  const [id] = [...host.agents.keys()];
  await host.until(() => !host.agents.get(id).awake);
  assert.equal(await host.text('/born'), '1');
  assert.deepEqual(JSON.parse(await host.text('/tags')), [['a', 'b']]);
  await host.until(() => !host.agents.get(id).awake);
  host.message(connection, 'attachment');
  host.message(connection, 'same');
  assert.deepEqual(await host.received(connection, 2), ['{"hello":"/deep"}', 'true']);
  assert.deepEqual(host.agents.get(id).auto, { request: 'ping', response: 'pong' });
});

test('a handler that throws leaves the socket open, and the client is told where', async (t) => {
  const host = await started(t);
  const connection = await host.connect('/a');
  await host.received(connection);
  const slots = [host.message(connection, 'throw'), host.message(connection, 'reject'), host.message(connection, 'on')];
  const [thrown, rejected, on] = (await host.received(connection, 3)).sort().reverse();
  assert.equal(JSON.parse(thrown).code, 'R407');
  assert.match(thrown, /index\.mjs:\d+:\d+/);
  assert.match(rejected, /as asked|later/);
  assert.equal(on, 'on');
  await host.until(() => slots.every((slot) => host.core.progress(slot) === 3));
  const logged = host.logs.map(({ message }) => message).sort();
  assert.deepEqual(logged, ['as asked', 'later']);
  assert.equal(host.logs[0].agent, 'e');
});

test('ctx.abort() ends the agent and neither the host nor its sockets', async (t) => {
  const host = await started(t);
  const connection = await host.connect('/a');
  await host.received(connection);
  host.message(connection, 'attachment');
  host.message(connection, 'abort');
  host.message(connection, 'same');
  host.message(connection, 'attachment');
  assert.deepEqual(await host.received(connection, 3), ['{"hello":"/a"}', 'false', '{"hello":"/a"}']);
  assert.deepEqual(host.logs, []);
});

test('a close runs webSocketClose, and the socket is no longer listed', async (t) => {
  const host = await started(t);
  const one = await host.connect('/a');
  const two = await host.connect('/b');
  await host.received(two);
  host.close(one, 1001, 'going');
  assert.deepEqual(await host.received(two), ['{"code":1001,"reason":"going","clean":true}']);
  assert.deepEqual(JSON.parse(await host.text('/tags')), [[]]);
  host.message(two, 'close');
  await host.until(() => host.sockets.get(two).closed);
  assert.deepEqual(host.sockets.get(two).closed, { code: 4001, reason: 'bye' });
});

test('sockets accepted by accept() get events, in an agent and in the worker', async (t) => {
  const host = await started(t, { idleTimeoutMs: 200 });
  const worker = await host.connect('/worker');
  host.message(worker, 'hi');
  assert.deepEqual(await host.received(worker), ['hi!']);
  const plain = await host.connect('/plain');
  assert.equal(host.sockets.get(plain).flags, 0);
  await new Promise((done) => setTimeout(done, 600));
  host.message(plain, 'you');
  assert.deepEqual(await host.received(plain), ['heard you']);
  host.close(plain, 1000);
  assert.equal(await host.text('/closed'), '1000');
});

test('code may hold the other end of a hibernatable socket itself', async (t) => {
  const host = await started(t);
  assert.deepEqual(JSON.parse(await host.text('/inside')), ['welcome', 'one', 'two']);
});
