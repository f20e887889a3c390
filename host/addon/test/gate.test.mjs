import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeCore } from './fake_core.mjs';

const host = (t, script, options) => {
  const core = new FakeCore(script, options);
  t.after(() => core.stop());
  return core;
};
const ask = (core, data) => core.send('SocketMessage', { slot: 0, connection: 1, data });
const data = async (core) => (await core.next('Send')).data.toString();
const folder = (core) => join(core.directory, 'do/test-Agent');

test('what was sent after a write leaves when it is durable, what was sent before at once', async (t) => {
  const core = host(t, `
const db = database('a');
addon.start({ socketMessage() {
  addon.send(db, 1, 'before');
  db.put('k', bytes('v'));
  addon.send(db, 1, 'after');
  db.whenDurable((error) => addon.send(null, 1, 'durable ' + error + ' ' + db.durable));
  addon.send(null, 1, 'not gated ' + db.durable);
} });`);
  ask(core);
  assert.deepEqual([await data(core), await data(core), await data(core), await data(core)],
    ['before', 'not gated false', 'after', 'durable null true']);
});

test('an agent is heard in the order in which it spoke, whatever it wrote', async (t) => {
  const core = host(t, `
const db = database('a');
let count = 0;
addon.start({ socketMessage() {
  for (let i = 0; i < 10; i++) {
    if ((count * 7 + i) % 3 === 0) db.put('k', bytes(String(count)));
    addon.send(db, 1, String(count++));
  }
} });`);
  for (let i = 0; i < 200; i++) ask(core);
  for (let i = 0; i < 2000; i++) assert.equal(await data(core), String(i));
});

test('one agent does not wait for another\'s disk', async (t) => {
  const core = host(t, `
const one = database('one'), two = database('two');
addon.start({ socketMessage() { one.put('k', bytes('v')); addon.send(one, 1, 'one'); addon.send(two, 1, 'two'); } });`);
  ask(core);
  assert.deepEqual([await data(core), await data(core)], ['two', 'one']);
});

test('what was heard before a kill -9 is there after it', async (t) => {
  const script = `
const db = database('a');
addon.start({ socketMessage(slot, connection, what) {
  const count = Number(text(db.get('count') ?? bytes('0')));
  if (what === 'add') { db.put('count', bytes(String(count + 1))); db.put('twin', bytes(String(count + 1))); addon.send(db, 1, String(count + 1)); }
  else addon.send(db, 1, count + ' ' + text(db.get('twin')));
} });`;
  const core = host(t, script);
  for (let i = 0; i < 500; i++) ask(core, 'add');
  let heard = 0;
  while (heard < 137) heard = Number(await data(core));
  core.child.kill('SIGKILL');
  await core.exited;
  for (const frame of core.unread) heard = Number(frame.data);
  const next = host(t, script, { env: { HEARTH_TEST_DIRECTORY: core.directory } });
  ask(next, 'read');
  const [count, twin] = (await data(next)).split(' ').map(Number);
  assert.ok(count >= heard, `${count} >= ${heard}`);
  assert.equal(count, twin);
});

test('a commit that fails drops what waited for it, and the runtime is told', async (t) => {
  const core = host(t, `
const db = database('a');
addon.start({
  configure() { db.exec('CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)', []); },
  socketMessage() {
    db.put('k', bytes('v'));
    addon.send(db, 1, 'never true');
    say(failure(() => db.exec('INSERT OR ROLLBACK INTO t VALUES (1)', [])));
    db.whenDurable((error) => say('waiter: ' + error.message));
  },
  commitFailed(which, message) {
    say([which === db, message, db.durable]);
    addon.send(db, 1, 'nor this');
    say(failure(() => db.get('k')));
    addon.responseFailed(db, 9, '{}');
    db.close();
    const again = database('a');
    say([again.get('k') === undefined, again.exec('SELECT a FROM t', []).all()]);
  },
});`);
  core.send('Configure', { json: '' });
  ask(core);
  const reason = 'what was written since the last await was rolled back by the database itself (a statement with OR ROLLBACK, or a full disk)';
  assert.match(await core.said(), /^Error: UNIQUE constraint failed: t\.a: SQLITE_CONSTRAINT/);
  assert.equal(await core.said(), 'waiter: ' + reason);
  assert.deepEqual(await core.said(), [true, reason, false]);
  assert.equal(await core.said(), 'Error: ' + reason);
  await core.next('ResponseFailed');
  assert.deepEqual(await core.said(), [true, [[1]]]);
  await core.hangUp();
  assert.deepEqual(core.unread, []);
});

