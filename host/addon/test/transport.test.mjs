import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeCore, encode } from './fake_core.mjs';

const host = (t, script, options) => {
  const core = new FakeCore(script, options);
  t.after(() => core.stop());
  return core;
};
const id = 'ab'.repeat(32);

// A host that tells every call of a handler.
const teller = `
const show = (value) => value instanceof ArrayBuffer ? 'buffer:' + text(value)
  : value instanceof Uint8Array ? 'bytes:' + text(value) : value;
addon.start(new Proxy({}, { get: (_, name) => (...values) => say([name, ...values.map(show)]) }));
`;

test('every message of the core reaches its handler with its fields', async (t) => {
  const core = host(t, teller);
  const agent = { namespace: 3, id };
  const cases = [
    ['Configure', { json: '{"a":"ü"}' }, ['configure', '{"a":"ü"}']],
    ['Promote', { host_slot: 2, generation: 3, host_count: 4 }, ['promote', 2, 3, 4]],
    ['Fetch', { slot: 1, request: 2 ** 52 + 1, flags: 1, body_kind: 1, method: 'GET', url: 'http://h/ü', headers: 'a\0b\0', client_address: '::1', body: 'xyz' },
      ['fetch', 1, 2 ** 52 + 1, 1, 1, 'GET', 'http://h/ü', 'a\0b\0', '::1', 'bytes:xyz']],
    ['Fetch', { slot: 1, request: 2, body_kind: 2, method: 'POST', url: '/' }, ['fetch', 1, 2, 0, 2, 'POST', '/', '', '', null]],
    ['BodyData', { request: 2, data: 'abc' }, ['bodyData', 2, 'bytes:abc']],
    ['BodyEnd', { request: 2 }, ['bodyEnd', 2]],
    ['RequestGone', { request: 2, reason: 'left' }, ['requestGone', 2, 'left']],
    ['ResponseCredit', { request: 2, bytes: 2 ** 32 - 1 }, ['responseCredit', 2, 2 ** 32 - 1]],
    ['SocketMessage', { slot: 5, connection: 6, kind: 0, data: 'ascii' }, ['socketMessage', 5, 6, 'ascii']],
    ['SocketMessage', { slot: 5, connection: 6, kind: 1, data: 'ünï 🎈' }, ['socketMessage', 5, 6, 'ünï 🎈']],
    ['SocketMessage', { slot: 5, connection: 6, kind: 2, data: 'bin' }, ['socketMessage', 5, 6, 'buffer:bin']],
    ['SocketMessage', { slot: 5, connection: 6, kind: 0, data: '' }, ['socketMessage', 5, 6, '']],
    ['SocketClosed', { slot: 5, connection: 6, code: 4001, reason: 'bye', clean: 1 }, ['socketClosed', 5, 6, 4001, 'bye', 1]],
    ['Alarm', { slot: 1, agent, name: 'n', scheduled_ms: 1795333227487, retries: 2 }, ['alarm', 1, 3, id, 'n', 1795333227487, 2]],
    ['AgentWake', { agent, name: 'n', auto_request: 'ping', auto_response: 'pong', has_auto_response: 1, sockets: 2, event_timeout_ms: 7 }, ['agentWake', 3, id, 'n', 'ping', 'pong', 2, 7]],
    ['AgentWake', { agent }, ['agentWake', 3, id, '', null, null, 0, 0]],
    ['AgentSocket', { agent, connection: 7, url: '/u', protocol: 'p', tags: 't\0', attachment: 'att', auto_response_ms: 9 }, ['agentSocket', 3, id, 7, '/u', 'p', 't\0', 'bytes:att', 9]],
    ['AgentSocket', { agent, connection: 7 }, ['agentSocket', 3, id, 7, '', '', '', null, 0]],
    ['SleepAccepted', { agent }, ['sleepAccepted', 3, id]],
    ['AgentResume', { agent }, ['agentResume', 3, id]],
    ['AgentRehearse', { agent }, ['agentRehearse', 3, id]], ['DrainIfQuiet', { patience_ms: 100 }, ['drainIfQuiet', 100]],
    ['AgentRefused', { agent, message: 'R414' }, ['agentRefused', 3, id, 'R414']],
    ['ProbeAlarm', { agent }, ['probeAlarm', 3, id]],
    ['Scheduled', { slot: 1, cron: '* * * * *', scheduled_ms: 60000, worker: 2 }, ['scheduled', 1, '* * * * *', 60000, 2]],
    ['HostServes', { host_slot: 1, host: 70000 }, ['hostServes', 1, 70000]],
    ['Leave', {}, ['leave']], ['AgentMove', { agent, patience_ms: 100, hurry: 1 }, ['agentMove', 3, id, 100, 1]],
    ['AgentElsewhere', { agent, host: 70000 }, ['agentElsewhere', 3, id, 70000]],
    ['PeerData', { peer: 1, data: 'abc' }, ['peerData', 1, 'bytes:abc']],
    ['PeerGone', { peer: 1 }, ['peerGone', 1]],
    ['Drain', { deadline_ms: 5000 }, ['drain', 5000]],
    ['AutoResponded', { connection: 7, at_ms: 8 }, ['autoResponded', 7, 8]],
  ];
  for (const [name, values, expected] of cases) {
    core.send(name, values);
    assert.deepEqual(await core.said(), expected, name);
  }
});

