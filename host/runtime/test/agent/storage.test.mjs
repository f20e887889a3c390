import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { HostCore } from './host_core.mjs';

// The worker evaluates what the test sends, in the agent: `s` is its storage, `ctx` its state.
const kWorker = `
export class Box extends DurableObject {
  async fetch(request) {
    const { ctx } = this, s = ctx.storage;
    const work = new (async () => {}).constructor("ctx", "s", "self", await request.text());
    try {
      return Response.json({ value: await work(ctx, s, this) ?? null });
    } catch (error) {
      if (ctx.reason) throw error;
      return Response.json({ error: error.name + ": " + error.message });
    }
  }
  async alarm(info) {
    this.ran = [...(this.ran ?? []), info.retryCount];
    this.during = await this.ctx.storage.getAlarm();
    if (await this.ctx.storage.get("fail")) throw new Error("the alarm fails");
    if (await this.ctx.storage.get("again")) await this.ctx.storage.setAlarm(5e12);
  }
}
export class Silent extends DurableObject {
  async fetch() {
    try { await this.ctx.storage.setAlarm(1e13); } catch (error) { return new Response(error.message); }
    return new Response("no error");
  }
}
export default {
  fetch: (request, env) => new URL(request.url).pathname === "/silent"
    ? env.Silent.getByName("s").fetch(request) : env.Box.getByName(new URL(request.url).pathname.slice(1)).fetch(request),
};
`;

async function started(t, options) {
  const host = await HostCore.start(kWorker, { classes: ['Box', 'Silent'], ...options });
  t.after(() => host.stop());
  host.run = async (code, name = 'box') => {
    const { value, error } = JSON.parse(await host.text(`/${name}`, { body: code }));
    if (error) throw new Error(error);
    return value;
  };
  return host;
}

test('keys and values: one, many, lists, deletes', async (t) => {
  const { run } = await started(t);
  assert.equal(await run('return await s.get("none") === undefined'), true);
  await run('await s.put("a", { n: 1, d: new Date(5), m: new Map([[1, new Uint8Array([1, 2])]]) })');
  assert.equal(await run('const a = await s.get("a"); return a.n + a.d.getTime() + a.m.get(1)[1] + (a.m.get(1) instanceof Uint8Array)'), 9);
  await run('await s.put({ b: 1, c: "two", d: [3], skip: undefined })');
  assert.deepEqual(await run('return [...await s.get(["d", "b", "x"])]'), [['b', 1], ['d', [3]]]);
  assert.deepEqual(await run('return [...(await s.list()).keys()]'), ['a', 'b', 'c', 'd']);
  assert.deepEqual(await run('return [...(await s.list({ start: "b", end: "d" })).keys()]'), ['b', 'c']);
  assert.deepEqual(await run('return [...(await s.list({ startAfter: "b", limit: 1 })).keys()]'), ['c']);
  assert.deepEqual(await run('return [...(await s.list({ reverse: true, limit: 2 })).keys()]'), ['d', 'c']);
  assert.equal(await run('return await s.delete("b")'), true);
  assert.equal(await run('return await s.delete("b")'), false);
  assert.equal(await run('return await s.delete(["c", "d", "x"])'), 2);
  assert.deepEqual(await run('s.kv.put("p:1", 1); s.kv.put("p:2", null); return [...s.kv.list({ prefix: "p:" })]'), [['p:1', 1], ['p:2', null]]);
  assert.equal(await run('return s.kv.get("p:2")'), null);
  await run('await s.deleteAll()');
  assert.equal(await run('return (await s.list()).size'), 0);
});

test('small values read back as they were written', async (t) => {
  const { run } = await started(t);
  const values = '[0, -0, 1, -1, 63, 64, -64, -65, 8191, 8192, 2**30 - 1, 2**30, -(2**30), -(2**30) - 1, 2**31, 1.5, NaN, Infinity, true, false, null, "", "é", 10n]';
  assert.equal(await run(`const values = ${values}; const wrong = [];
    for (const value of values) { await s.put("v", value); if (!Object.is(await s.get("v"), value)) wrong.push(String(value)); }
    return wrong.join()`), '');
});

