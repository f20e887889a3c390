import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeCore } from './fake_core.mjs';

// Runs `body` in a host, with `db` there; resolves with what it returns.
async function run(t, body, options) {
  const core = new FakeCore(`
const db = database('agent');
addon.start({ async configure() { say(await (async () => { ${body} })()); } });`, options);
  t.after(() => core.stop());
  core.send('Configure', { json: '' });
  let frame;
  do frame = await core.next(); while (frame.type !== 'Log');
  return JSON.parse(frame.json);
}

test('values are stored as bytes and read back as bytes', async (t) => {
  assert.deepEqual(await run(t, `
    db.put('a', new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
    db.put('b', new Float32Array([1]));
    db.put('empty', new Uint8Array(0));
    return [db.get('a') instanceof Uint8Array, [...db.get('a')], [...db.get('b')], db.get('empty').length, db.get('nope') === undefined,
      db.delete('a'), db.delete('a'), db.get('a') === undefined];`),
  [true, [2, 3], [0, 0, 128, 63], 0, true, true, false, true]);
});

test('lists take the options of the platform', async (t) => {
  assert.deepEqual(await run(t, `
    for (const key of ['a', 'b', 'b1', 'c', 'ü']) db.put(key, bytes(key));
    const keys = (options) => db.list(options).map(([key, value]) => key + '=' + text(value)).join(' ');
    return [keys({}), keys(undefined), keys({ prefix: 'b' }), keys({ start: 'b', end: 'c' }), keys({ startAfter: 'b' }), keys({ reverse: true, limit: 2 }),
      keys({ limit: Infinity }), failure(() => keys({ limit: 0 })), failure(() => keys({ limit: 'x' })), failure(() => keys({ start: 5 })), failure(() => keys(5)),
      keys({ start: undefined, prefix: null })];`),
  ['a=a b=b b1=b1 c=c ü=ü', 'a=a b=b b1=b1 c=c ü=ü', 'b=b b1=b1', 'b=b b1=b1', 'b1=b1 c=c ü=ü', 'ü=ü c=c', 'a=a b=b b1=b1 c=c ü=ü',
    'TypeError: List limit must be positive.', 'TypeError: List limit must be positive.',
    'TypeError: list: start, startAfter, end and prefix are to be strings', 'TypeError: argument 1 is to be an object', 'a=a b=b b1=b1 c=c ü=ü']);
});

test('SQL gives rows as arrays, with names and counts', async (t) => {
  assert.deepEqual(await run(t, `
    const made = db.exec('CREATE TABLE t (i INTEGER PRIMARY KEY, x); INSERT INTO t (x) VALUES (?), (?)', [1.5, 'ü']);
    const read = db.exec("SELECT i, x, x'0102' AS blob, NULL AS none FROM t", []);
    const first = read.next();
    return [made.columnNames, made.all(), made.rowsWritten, read.columnNames, first.slice(0, 2), first[2] instanceof ArrayBuffer && [...new Uint8Array(first[2])],
      first[3], read.next().slice(0, 2), read.next(), read.next(), read.rowsRead, db.exec('SELECT 1 AS a, 2 AS a', []).all(), db.databaseSize > 0];`),
  [[], [], 2, ['i', 'x', 'blob', 'none'], [1, 1.5], [1, 2], null, [2, 'ü'], null, null, 2, [[1, 2]], true]);
});

test('parameters are turned into SQL as on the platform', async (t) => {
  assert.deepEqual(await run(t, `
    const value = (...values) => db.exec('SELECT ' + values.map(() => '?, typeof(?)').join(), values.flatMap((value) => [value, value])).all()[0];
    return [value(5, 'text', null, undefined, true), value(new Uint8Array([1, 2, 3]).subarray(1)).map((x) => x.byteLength ?? x), value({}, new Date(0)),
      value(NaN), failure(() => value(1n)), failure(() => value(Symbol('s'))), failure(() => db.exec('SELECT 1', 5)), failure(() => db.exec(5, [])),
      failure(() => value({ toString() { throw new Error('mine'); } })), db.exec('SELECT 9007199254740993, -1, 1e300', []).all()];`),
  [[5, 'real', 'text', 'text', null, 'null', null, 'null', 'true', 'text'], [2, 'blob'],
    ['[object Object]', 'text', new Date(0).toString(), 'text'].map((x) => x.replace(/\(.*\)/, '(Coordinated Universal Time)')), [null, 'null'],
    'TypeError: Cannot convert a BigInt value to a number', 'TypeError: Cannot convert a Symbol value to a string',
    'TypeError: argument 2 is to be an array', 'TypeError: argument 1 is to be a string', 'Error: mine', [[9007199254740992, -1, 1e300]]]);
});

