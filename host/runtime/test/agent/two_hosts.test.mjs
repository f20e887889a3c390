// Two hosts of one worker: an agent's sockets whose other end is held by code on the other host, or is
// handed on from there to a client.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HostCore } from './host_core.mjs';

const kWorker = `
export class Far extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.born = ctx.getWebSockets().length;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }
  fetch(request) {
    const url = new URL(request.url);
    const { 0: client, 1: server } = new WebSocketPair();
    if (url.pathname === "/accept") {
      server.accept();
      server.addEventListener("message", (event) => server.send("heard " + event.data));
    } else {
      this.ctx.acceptWebSocket(server, ["tag " + url.pathname]);
      server.serializeAttachment({ path: url.pathname });
      server.send("welcome");
    }
    return new Response(null, { status: 101, webSocket: client, headers: { "X-Who": "far" } });
  }
  list() {
    return { born: this.born, closed: this.ctx.storage.kv.get("closed") ?? null,
             sockets: this.ctx.getWebSockets().map((ws) => [ws.deserializeAttachment().path, ...this.ctx.getTags(ws)]) };
  }
  webSocketMessage(ws, data) {
    if (data === "abort") this.ctx.abort("enough");
    if (data === "close") return ws.close(4001, "bye");
    ws.serializeAttachment({ ...ws.deserializeAttachment(), last: data });
    ws.send(JSON.stringify({ born: this.born, data, tags: this.ctx.getTags(ws), attachment: ws.deserializeAttachment() }));
  }
  webSocketClose(ws, code, reason, clean) {
    this.ctx.storage.kv.put("closed", { code, reason, clean, born: this.born });
  }
}
const held = new Map();
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, name, what, ...rest] = url.pathname.split("/");
    const far = env.Far.getByName(name);
    if (what === "client") return far.fetch("http://far/" + rest[0], request);
    if (what === "list") return Response.json(await far.list());
    if (what === "hold") {
      const { webSocket } = await far.fetch("http://far/" + rest[0], { headers: { Upgrade: "websocket" } });
      const heard = [];
      held.set(name, { webSocket, heard });
      webSocket.addEventListener("message", ({ data }) => heard.push(data));
      webSocket.addEventListener("error", ({ message }) => heard.push("error: " + message));
      webSocket.addEventListener("close", ({ code, reason }) => heard.push({ code, reason }));
      webSocket.accept();
      return new Response("held");
    }
    const { webSocket, heard } = held.get(name);
    if (what === "send") webSocket.send(rest[0]);
    if (what === "close") webSocket.close(4004, "done");
    return Response.json(heard);
  },
};
`;

/** The two hosts, and the name of an agent that lives on the second. */
async function started(t, options) {
  const [near, far] = await HostCore.pair(kWorker, { classes: ['Far'], ...options });
  t.after(() => Promise.all([near.stop(), far.stop()]));
  for (let i = 0; ; i++) {
    await near.text(`/n${i}/list`);
    if (far.agents.size > 0) return { near, far, name: `n${i}`, id: [...far.agents.keys()][0] };
  }
}
/** What the worker has heard, once there is so much of it. */
async function heard(near, name, count) {
  let list = [];
  await near.until(async () => (list = JSON.parse(await near.text(`/${name}/heard`))).length >= count);
  return list;
}

test('a client that is answered with the socket of an agent elsewhere talks to that agent', async (t) => {
  const { near, far, name } = await started(t);
  const answer = await near.fetch(`/${name}/client/deep`, { upgrade: true });
  assert.equal(answer.status, 101);
  assert.ok(answer.headers.includes('far'));
  const socket = far.sockets.get(answer.connection);
  assert.deepEqual(socket.tags, ['tag /deep']);
  await far.until(() => socket.sent.length === 1);
  assert.deepEqual(socket.sent, ['welcome']);
  assert.deepEqual(JSON.parse(await near.text(`/${name}/list`)).sockets, [['/deep', 'tag /deep']]);
});

test('an agent sleeps while code elsewhere holds a socket of its, and wakes with it upon a message', async (t) => {
  const { near, far, name, id } = await started(t, { idleTimeoutMs: 250 });
  await near.text(`/${name}/hold/deep`);
  await near.text(`/${name}/send/first`);
  const awake = JSON.parse((await heard(near, name, 2))[1]);
  assert.deepEqual(awake, { born: 0, data: 'first', tags: ['tag /deep'], attachment: { path: '/deep', last: 'first' } });
  await far.until(() => !far.agents.get(id).awake);

  const before = far.frames.length;
  await near.text(`/${name}/send/ping`);
  assert.equal((await heard(near, name, 3))[2], 'pong');
  assert.ok(!far.frames.slice(before).some(({ type }) => type === 'AgentOpened'), 'it sleeps on');

  await near.text(`/${name}/send/second`);
  const woken = JSON.parse((await heard(near, name, 4))[3]);
  assert.deepEqual(woken, { born: 1, data: 'second', tags: ['tag /deep'], attachment: { path: '/deep', last: 'second' } });
  await far.until(() => !far.agents.get(id).awake);
  assert.deepEqual(JSON.parse(await near.text(`/${name}/list`)), { born: 1, closed: null, sockets: [['/deep', 'tag /deep']] });

  await far.until(() => !far.agents.get(id).awake);
  await near.text(`/${name}/close`);
  assert.deepEqual((await heard(near, name, 5))[4], { code: 4004, reason: 'done' });
  assert.deepEqual(JSON.parse(await near.text(`/${name}/list`)),
                   { born: 1, closed: { code: 4004, reason: 'done', clean: true, born: 1 }, sockets: [] });
});

test("an agent's abort and its close reach code elsewhere as they reach a client", async (t) => {
  const { near, name } = await started(t);
  await near.text(`/${name}/hold/deep`);
  await near.text(`/${name}/send/abort`);
  await near.text(`/${name}/send/after`);
  assert.equal(JSON.parse((await heard(near, name, 2))[1]).born, 1, 'the next life has the socket');
  await near.text(`/${name}/send/close`);
  assert.deepEqual((await heard(near, name, 3))[2], { code: 4001, reason: 'bye' });
});

test('an agent that accepted its end by accept() stays, and code elsewhere hears the end of its host', async (t) => {
  const { near, far, name, id } = await started(t, { idleTimeoutMs: 200 });
  await near.text(`/${name}/hold/accept`);
  await new Promise((done) => setTimeout(done, 500));
  assert.equal(far.agents.get(id).awake, true);
  await near.text(`/${name}/send/me`);
  assert.deepEqual(await heard(near, name, 1), ['heard me']);
  near.core.send('PeerGone', { peer: 2 });
  assert.deepEqual((await heard(near, name, 3)).slice(1),
                   ['error: Network connection lost.', { code: 1006, reason: 'Network connection lost.' }]);
});

test("the death of the host that holds a socket's other end closes it for the agent, which wakes for that", async (t) => {
  const { near, far, name, id } = await started(t, { idleTimeoutMs: 250 });
  await near.text(`/${name}/hold/deep`);
  await heard(near, name, 1);
  await far.until(() => !far.agents.get(id).awake);
  far.core.send('PeerGone', { peer: 1 });
  await far.until(() => far.agents.get(id).awake);
  await near.until(async () => JSON.parse(await near.text(`/${name}/list`)).closed !== null);
  assert.deepEqual(JSON.parse(await near.text(`/${name}/list`)),
                   { born: 1, closed: { code: 1006, reason: 'Network connection lost.', clean: false, born: 1 }, sockets: [] });
});