test("limits and misuse are told in the platform's words", async (t) => {
  const { run } = await started(t);
  await assert.rejects(run('await s.put("k".repeat(2049), 1)'), /RangeError: Keys cannot be larger than 2048 bytes. A key of size 2049 was provided./);
  await assert.rejects(run('await s.put("k", new Uint8Array(2 * 1024 * 1024 + 1))'), /RangeError: Values cannot be larger than 2097152 bytes/);
  await assert.rejects(run('await s.put("k", undefined)'), /TypeError: put\(\) called with undefined value./);
  await assert.rejects(run('await s.put("k", () => {})'), /DataCloneError/);
  await assert.rejects(run('await s.get(Array.from({ length: 129 }, (_, i) => "k" + i))'), /RangeError: Maximum number of keys is 128/);
  await assert.rejects(run('await s.put(Object.fromEntries(Array.from({ length: 129 }, (_, i) => ["k" + i, i])))'), /Maximum number of key value pairs is 128. 129 pairs were provided./);
  await assert.rejects(run('await s.list({ start: "a", startAfter: "b" })'), /both start and startAfter/);
  await assert.rejects(run('await s.list({ limit: 0 })'), /List limit must be positive./);
  await assert.rejects(run('await s.getCurrentBookmark()'), /no history is kept to recover from \(--history 0\)/);
});

test('SQL: cursors, bindings, several statements, errors', async (t) => {
  const { run } = await started(t);
  await run('s.sql.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, data BLOB); INSERT INTO t (name) VALUES (\'one\')")');
  await run('s.sql.exec("INSERT INTO t (name, data) VALUES (?, ?)", "two", new Uint8Array([7, 8]))');
  assert.deepEqual(await run('return s.sql.exec("SELECT id, name FROM t ORDER BY id").toArray()'), [{ id: 1, name: 'one' }, { id: 2, name: 'two' }]);
  assert.deepEqual(await run('return [...s.sql.exec("SELECT id, name FROM t ORDER BY id").raw()]'), [[1, 'one'], [2, 'two']]);
  assert.deepEqual(await run('const c = s.sql.exec("SELECT id FROM t"); const first = c.next(); return [first, [...c].length, c.columnNames, c.rowsRead > 0]'),
    [{ done: false, value: { id: 1 } }, 1, ['id'], true]);
  assert.deepEqual(await run('const { data } = s.sql.exec("SELECT data FROM t WHERE id = 2").one(); return [data instanceof ArrayBuffer, [...new Uint8Array(data)]]'), [true, [7, 8]]);
  await assert.rejects(run('s.sql.exec("SELECT * FROM t").one()'), /Expected exactly one result from SQL query, but got multiple results./);
  await assert.rejects(run('s.sql.exec("SELECT * FROM t WHERE 0").one()'), /but got no results./);
  await assert.rejects(run('s.sql.exec("SELEC 1")'), /syntax error/);
  await assert.rejects(run('s.sql.exec("SELECT ?", 1, 2)'), /Wrong number of parameter bindings for SQL query./);
  assert.equal(await run('return s.sql.databaseSize > 0'), true);
});

test('transactions commit together or not at all', async (t) => {
  const { run } = await started(t);
  assert.equal(await run('return s.transactionSync(() => { s.kv.put("a", 1); return s.kv.get("a") + 1; })'), 2);
  await assert.rejects(run('s.transactionSync(() => { s.kv.put("a", 9); throw new Error("no"); })'), /no/);
  assert.equal(await run('return s.kv.get("a")'), 1);
  assert.equal(await run('return await s.transaction(async (txn) => { await txn.put("b", 2); await new Promise((r) => setTimeout(r, 5)); return await txn.get("b"); })'), 2);
  await assert.rejects(run('await s.transaction(async (txn) => { await txn.put("b", 9); throw new Error("not this"); })'), /not this/);
  await run('await s.transaction(async (txn) => { await txn.put("b", 8); txn.rollback(); })');
  assert.equal(await run('return await s.get("b")'), 2);
  await assert.rejects(run('let kept; await s.transaction(async (txn) => { kept = txn; }); await kept.get("b")'), /already committed: did you move `txn` outside/);
  // A transaction that waits keeps new events out; those that run already take their turn.
  const slow = run('await s.transaction(async (txn) => { await txn.put("n", 1); await new Promise((r) => setTimeout(r, 50)); await txn.put("n", 2); })');
  assert.equal(await Promise.all([slow, run('return await s.get("n")')]).then(([, n]) => n), 2);
});