test('a sync that fails drops what waited for it, and the runtime is told', async (t) => {
  const core = host(t, `
import { rmSync } from 'node:fs';
const db = database('a');
addon.start({
  socketMessage() {
    db.put('k', bytes('v'));
    rmSync(pathOf('a') + '-wal'); // SQLite goes on with its descriptor; there is none to sync by
    addon.send(db, 1, 'never heard');
    db.whenDurable((error) => say(error.message));
  },
  commitFailed(which, message) { say([which === db, message, failure(() => db.put('k', bytes('w')))]); },
});`);
  ask(core);
  const reason = await core.said();
  assert.match(reason, /^opening .*-wal: No such file or directory$/);
  assert.deepEqual(await core.said(), [true, reason, 'Error: ' + reason]);
  await core.hangUp();
  assert.deepEqual(core.unread, []);
});

test('abandon drops what was written and what was said after it', async (t) => {
  const core = host(t, `
const db = database('a');
addon.start({ socketMessage() {
  db.put('kept', bytes('v'));
  addon.send(db, 1, 'kept');
  setImmediate(() => {
    db.put('lost', bytes('v'));
    addon.send(db, 1, 'lost');
    db.whenDurable((error) => say(error.message));
    db.abandon();
    addon.send(db, 1, db.list({}).map(([key]) => key).join());
  });
} });`);
  ask(core);
  const frames = [await core.next(), await core.next(), await core.next()];
  assert.deepEqual(frames.filter((frame) => frame.type === 'Send').map((frame) => frame.data.toString()), ['kept', 'kept']);
  assert.equal(JSON.parse(frames.find((frame) => frame.type === 'Log').json), 'the writes were dropped because the object was reset');
});

test('an open transaction holds what is said until it ends, over any number of turns', async (t) => {
  const core = host(t, `
const db = database('a');
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
addon.start({ async socketMessage() {
  db.begin(); db.put('a', bytes('1')); addon.send(db, 1, 'one');
  await pause();
  db.put('b', bytes('2')); addon.send(db, 1, 'two');
  await pause();
  addon.send(null, 1, 'still open ' + db.durable);
  db.commit();
  await new Promise((resolve) => db.whenDurable(resolve));
  db.begin(); db.put('c', bytes('3'));
  await pause();
  db.rollback();
  addon.send(db, 1, db.list({}).map(([key]) => key).join());
} });`);
  ask(core);
  assert.deepEqual([await data(core), await data(core), await data(core), await data(core)], ['still open false', 'one', 'two', 'a,b']);
});

test('the core hears of an earlier alarm before it is stored and of a later one after', async (t) => {
  const core = host(t, `
const db = database('a');
const steps = { soon() { db.setAlarm(2000); }, sooner() { db.setAlarm(1000); }, later() { db.setAlarm(5000); }, same() { db.setAlarm(5000); },
  none() { db.setAlarm(null); }, undone() { db.begin(); db.setAlarm(77); db.rollback(); }, all() { db.setAlarm(3000); db.deleteAll(true); } };
addon.start({ socketMessage(slot, connection, what) { steps[what](); addon.send(db, 1, what + ' ' + db.getAlarm()); } });`);
  const order = async (what, count) => {
    ask(core, what);
    const frames = [];
    for (let i = 0; i < count; i++) {
      const frame = await core.next();
      frames.push(frame.type === 'AlarmSet' ? frame.at_ms : frame.data.toString());
    }
    return frames;
  };
  assert.deepEqual(await order('soon', 2), [2000, 'soon 2000']);
  assert.deepEqual(await order('sooner', 2), [1000, 'sooner 1000']);
  assert.deepEqual(await order('later', 2), ['later 5000', 5000]);
  assert.deepEqual(await order('same', 1), ['same 5000']);
  assert.deepEqual(await order('undone', 1), ['undone 5000']);
  assert.deepEqual(await order('none', 2), ['none null', -1]);
  assert.deepEqual(await order('all', 1), ['all null']);
});

test('an alarm that is set while its clearing waits to be durable has the last word', async (t) => {
  const core = host(t, `
const db = database('a');
addon.start({ socketMessage() {
  db.setAlarm(1000);
  db.whenDurable(() => {
    db.setAlarm(null);
    setImmediate(() => { db.setAlarm(3000); db.whenDurable(() => addon.send(db, 1, 'end')); });
  });
} });`);
  for (let round = 0; round < 20; round++) {
    ask(core);
    let last = null;
    for (;;) {
      const frame = await core.next();
      if (frame.type === 'Send') break;
      if (frame.type === 'AlarmSet') last = frame.at_ms;
    }
    assert.equal(last, 3000);
  }
});