test('long results come in portions, and survive commits', async (t) => {
  assert.deepEqual(await run(t, `
    db.exec('CREATE TABLE t (i INTEGER PRIMARY KEY, x)', []);
    const written = db.exec('WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 3000) INSERT INTO t SELECT i, i FROM c RETURNING i', []);
    await new Promise((resolve) => db.whenDurable(resolve));
    const all = db.exec('SELECT i FROM t', []).all();
    const cursor = db.exec('SELECT i FROM t', []);
    let sum = 0;
    for (let i = 0; i < 1000; i++) sum += cursor.next()[0];
    const readBefore = cursor.rowsRead;
    db.exec('DELETE FROM t WHERE i = 3000', []);
    await new Promise((resolve) => db.whenDurable(resolve));
    for (let row; (row = cursor.next());) sum += row[0];
    return [written.all().length, all.length, all[2999][0], sum, readBefore < 3000, cursor.rowsRead, cursor.next(), cursor.all(), db.exec('SELECT x FROM t WHERE i < 2000', []).all().length];`),
  [3000, 3000, 3000, 3000 * 3001 / 2 - 3000, true, 2999, null, [], 1999]);
});

test('a cursor whose database is closed says so', async (t) => {
  assert.match(await run(t, `
    const cursor = db.exec('WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 3000) SELECT i FROM c', []);
    cursor.next();
    db.close();
    return failure(() => cursor.all());`), /^Error: The rest of this result cannot be read: its database was closed/);
});

test('column names follow a schema that changes under a kept statement', async (t) => {
  assert.deepEqual(await run(t, `
    db.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)', []);
    const names = () => db.exec('SELECT * FROM t', []).columnNames;
    const before = [names(), names() === names()];
    db.exec('ALTER TABLE t ADD COLUMN b', []);
    const between = names();
    db.exec('ALTER TABLE t RENAME COLUMN a TO c', []);
    return [before, between, names(), db.exec('SELECT * FROM t', []).all()];`),
  [[['a'], true], ['a', 'b'], ['c', 'b'], [[1, null]]]);
});

test('failures are Errors in the platform\'s words, and what went before them stays', async (t) => {
  assert.deepEqual(await run(t, `
    db.exec('CREATE TABLE t (a UNIQUE)', []);
    const first = failure(() => db.exec('INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)', []));
    return [first, failure(() => db.exec('SELEC', [])), failure(() => db.exec('BEGIN', [])).slice(0, 60), failure(() => db.exec('SELECT * FROM _cf_METADATA', [])), db.exec('SELECT a FROM t', []).all(), failure(() => db.commit())];`),
  ['Error: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)', 'Error: near "SELEC": syntax error at offset 0: SQLITE_ERROR',
    'Error: To execute a transaction, please use the state.storage.transaction() or '.slice(0, 60), 'Error: no such table: _cf_METADATA: SQLITE_ERROR', [[1]], 'Error: no transaction is open']);
});

test('transactions nest', async (t) => {
  assert.deepEqual(await run(t, `
    const keys = () => db.list({}).map(([key]) => key).join();
    db.put('a', bytes('1'));
    db.begin(); db.put('b', bytes('2'));
    db.begin(); db.put('c', bytes('3')); const inner = keys(); db.rollback();
    db.commit();
    db.begin(); db.delete('a'); db.rollback();
    return [inner, keys()];`), ['a,b,c', 'a,b']);
});

test('alarms are milliseconds or null', async (t) => {
  assert.deepEqual(await run(t, `
    const before = db.getAlarm();
    db.setAlarm(1795333227487.9);
    const set = db.getAlarm();
    db.deleteAll(false); const kept = db.getAlarm();
    db.deleteAll(true); const gone = db.getAlarm();
    return [before, set, kept, gone, failure(() => db.setAlarm('x')), failure(() => db.setAlarm(NaN)), failure(() => db.deleteAll(1))];`),
  [null, 1795333227487, 1795333227487, null, 'TypeError: argument 1 is to be a whole number', 'TypeError: argument 1 is to be a whole number', 'TypeError: argument 1 is to be a boolean']);
});

test('a file that is no database is refused with its path and left alone', async (t) => {
  const [message, after] = await run(t, `
    const { mkdirSync, writeFileSync, readFileSync } = await import('node:fs');
    mkdirSync(directory + '/do/test-Agent', { recursive: true });
    writeFileSync(pathOf('agent'), 'garbage'.repeat(1000));
    return [failure(() => db.get('a')), readFileSync(pathOf('agent'), 'utf8') === 'garbage'.repeat(1000)];`);
  assert.match(message, /^Error: the database .*\.sqlite cannot be opened: file is not a database: SQLITE_NOTADB$/);
  assert.equal(after, true);
});

test('an agent that stores nothing has no file', async (t) => {
  assert.deepEqual(await run(t, `
    const { existsSync } = await import('node:fs');
    const read = [db.get('a') === undefined, db.list({}), db.getAlarm(), db.databaseSize, db.delete('a'), db.durable];
    db.setAlarm(null); db.deleteAll(true); db.close();
    return [read, existsSync(directory + '/do')];`), [[true, [], null, 0, false, true], false]);
});

test('the oldest Node.js that is supported runs it too', { skip: !process.env.HEARTH_OLD_NODE && 'HEARTH_OLD_NODE names none' }, async (t) => {
  assert.deepEqual(await run(t, `
    db.put('a', bytes('b'));
    return [text(db.get('a')), db.exec('SELECT 1', []).all()];`, { node: process.env.HEARTH_OLD_NODE }), ['b', [[1]]]);
});
