import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HostCore } from './host_core.mjs';

const kWorker = `
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export class Slow extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.order = [];
    ctx.blockConcurrencyWhile(async () => { await wait(30); this.ready = true; });
  }
  async fetch(request) {
    const n = new URL(request.url).searchParams.get("n") ?? "";
    this.order.push("begin " + n + " " + this.ready);
    if (n) while (this.order.length < 3) await wait(1);
    this.order.push("end " + n);
    return Response.json(this.order);
  }
  sync(n) { this.order.push(n); return this.order.length; }
}
let attempts = 0;
export class Failing extends DurableObject {
  constructor(ctx, env) { super(ctx, env); if (++attempts < 3) throw new Error("not yet " + attempts); }
  fetch() { return new Response("at last"); }
}
export class Blocked extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.failing = ctx.storage.kv.get("ok") ? null : ctx.blockConcurrencyWhile(async () => { ctx.storage.kv.put("ok", 1); await ctx.storage.sync(); throw new Error("start failed"); });
  }
  fetch() { return new Response("started"); }
}
export class Abort extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/later") { setTimeout(() => this.ctx.abort("in a timer"), 5); await wait(10_000); }
    if (pathname === "/dirty") { this.ctx.storage.kv.put("dirty", 1); this.ctx.abort(new Error("now")); }
    if (pathname === "/throwing") { setTimeout(() => { throw new Error("from a timer"); }, 1); Promise.reject(new Error("floating")); await wait(20); }
    this.count = (this.count ?? 0) + 1;
    return new Response(this.count + " " + (await this.ctx.storage.get("dirty") ?? "clean"));
  }
}
export class Als extends DurableObject {
  async seen() { return String(als.getStore()); }
}
import { AsyncLocalStorage } from "node:async_hooks";
const als = new AsyncLocalStorage();
export class Named extends WorkerEntrypoint {
  fetch(request) { return new Response(this.ctx.props.who + " " + new URL(request.url).pathname); }
  add(a, b) { return a + b; }
}
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const name = url.searchParams.get("o");
    if (url.pathname === "/als") return new Response(await als.run("the worker's", () => env.Als.getByName("a").seen()));
    if (url.pathname === "/order") {
      const stub = env.Slow.getByName("order");
      const many = Array.from({ length: 20 }, (_, i) => stub.sync(i));
      return Response.json(await Promise.all(many));
    }
    if (url.pathname === "/self") return new Response(String(await env.SELF.add(2, 3)) + await (await env.SELF.fetch("http://x/p")).text());
    if (url.pathname === "/exports") return Response.json({ names: Object.keys(ctx.exports).sort(), id: ctx.exports.Slow.idFromName("a").toString() === env.Slow.idFromName("a").toString() });
    if (url.pathname === "/vars") return Response.json([env.GREETING, env.LIST, workerEnv.GREETING, process.env.GREETING, env.SECRET]);
    if (url.pathname === "/unsupported") return env.DB.prepare("x");
    if (url.pathname === "/ids") {
      const id = env.Slow.newUniqueId();
      const tried = (f) => { try { return f(); } catch (error) { return error.message; } };
      return Response.json([env.Slow.idFromString(String(id)).equals(id), tried(() => env.Slow.idFromString("xyz")),
        tried(() => env.Slow.get(env.Abort.newUniqueId())), env.Slow.idFromName("n").name, id.name ?? null]);
    }
    return env[name].getByName("x").fetch(request);
  },
  async scheduled(controller, env, ctx) {
    ctx.waitUntil(env.Abort.getByName("cron").fetch("http://x/" + controller.cron).then(() => { throw new Error("cron " + controller.cron); }));
  },
};
`;
const kClasses = ['Slow', 'Failing', 'Blocked', 'Abort', 'Als'];

async function started(t, options) {
  const host = await HostCore.start(kWorker, { classes: kClasses, ...options });
  t.after(() => host.stop());
  return host;
}

test('events wait for blockConcurrencyWhile, begin in order and run interleaved', async (t) => {
  const host = await started(t);
  const answers = [1, 2, 3].map((n) => host.text(`/?o=Slow&n=${n}`));
  await Promise.all(answers);
  // None ended before all had begun.
  assert.deepEqual(JSON.parse(await answers[2]).slice(0, 3), ['begin 1 true', 'begin 2 true', 'begin 3 true']);
});

test('calls on one stub begin in the order in which they were made', async (t) => {
  const host = await started(t);
  assert.deepEqual(JSON.parse(await host.text('/order')), Array.from({ length: 20 }, (_, i) => i + 1));
});

test('a constructor that throws fails its callers, and the next event tries again', async (t) => {
  const host = await started(t);
  await assert.rejects(host.text('/?o=Failing'), /not yet 1/);
  await assert.rejects(host.text('/?o=Failing'), /not yet 2/);
  assert.equal(await host.text('/?o=Failing'), 'at last');
});

test('blockConcurrencyWhile that fails resets the agent; what was durable stays', async (t) => {
  const host = await started(t);
  await assert.rejects(host.text('/?o=Blocked'), /start failed/);
  assert.equal(await host.text('/?o=Blocked'), 'started');
});

test('abort() rejects the callers with its reason and drops what was not committed', async (t) => {
  const host = await started(t);
  assert.equal(await host.text('/?o=Abort'), '1 clean');
  const pending = host.text('/later?o=Abort');
  await assert.rejects(pending, /in a timer/);
  assert.equal(await host.text('/?o=Abort'), '1 clean');
  await assert.rejects(host.text('/dirty?o=Abort'), /now/);
  assert.equal(await host.text('/?o=Abort'), '1 clean');
  assert.deepEqual(host.logs, []);
});