test('every function makes its frame', async (t) => {
  const core = host(t, `
addon.start({ configure() {
  addon.ready('r'); addon.loadFailed('l');
  addon.respond(null, 1, 200, 'OK', 'a\\0b\\0', 1, 'tëxt'); addon.respond(null, 1, 204, '', '', 0, null);
  addon.respond(null, 1, 200, 'OK', '', 1, bytes('raw'));
  addon.responseData(null, 1, new Uint8Array([9, 8, 7, 6]).subarray(1, 3)); addon.responseEnd(null, 1);
  addon.responseFailed(null, 1, '{}'); addon.bodyCredit(1, 2 ** 32 - 1);
  addon.socketOpen(null, 5, 3, '${id}', 1, 't\\0', bytes('att')); addon.socketOpen(null, 5, 0, null, 2, '', null);
  addon.respondUpgrade(null, 1, 5, 'h\\0v\\0');
  addon.send(null, 5, 'ünï 🎈'); addon.send(null, 5, bytes('bin').buffer.slice(0, 3)); addon.send(null, 5, new DataView(new ArrayBuffer(4), 1, 2));
  addon.send(null, 5, 'lone \\ud800 surrogate'); addon.send(null, 5, new Float64Array(1));
  addon.sendMany(null, [1, 2 ** 52], 'all'); addon.closeSocket(null, 5, 1000, 'bye'); addon.attach(null, 5, null);
  addon.autoResponse(null, 3, '${id}', 'ping', 'pong'); addon.autoResponse(null, 3, '${id}', null, null);
  addon.agentOpened(3, '${id}', 'n'); addon.agentSleep(3, '${id}', 7); addon.agentRehearsed(3, '${id}', '{}');
  addon.leaving(); addon.agentMoved(3, '${id}'); addon.agentStays(3, '${id}'); addon.alarmDone(null, 3, '${id}', 1, 1795333227487);
  addon.peerSend(null, 2, bytes('abc')); addon.log(2, '{}');
} });`);
  core.send('Configure', { json: '' });
  const agent = { namespace: 3, id };
  const none = { namespace: 0, id: '0'.repeat(64) };
  const many = Buffer.alloc(16);
  many.writeBigUInt64LE(1n, 0);
  many.writeBigUInt64LE(2n ** 52n, 8);
  const expected = [
    ['Ready', { json: 'r' }], ['LoadFailed', { json: 'l' }],
    ['Respond', { request: 1, status: 200, body_kind: 1, status_text: 'OK', headers: 'a\0b\0', body: 'tëxt' }],
    ['Respond', { request: 1, status: 204, body_kind: 0, status_text: '', headers: '', body: '' }],
    ['Respond', { request: 1, status: 200, body_kind: 1, status_text: 'OK', headers: '', body: 'raw' }],
    ['ResponseData', { request: 1, data: '\x08\x07' }], ['ResponseEnd', { request: 1 }],
    ['ResponseFailed', { request: 1, json: '{}' }], ['BodyCredit', { request: 1, bytes: 2 ** 32 - 1 }],
    ['SocketOpen', { connection: 5, agent, flags: 1, tags: 't\0', attachment: 'att' }],
    ['SocketOpen', { connection: 5, agent: none, flags: 2, tags: '', attachment: '' }],
    ['RespondUpgrade', { request: 1, connection: 5, headers: 'h\0v\0' }],
    ['Send', { connection: 5, kind: 1, data: 'ünï 🎈' }], ['Send', { connection: 5, kind: 2, data: 'bin' }],
    ['Send', { connection: 5, kind: 2, data: '\0\0' }], ['Send', { connection: 5, kind: 1, data: 'lone \ufffd surrogate' }],
    ['Send', { connection: 5, kind: 2, data: '\0'.repeat(8) }],
    ['SendMany', { connections: many, kind: 1, data: 'all' }], ['CloseSocket', { connection: 5, code: 1000, reason: 'bye' }],
    ['Attach', { connection: 5, attachment: '' }],
    ['AutoResponse', { agent, enabled: 1, request: 'ping', response: 'pong' }], ['AutoResponse', { agent, enabled: 0, request: '', response: '' }],
    ['AgentOpened', { agent, name: 'n' }], ['AgentSleep', { agent, events: 7 }], ['AgentRehearsed', { agent, json: '{}' }],
    ['Leaving', {}], ['AgentMoved', { agent }], ['AgentStays', { agent }],
    ['AlarmDone', { agent, outcome: 1, scheduled_ms: 1795333227487 }], ['PeerSend', { peer: 2, data: 'abc' }], ['Log', { level: 2, json: '{}' }],
  ];
  for (const [type, fields] of expected) {
    const frame = await core.next(type);
    for (const [name, value] of Object.entries(frame)) {
      if (Buffer.isBuffer(value)) frame[name] = Buffer.isBuffer(fields[name]) ? value : value.toString();
    }
    assert.deepEqual(frame, { type, ...fields });
  }
});

