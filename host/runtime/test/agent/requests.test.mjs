import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HostCore } from './host_core.mjs';

const kWorker = `
export class Box extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/do/body") return new Response((await request.text()).length + " " + request.headers.get("x-a"));
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    (async () => {
      for (let i = 0; i < 3; i++) { await this.ctx.storage.put("i", i); await writer.write(new TextEncoder().encode("part " + i + ";")); }
      await writer.close();
    })();
    return new Response(readable);
  }
}
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/text": return new Response("héllo", { status: 201, statusText: "Made", headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] });
      case "/empty": return new Response(null, { status: 204 });
      case "/ip": return new Response(request.headers.get("cf-connecting-ip"));
      case "/echo": return new Response(request.body, { headers: { "X-Method": request.method } });
      case "/length": return new Response(String((await request.arrayBuffer()).byteLength));
      case "/undefined": return;
      case "/throw": throw new TypeError("thrown here");
      case "/big": return new Response(new ReadableStream({ type: "bytes", pull(c) { if (this.n > 15) return c.close(); this.n = (this.n ?? 0) + 1; c.enqueue(new Uint8Array(64 * 1024)); } }));
      case "/breaks": return new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("x")); }, pull(c) { c.error(new Error("broke")); } }));
      case "/hang": {
        globalThis.seen = [];
        request.signal.addEventListener("abort", () => globalThis.seen.push("aborted"));
        return new Response(new ReadableStream({ pull: () => new Promise(() => {}), cancel: () => { globalThis.seen.push("cancelled"); } }));
      }
      case "/seen": return Response.json(globalThis.seen);
    }
    return env.Box.getByName("b").fetch(request);
  },
};
`;

async function started(t, options) {
  const host = await HostCore.start(kWorker, { classes: ['Box'], ...options });
  t.after(() => host.stop());
  return host;
}

test('status, headers and whole bodies', async (t) => {
  const host = await started(t);
  const { status, headers, body } = await host.fetch('/text');
  assert.equal(status, 201);
  assert.equal(body.toString(), 'héllo');
  assert.deepEqual(headers.filter((_, i) => /cookie/i.test(headers[i - 1] ?? '')), ['a=1', 'b=2']);
  assert.equal((await host.fetch('/empty')).status, 204);
  assert.equal(await host.text('/ip', { headers: { 'CF-Connecting-IP': '6.6.6.6' } }), '127.0.0.1');
  assert.equal(await host.text('/echo', { body: 'back' }), 'back');
  assert.equal(await host.text('/do/body', { body: 'four', headers: { 'x-a': 'b' } }), '4 b');
});

test('what is no response, and what throws', async (t) => {
  const host = await started(t);
  const nothing = await host.fetch('/undefined');
  assert.equal(nothing.failed.code, 'R406');
  assert.match(nothing.failed.message, /returned undefined instead of a Response/);
  const thrown = await host.fetch('/throw');
  assert.equal(thrown.failed.message, 'thrown here');
  assert.match(thrown.failed.stack, /index\.mjs:\d+/);
  assert.equal(host.core.progress(1), 3);
});

test('a streamed request body waits for its reader', async (t) => {
  const host = await started(t);
  const answer = host.fetch('/length', { method: 'POST', stream: true });
  for (let i = 0; i < 4; i++) host.core.send('BodyData', { request: answer.request, data: Buffer.alloc(1000) });
  host.core.send('BodyEnd', { request: answer.request });
  assert.equal((await answer).body.toString(), '4000');
  const credit = host.frames.filter(({ type }) => type === 'BodyCredit').reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(credit, 4000);
});

test('a streamed response waits for credit', async (t) => {
  const host = await started(t);
  host.holdCredit = true;
  const answer = host.fetch('/big');
  const sent = () => host.frames.filter(({ type }) => type === 'ResponseData').reduce((sum, { data }) => sum + data.length, 0);
  await host.until(() => sent() === 256 * 1024);
  await new Promise((done) => setTimeout(done, 50));
  assert.equal(sent(), 256 * 1024);
  host.holdCredit = false;
  host.core.send('ResponseCredit', { request: answer.request, bytes: 256 * 1024 });
  assert.equal((await answer).body.length, 1024 * 1024);
});

test('a stream that fails after the head is told as failed', async (t) => {
  const host = await started(t);
  const answer = await host.fetch('/breaks');
  assert.equal(answer.failed.message, 'broke');
});

test('a client that leaves aborts the signal and cancels the stream', async (t) => {
  const host = await started(t);
  const answer = host.fetch('/hang');
  await host.wait(({ type }) => type === 'Respond', 0);
  host.core.send('RequestGone', { request: answer.request, reason: 'The client disconnected.' });
  await host.until(async () => (await host.text('/seen')) === '["aborted","cancelled"]');
});

test("an agent's stream is sent as it is written", async (t) => {
  const host = await started(t);
  const answer = await host.fetch('/do/stream');
  assert.equal(answer.body.toString(), 'part 0;part 1;part 2;');
});