test('what nobody catches is reported with its agent, and the host goes on', async (t) => {
  const host = await started(t);
  assert.equal(await host.text('/throwing?o=Abort'), '1 clean');
  await host.until(() => host.logs.length === 2);
  assert.deepEqual(host.logs.map(({ message, code, agent, level }) => [message, code, agent, level]).sort(),
    [['floating', 'R412', 'x', 3], ['from a timer', 'R407', 'x', 3]]);
  assert.match(host.logs[0].where, /index\.mjs:\d+/);
});

test("the caller's AsyncLocalStorage ends at the agent", async (t) => {
  const host = await started(t);
  assert.equal(await host.text('/als'), 'undefined');
});

test('bindings: service, vars, secrets, exports, ids, and kinds that are missing', async (t) => {
  const host = await started(t, { bindings: [
    { type: 'service', name: 'SELF', service: 'test', entrypoint: 'Named', props: { who: 'me' } },
    { type: 'var', name: 'GREETING', value: 'hello' }, { type: 'var', name: 'LIST', value: [1] },
    { type: 'secret', name: 'SECRET', value: 's' },
    { type: 'unsupported', name: 'DB', kind: 'd1_databases', reason: 'there is no D1 yet' },
  ] });
  assert.equal(await host.text('/self'), '5me /p');
  assert.deepEqual(JSON.parse(await host.text('/vars')), ['hello', [1], 'hello', 'hello', 's']);
  assert.deepEqual(JSON.parse(await host.text('/exports')), { names: ['Abort', 'Als', 'Blocked', 'Failing', 'Named', 'Slow', 'default'], id: true });
  assert.deepEqual(JSON.parse(await host.text('/ids')),
    [true, 'Invalid Durable Object ID: must be 64 hex digits', 'Durable Object ID is not valid for this namespace.', 'n', null]);
  await assert.rejects(host.text('/unsupported'), /env\.DB \(d1_databases\) does not work on hearth: there is no D1 yet.*"prepare"/);
});

test('scheduled events run, and what they leave to waitUntil is reported', async (t) => {
  const host = await started(t);
  host.core.send('Scheduled', { slot: 77, cron: '*/5', scheduled_ms: 5 });
  await host.until(() => host.core.progress(77) === 3 && host.logs.length === 1);
  assert.equal(host.logs[0].message, 'cron */5');
});

test('a drain waits for what has begun', async (t) => {
  const host = await started(t);
  const answer = host.text('/?o=Slow');
  await host.wait(({ type }) => type === 'AgentOpened', 0);
  assert.deepEqual(await host.drain(), { code: 0, signal: null });
  assert.deepEqual(JSON.parse(await answer), ['begin  true', 'end ']);
});

test('an export that is missing is said when its agent is called', async (t) => {
  const host = await HostCore.start(kWorker, { classes: [...kClasses, 'Nowhere'] });
  t.after(() => host.stop());
  await assert.rejects(host.text('/?o=Nowhere'), /Durable Object class "Nowhere" is not exported/);
});

test('a bundle that throws is not loaded, and says where', async (t) => {
  const host = await HostCore.start('const x = null;\nx.y;', { loadFails: true });
  t.after(() => host.stop());
  assert.match(host.ready.message, /Cannot read properties of null/);
  assert.match(host.ready.where, /index\.mjs:5/);
});

test('classes have the names that the platform gives them', async (t) => {
  const host = await HostCore.start(`
    export class Box extends DurableObject {
      fetch() {
        const { ctx } = this;
        return Response.json([ctx, ctx.id, ctx.storage, ctx.storage.sql].map((value) => value.constructor.name));
      }
    }
    export default { async fetch(request, env) {
      const classes = { Request, Response, Headers, WebSocket, WebSocketPair, FormData, URL, DurableObject, RpcTarget };
      const wrong = Object.entries(classes).filter(([name, value]) => value.name !== name);
      const { 0: end } = new WebSocketPair();
      const named = [request.constructor.name, request.headers.constructor.name, end.constructor.name, env.Box.constructor.name];
      return Response.json([wrong.length, named, await (await env.Box.getByName("a").fetch(request)).json()]);
    } };`, { classes: ['Box'] });
  t.after(() => host.stop());
  assert.deepEqual(JSON.parse(await host.text('/')), [0, ['Request', 'Headers', 'WebSocket', 'DurableObjectNamespace'],
    ['DurableObjectState', 'DurableObjectId', 'DurableObjectStorage', 'SqlStorage']]);
});

test('a commit that fails resets the agent, and what waited for it does not leave', async (t) => {
  const host = await HostCore.start(`
    export class Box extends DurableObject {
      async fetch(request) {
        const { sql } = this.ctx.storage;
        this.lives = (this.lives ?? 0) + 1;
        sql.exec("CREATE TABLE IF NOT EXISTS p (a INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS c (b REFERENCES p (a))");
        await this.ctx.storage.sync();
        if (new URL(request.url).pathname === "/bad") sql.exec("PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (5)");
        return new Response(this.lives + " " + sql.exec("SELECT count(*) AS n FROM c").one().n);
      }
    }
    export default { fetch: (request, env) => env.Box.getByName("b").fetch(request) };`, { classes: ['Box'] });
  t.after(() => host.stop());
  assert.equal(await host.text('/'), '1 0');
  await assert.rejects(host.text('/bad'), /rolled back to its last known good state.*FOREIGN KEY constraint failed/);
  assert.equal(await host.text('/'), '1 0');
  assert.equal(host.logs.length, 1);
});