test('wrong arguments are TypeErrors, and the host lives on', async (t) => {
  const core = host(t, `
addon.start({ configure() {
  const wrong = [];
  const odd = [undefined, null, {}, [], 'x', -1, 1.5, NaN, 2 ** 60, Symbol('s'), 1n, () => {}, new Proxy({}, {}), true, database('x')];
  for (const [name, call] of Object.entries(addon)) {
    if (['start', 'drained', 'notQuiet', 'leaving', 'newConnection', 'marks', 'log', 'reportAlarm', 'openDatabase'].includes(name)) continue;
    for (let place = 0; place < 8; place++) for (const value of odd) {
      const values = [null, 1, 2, 'a', 'b', 1, 'c', 'd'];
      values[place] = value;
      const message = failure(() => call(...values));
      if (message !== null && !/^(TypeError|RangeError): /.test(message)) wrong.push([name, place, String(value), message]);
    }
    const bare = failure(() => call());
    if (bare === null || !bare.startsWith('TypeError')) wrong.push([name, bare]);
  }
  const get = Object.getPrototypeOf(database('y')).get;
  say([wrong, failure(() => get.call({}, 'a')), failure(() => addon.start({})), failure(() => addon.send({}, 1, 'a')), failure(() => addon.send(null, 1, new SharedArrayBuffer(3))), failure(() => addon.send(null, 1, 'x'.repeat(45e6)))]);
} });`);
  core.send('Configure', { json: '' });
  let frame;
  do frame = await core.next(); while (frame.type !== 'Log');
  assert.deepEqual(JSON.parse(frame.json), [
    [], 'TypeError: Illegal invocation', 'Error: the host has been started already',
    'TypeError: argument 1 is to be a Database or null',
    'TypeError: argument 3 is to be a string, an ArrayBuffer or a view of one',
    'RangeError: one message to the core is limited to 39 MiB',
  ]);
});