test('an alarm is reported from a file that is not open, and from one that is', async (t) => {
  const core = host(t, `
const db = database('a');
const report = (name) => addon.reportAlarm(0, idOf(name), pathOf(name), name);
addon.start({ socketMessage(slot, connection, what) {
  if (what === 'set') { db.setAlarm(4000); addon.send(db, 1, 'set'); }
  if (what === 'close') { db.close(); report('a'); report('b'); }
  if (what === 'open') { db.get('k'); report('a'); }
} });`);
  ask(core, 'set');
  assert.equal((await core.next('AlarmSet')).at_ms, 4000);
  await data(core);
  ask(core, 'close');
  assert.deepEqual([(await core.next('AlarmSet')), (await core.next('AlarmSet'))].map((frame) => [frame.name, frame.at_ms]), [['a', 4000], ['b', -1]]);
  ask(core, 'open');
  assert.equal((await core.next('AlarmSet')).at_ms, 4000);
});

test('closing drops the turn, lets what is stored be heard, and leaves no log', async (t) => {
  const core = host(t, `
const db = database('a');
addon.start({ socketMessage() {
  db.put('kept', bytes('v')); addon.send(db, 1, 'kept');
  setImmediate(() => { db.put('lost', bytes('v')); addon.send(db, 1, 'lost'); db.close(); say(db.get('lost') === undefined && text(db.get('kept'))); db.close(); });
} });`);
  ask(core);
  const frames = [await core.next(), await core.next()];
  assert.equal(frames.find((frame) => frame.type === 'Send').data.toString(), 'kept');
  assert.equal(frames.find((frame) => frame.type === 'Log').json, '"v"');
  await core.hangUp();
  assert.deepEqual(core.unread, []);
  assert.deepEqual(readdirSync(folder(core)).map((name) => name.replace(/^[0-9a-f]{64}/, 'id')), ['id.sqlite']);
});

test('a database that was dropped without being closed is closed by the collector, its commits kept', async (t) => {
  const core = host(t, `
import { existsSync } from 'node:fs';
addon.start({ async socketMessage() {
  (() => { const db = database('a'); db.put('k', bytes('v')); addon.send(db, 1, 'heard'); })();
  for (let i = 0; i < 200 && (i < 5 || existsSync(pathOf('a') + '-wal')); i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 5)); }
  say([existsSync(pathOf('a') + '-wal'), text(database('a').get('k'))]);
} });`, { args: ['--expose-gc'] });
  ask(core);
  assert.equal(await data(core), 'heard');
  assert.deepEqual(await core.said(), [false, 'v']);
});

test('the end of the core commits the turn before', async (t) => {
  const core = host(t, `
const db = database('a');
addon.start({ socketMessage() { db.put('k', bytes('v')); addon.send(db, 1, 'heard'); } });`);
  ask(core);
  await data(core);
  await core.hangUp();
  const names = readdirSync(folder(core));
  assert.equal(names.length, 1);
  assert.ok(existsSync(join(folder(core), names[0])));
});

test('more than may wait is refused, and waited for when only the disk is slow', async (t) => {
  const core = host(t, `
const db = database('a');
const chunk = new Uint8Array(1 << 20);
addon.start({ socketMessage(slot, connection, what) {
  let sent = 0;
  if (what === 'turn') db.put('k', bytes('v'));
  say(failure(() => { while (sent < 80) { addon.send(db, sent + 1, chunk); sent++; } }));
  say(sent);
} });`);
  ask(core, 'turn');
  assert.match(await core.said(), /^RangeError: more than 64 MiB were sent in one turn/);
  const sent = await core.said();
  assert.ok(sent >= 64 && sent < 80);
  for (let i = 0; i < sent; i++) assert.equal((await core.next('Send')).connection, i + 1);
});

test('with durability "os" nothing waits for the disk', async (t) => {
  const core = host(t, `
const db = database('a', 'os');
addon.start({ socketMessage() { db.put('k', bytes('v')); addon.send(db, 1, 'heard'); queueMicrotask(() => setImmediate(() => say(db.durable))); } });`);
  ask(core);
  assert.equal(await data(core), 'heard');
  assert.equal(await core.said(), true);
});