test('what was answered is on disk: another host finds it', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'hearth-state-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const first = await started(t, { state });
  await first.run('await s.put("kept", 42); s.sql.exec("CREATE TABLE x (y)")');
  await first.stop();
  const second = await started(t, { state });
  assert.equal(await second.run('return await s.get("kept")'), 42);
  assert.equal(readdirSync(join(state, 'do', 'test-Box')).filter((name) => name.endsWith('.sqlite')).length, 1);
  await second.run('return 1', 'stores-nothing');
  assert.equal(readdirSync(join(state, 'do', 'test-Box')).filter((name) => name.endsWith('.sqlite')).length, 1);
  assert.deepEqual(await second.drain(), { code: 0, signal: null });
});

test('an alarm is hidden while it runs, removed when it succeeds, kept when it fails', async (t) => {
  const host = await started(t);
  const { run } = host;
  await run('await s.setAlarm(4e12)');
  const [id] = [...host.agents.keys()];
  await host.until(() => host.alarms.get(id) === 4e12);
  assert.equal(await run('return await s.getAlarm()'), 4e12);
  await run('await s.put("fail", true)');
  assert.equal((await host.alarm(id, 4e12)).outcome, 1);
  assert.equal(await run('return await s.getAlarm()'), 4e12);
  assert.deepEqual(await run('return [self.ran, self.during]'), [[0], null]);
  await run('await s.delete("fail")');
  assert.equal((await host.alarm(id, 4e12, 1)).outcome, 0);
  await host.until(() => host.alarms.get(id) === -1);
  assert.equal(await run('return await s.getAlarm()'), null);
  await run('await s.put("again", true); await s.setAlarm(new Date(3e12))');
  assert.equal((await host.alarm(id, 3e12)).outcome, 0);
  assert.equal(await run('return await s.getAlarm()'), 5e12);
  assert.deepEqual(await run('return self.ran'), [0, 1, 0]);
  const before = host.frames.length;
  assert.equal((await host.alarm(id, 5e12)).outcome, 0); // sets it for the same moment: the core is told again, before the end
  const told = host.frames.slice(before).filter(({ type }) => type === 'AlarmSet' || type === 'AlarmDone');
  assert.deepEqual(told.map(({ type }) => type), ['AlarmSet', 'AlarmDone']);
  assert.equal(Number(told[0].at_ms), 5e12);
  await run('await s.put("fail", true)');
  assert.equal((await host.alarm(id, 5e12, 6)).outcome, 2);
  assert.equal(await run('return await s.getAlarm()'), null);
});

test('an alarm needs a handler and a time', async (t) => {
  const host = await started(t);
  assert.match(await host.text('/silent'), /must have an alarm\(\) handler in order to call setAlarm\(\)/);
  await assert.rejects(host.run('await s.setAlarm(0)'), /setAlarm\(\) cannot be called with an alarm time <= 0/);
});

test('a closed file is reopened after sleep', async (t) => {
  const host = await started(t, { idleTimeoutMs: 250 });
  await host.run('await s.put("n", 1)');
  const [id] = [...host.agents.keys()];
  await host.until(() => !host.agents.get(id).awake);
  assert.ok(existsSync(join(host.state, 'do', 'test-Box', `${id}.sqlite`)));
  assert.equal(await host.run('return ++self.count || await s.get("n")'), 1);
});

test("the platform's own objects are refused, not stored as empty ones", async (t) => {
  const { run } = await started(t);
  for (const value of ['new URL("http://x")', '{ deep: [new Map([[1, new Headers()]])] }', 'new Set([new Blob([])])']) {
    await assert.rejects(run(`await s.put("a", ${value})`), /DataCloneError: Could not serialize object of type "\w+". This type does not support serialization./);
  }
  assert.equal(await run('const a = { n: 1 }; a.self = a; await s.put("a", a); const b = await s.get("a"); return b.self === b && b.n'), 1);
});

test('the classes of storage look as on the platform', async (t) => {
  const { run } = await started(t);
  assert.deepEqual(await run('return [ctx, ctx.id, s, s.sql, s.kv, s.sql.exec("SELECT 1")].map((value) => Object.prototype.toString.call(value))'),
    ['DurableObjectState', 'DurableObjectId', 'DurableObjectStorage', 'SqlStorage', 'SyncKvStorage', 'Cursor'].map((name) => `[object ${name}]`));
  assert.deepEqual(await run('return Object.getOwnPropertyNames(Object.getPrototypeOf(ctx.facets)).sort()'), ['abort', 'clone', 'constructor', 'delete', 'get']);
  assert.deepEqual(await run('return s.sql.exec("SELECT 1 AS a UNION SELECT 2").raw().map(([a]) => a * 2).toArray()'), [2, 4]);
});