test('microtasks and nextTick callbacks drain between events', async (t) => {
  const core = host(t, `
addon.start({ socketMessage(slot, connection, data) {
  say(data);
  process.nextTick(() => say(data + ' tick'));
  Promise.resolve().then(() => say(data + ' 1')).then(() => say(data + ' 2'));
} });`);
  const message = (data) => encode('SocketMessage', { connection: 1, data });
  core.sendRaw(Buffer.concat([message('a'), message('b')]));
  const order = [];
  for (let i = 0; i < 8; i++) order.push(await core.said());
  assert.deepEqual(order, ['a', 'a tick', 'a 1', 'a 2', 'b', 'b tick', 'b 1', 'b 2']);
});

test('a handler that throws is an uncaught exception, and the next event comes', async (t) => {
  const core = host(t, `
process.on('uncaughtException', (error) => say('uncaught ' + error.message));
addon.start({ socketMessage(slot, connection, data) { if (data === 'bad') throw new Error('thrown'); say(data); } });`);
  for (const data of ['bad', 'good']) core.send('SocketMessage', { connection: 1, data });
  assert.equal(await core.said(), 'uncaught thrown');
  assert.equal(await core.said(), 'good');
});

test('frames may be cut anywhere', async (t) => {
  const core = host(t, teller);
  const frames = Buffer.concat(['one', 'two', '', 'vier ü'].map((data, i) => encode('SocketMessage', { slot: i, connection: 1, kind: 1, data })));
  for (const byte of frames) {
    core.sendRaw(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  for (const [i, data] of ['one', 'two', '', 'vier ü'].entries()) assert.deepEqual(await core.said(), ['socketMessage', i, 1, data]);
});

test('a large message crosses both ways', async (t) => {
  const core = host(t, `addon.start({ socketMessage(slot, connection, data) { addon.send(null, connection, data); } });`);
  const data = Buffer.alloc(20e6);
  for (let i = 0; i < data.length; i += 4) data.writeUInt32LE(i, i);
  core.send('SocketMessage', { connection: 1, kind: 2, data });
  const back = await core.next('Send');
  assert.ok(back.data.equals(data));
  core.send('SocketMessage', { connection: 1, kind: 1, data: 'ü'.repeat(5e6) });
  assert.equal((await core.next('Send')).data.toString(), 'ü'.repeat(5e6));
});

test('a core that does not read is waited for, and nothing is lost or reordered', async (t) => {
  const core = host(t, `
addon.start({ configure() {
  const chunk = 'x'.repeat(1e6);
  for (let i = 0; i < 150; i++) addon.send(null, i + 1, chunk);
  say({ memory: process.memoryUsage().rss });
} });`);
  core.socket.pause();
  core.send('Configure', { json: '' });
  await new Promise((resolve) => setTimeout(resolve, 300));
  core.socket.resume();
  for (let i = 0; i < 150; i++) {
    const frame = await core.next('Send');
    assert.equal(frame.connection, i + 1);
    assert.equal(frame.data.length, 1e6);
  }
  assert.ok((await core.said()).memory < 400e6);
});

test('timers of user code run while events pour in', async (t) => {
  const core = host(t, `
let events = 0, ticks = 0;
setInterval(() => ticks++, 1);
addon.start({ socketMessage(slot, connection, data) {
  const until = performance.now() + 0.02; while (performance.now() < until);
  if (++events === 20000) say({ ticks });
} });`);
  core.sendRaw(Buffer.concat(Array.from({ length: 20000 }, () => encode('SocketMessage', { connection: 1, data: 'x'.repeat(50) }))));
  const { ticks } = await core.said();
  assert.ok(ticks >= 10, `${ticks} ticks`);
});

test('the progress page tells what has begun and what is done, and beats', async (t) => {
  const core = host(t, `
addon.start({ socketMessage(slot, connection, data) { addon[data](slot); say(data); } });`);
  core.send('SocketMessage', { slot: 16383, connection: 1, data: 'begun' });
  await core.said();
  assert.equal(core.progress(16383), 2);
  assert.equal(core.progress(0), 0);
  const beat = core.heartbeat;
  core.send('SocketMessage', { slot: 16383, connection: 1, data: 'done' });
  await core.said();
  assert.equal(core.progress(16383), 3);
  assert.ok(core.heartbeat > beat);
});

test('the progress page tells whose code is on the stack, and that none is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-addon-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const core = host(t, `
import { existsSync } from 'node:fs';
addon.start({ socketMessage(slot, connection, file) {
  addon.begun(slot);
  say('runs');
  const until = performance.now() + 30000;
  while (!existsSync(file) && performance.now() < until);
} });`);
  for (const slot of [77, 0]) {
    core.send('SocketMessage', { slot, connection: 1, data: join(folder, String(slot)) });
    await core.said();
    assert.equal(core.running, slot + 1);
    writeFileSync(join(folder, String(slot)), '');
    while (core.running !== 0) await new Promise(setImmediate);
    assert.equal(core.progress(slot), 2, 'it waits, and does not run');
  }
});

test('the progress page tells which agent was marked, until the turn is over', async (t) => {
  const core = host(t, `
addon.start({ socketMessage(slot, connection, data) {
  const words = new Uint32Array(addon.marks());
  addon.begun(slot);
  if (data === 'marks') {
    addon.nameMark(1023, 5, 'ab'.repeat(32));
    words[0] = 1024;
    words[1] += 3;
  }
  say({ word: words[0] });
  const until = performance.now() + 60000;
  if (data === 'marks') while (words[0] === 1024 && performance.now() < until); // the test kills it
} });`);
  core.send('SocketMessage', { slot: 1, connection: 1, data: 'no' });
  assert.deepEqual(await core.said(), { word: 0 });
  const beat = core.heartbeat;
  core.send('SocketMessage', { slot: 2, connection: 1, data: 'marks' });
  while (core.mark.mark === 0) await new Promise(setImmediate);
  assert.deepEqual(core.mark, { mark: 1024, namespace: 5, id: 'ab'.repeat(32) });
  assert.ok(core.heartbeat > beat);
});

test('a mark is of one turn, and names no place that there is not', async (t) => {
  const core = host(t, `
addon.start({ socketMessage(slot) {
  const words = new Uint32Array(addon.marks());
  addon.begun(slot);
  words[0] = 7;
  let refused = '';
  try { addon.nameMark(1024, 0, 'ab'.repeat(32)); } catch (error) { refused = error.name; }
  setImmediate(() => say({ later: words[0], refused }));
} });`);
  core.send('SocketMessage', { slot: 1, connection: 1, data: '' });
  assert.deepEqual(await core.said(), { later: 0, refused: 'TypeError' });
});

test('a handler that has written has ended when that is a commit, one that has not at once', async (t) => {
  const core = host(t, `
import { readFileSync } from 'node:fs';
const db = database('a'), other = database('b');
const kPageHeader = 16;
const progress = (slot) => readFileSync(directory + '/page')[kPageHeader + slot];
addon.start({ socketMessage(slot, connection, data) {
  addon.begun(slot);
  if (data === 'writes') db.put('k', bytes('v'));
  // As a life that is reset does, before its turn is over.
  if (data === 'abandoned') { other.put('k', bytes('v')); other.abandon(); }
  addon.done(slot);
  say({ at: 'once', progress: progress(slot) });
  setImmediate(() => say({ at: 'later', progress: progress(slot) }));
} });`);
  for (const [slot, what, atOnce] of [[1, 'reads', 3], [2, 'writes', 2], [3, 'reads', 3], [4, 'abandoned', 2]]) {
    core.send('SocketMessage', { slot, connection: 1, data: what });
    assert.deepEqual(await core.said(), { at: 'once', progress: atOnce }, what);
    assert.deepEqual(await core.said(), { at: 'later', progress: 3 }, what);
  }
});

test('the heart beats before each event, also of many that come at once', async (t) => {
  const core = host(t, `
import { readFileSync } from 'node:fs';
addon.start({ socketMessage() { say({ beat: Number(readFileSync(directory + '/page').readBigUInt64LE(8)) }); } });`);
  core.sendRaw(Buffer.concat(Array.from({ length: 3 }, () => encode('SocketMessage', { connection: 1, data: '' }))));
  const beats = [];
  for (let i = 0; i < 3; i++) beats.push((await core.said()).beat);
  assert.ok(beats[0] < beats[1] && beats[1] < beats[2], `${beats}`);
});

test('connections carry the slot and the generation of their host', async (t) => {
  const core = host(t, `addon.start({ promote() { say([addon.newConnection(), addon.newConnection()]); } });`);
  core.send('Promote', { host_slot: 3, generation: 5, host_count: 4 });
  const base = 3 * 2 ** 45 + 5 * 2 ** 32;
  assert.deepEqual(await core.said(), [base + 1, base + 2]);
});

test('a frame that makes no sense ends the host', async (t) => {
  const core = host(t, `addon.start({});`);
  core.sendRaw(Buffer.from([1, 0, 0, 0, 200]));
  assert.deepEqual(await core.exited, { code: 76, signal: null });
  assert.match(core.stderr, /unknown type/);
});

test('the end of the core ends the host, exit listeners first', async (t) => {
  const core = host(t, `
process.on('exit', () => process.stderr.write('listener ran'));
setInterval(() => {}, 1000);
addon.start({ configure() { say('up'); } });`);
  core.send('Configure', { json: '' });
  await core.said();
  assert.deepEqual(await core.hangUp(), { code: 0, signal: null });
  assert.equal(core.stderr, 'listener ran');
});

test('what was said before process.exit() still leaves', async (t) => {
  const core = host(t, `
const db = database('x');
process.on('exit', () => say('last words'));
addon.start({ configure() {
  db.put('a', bytes('b')); addon.send(db, 1, 'gated');
  setImmediate(() => { db.put('a', bytes('c')); addon.send(db, 1, 'never true'); process.exit(3); });
} });`);
  core.send('Configure', { json: '' });
  const frames = [await core.next(), await core.next()];
  assert.equal(frames.find((frame) => frame.type === 'Send').data.toString(), 'gated');
  assert.equal(frames.find((frame) => frame.type === 'Log').json, '"last words"');
  assert.deepEqual(await core.exited, { code: 3, signal: null });
  assert.deepEqual(core.unread, []);
});

test('drained closes every database and says so', async (t) => {
  const core = host(t, `
import { existsSync } from 'node:fs';
const db = database('d');
addon.start({ drain() { db.put('a', bytes('b')); addon.send(db, 1, 'gated'); addon.drained(); process.stderr.write(String(existsSync(pathOf('d') + '-wal'))); process.exit(0); } });`);
  core.send('Drain', { deadline_ms: 1000 });
  assert.equal((await core.next('Send')).data.toString(), 'gated');
  await core.next('Drained');
  assert.deepEqual(await core.exited, { code: 0, signal: null });
  assert.equal(core.stderr, 'false');
});

test('a host that was not started by a core says so', async (t) => {
  const core = host(t, `process.stderr.write(failure(() => addon.start({})));`, { env: { HEARTH_SOCKET_FD: '' } });
  await core.exited;
  assert.match(core.stderr, /HEARTH_SOCKET_FD does not name a descriptor/);
});

test('ids are those of workerd', async (t) => {
  const core = host(t, `
addon.start({ configure() {
  const id = addon.idFromName('my-worker-CoderAgent', 'default');
  const unique = addon.newUniqueId('my-worker-CoderAgent');
  say([id, addon.idBelongs('my-worker-CoderAgent', id), addon.idBelongs('other', id), addon.idBelongs('my-worker-CoderAgent', unique), addon.idBelongs('my-worker-CoderAgent', 'no id'), unique !== addon.newUniqueId('my-worker-CoderAgent')]);
} });`);
  core.send('Configure', { json: '' });
  assert.deepEqual(await core.said(), ['39fa80b6a3f7bdf47182fde1521ba91a1fec899eb9f92b3810fbf419667839af', true, false, true, false, true]);
});
