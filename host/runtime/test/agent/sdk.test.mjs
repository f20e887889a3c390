// The unmodified SDK (agents, from tests/projects) on the host, spoken to in its own JSON frames.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { build, HostCore } from './host_core.mjs';

const kProject = fileURLToPath(new URL('../../../../tests/projects/agents', import.meta.url));
const skip = existsSync(join(kProject, '../node_modules/agents')) ? false : 'npm packages of tests/projects are not installed';
const directory = mkdtempSync(join(tmpdir(), 'hearth-sdk-'));
after(() => rmSync(directory, { recursive: true, force: true }));

let built;
function bundle() {
  if (built) return built;
  const job = { root: kProject, main: 'server.ts', outdir: directory, define: {}, alias: {}, rules: [], minify: false, mode: 'dev', watch: false };
  const { stdout, stderr } = spawnSync(join(build, 'node'), [join(build, 'bundler.mjs')], { input: JSON.stringify(job) });
  const result = JSON.parse(stdout.toString().split('\n')[0]);
  assert.ok(result.ok, `${JSON.stringify(result)} ${stderr}`);
  return (built = result.bundle);
}

async function started(t, options) {
  const host = await HostCore.start('', {
    bundle: bundle(), classes: ['TestAgent', 'OtherAgent', 'ChildAgent'],
    document: { bindings: [
      { type: 'durable_object', name: 'TestAgent', namespace: 0 }, { type: 'durable_object', name: 'OTHER_AGENT', namespace: 1 },
    ] }, ...options,
  });
  t.after(() => host.stop());
  return host;
}

class Client {
  #ids = 0;
  constructor(host, connection) { Object.assign(this, { host, connection }); }
  static async connect(host, name = 'one', query = '') {
    return new Client(host, await host.connect(`/agents/test-agent/${name}${query}`));
  }
  get sent() { return this.host.sockets.get(this.connection).sent; }
  /** The first frame that is like `match`; takes it away. */
  async frame(match) {
    const fits = (text) => { try { const json = JSON.parse(text); return Object.entries(match).every(([key, value]) => json[key] === value); } catch { return false; } };
    await this.host.until(() => this.sent.some(fits)).catch(() => { throw new Error(`no ${JSON.stringify(match)} among ${this.sent.join('\n')}; ${JSON.stringify(this.host.logs)}`); });
    return JSON.parse(this.sent.splice(this.sent.findIndex(fits), 1)[0]);
  }
  send(message) { this.host.message(this.connection, typeof message === 'string' ? message : JSON.stringify(message)); }
  async call(method, ...args) {
    const id = String(++this.#ids);
    this.send({ type: 'rpc', id, method, args });
    const answer = await this.frame({ type: 'rpc', id });
    if (!answer.success) throw new Error(answer.error);
    return answer.result;
  }
}

test('state, callables, SQL and connections', { skip }, async (t) => {
  const host = await started(t);
  const one = await Client.connect(host, 'one', '?user=ann&tag=red');
  const two = await Client.connect(host, 'one', '?user=bob');
  assert.equal((await one.frame({ type: 'cf_agent_identity' })).name, 'one');
  assert.deepEqual((await one.frame({ type: 'cf_agent_state' })).state, { count: 0, notes: [] });
  await two.frame({ type: 'cf_agent_state' });
  assert.equal(await one.call('add', 2), 2);
  assert.equal((await two.frame({ type: 'cf_agent_state' })).state.count, 2);
  two.send({ type: 'cf_agent_state', state: { count: 7, notes: [] } });
  await host.until(async () => (await one.call('whole')).count === 7);
  assert.equal((await one.call('whoami')).current, true);
  await assert.rejects(one.call('fails'), /callable failed on purpose/);
  await assert.rejects(one.call('notCallable'), /not callable/);
  one.send('say hello');
  await host.until(() => one.sent.some((text) => text.includes('"state":{"user":"ann","said":1}')));
  one.send('tagged red only red');
  await one.host.until(() => one.sent.includes('only red'));
  assert.ok(!two.sent.includes('only red'));
  one.send('others hi');
  await host.until(() => two.sent.includes('hi'));
  await one.call('keep', 'a note');
  assert.equal((await one.call('log', 'kept'))[0].note, 'a note');
  assert.equal((await one.call('askOther', 'x')), 'x: HELLO');
});

test('streaming callables', { skip }, async (t) => {
  const host = await started(t);
  const one = await Client.connect(host);
  one.send({ type: 'rpc', id: 's', method: 'counts', args: [3] });
  const results = [];
  for (;;) {
    const frame = await one.frame({ type: 'rpc', id: 's' });
    results.push(frame.result);
    if (frame.done) break;
  }
  assert.deepEqual(results, [{ i: 1 }, { i: 2 }, { i: 3 }, 'counted']);
});

test('schedules and the queue run, and set the alarm', { skip }, async (t) => {
  const host = await started(t, { firesAlarms: true });
  const one = await Client.connect(host);
  await one.call('enqueue', 'from the queue');
  await host.until(async () => (await one.call('log', 'queued'))[0]?.note === 'from the queue');
  const schedule = await one.call('inSeconds', 1, 'in a second');
  assert.equal(schedule.type, 'delayed');
  await host.until(async () => (await one.call('log', 'scheduled'))[0]?.note === 'in a second');
});

test('sub-agents keep their own state', { skip }, async (t) => {
  const host = await started(t);
  const one = await Client.connect(host);
  assert.deepEqual(await one.call('child', 'a', 2), { count: 2, name: 'a', parent: 'one' });
  assert.equal((await one.call('child', 'a', 3)).count, 5);
  assert.equal((await one.call('child', 'b', 1)).count, 1);
  assert.deepEqual((await one.call('childNames')).sort(), ['a', 'b']);
  assert.equal(await one.call('dropChild', 'a'), false);
  assert.equal((await one.call('child', 'a', 1)).count, 1);
});

test('HTTP, RPC from the worker, and an agent that slept', { skip }, async (t) => {
  const host = await started(t, { idleTimeoutMs: 300 });
  assert.equal((await host.fetch('/nothing')).status, 404);
  await host.text('/agents/test-agent/h', { body: 'note' });
  const one = await Client.connect(host, 'h', '?user=ann');
  const before = (await one.call('whoami')).instance;
  const id = [...host.agents].find(([, { name }]) => name === 'h')[0];
  await host.until(() => !host.agents.get(id).awake);
  assert.deepEqual(JSON.parse(await host.text('/rpc?name=h')), { greeting: 'h greets the worker', state: { count: 0, notes: ['note'] } });
  one.send('say again');
  await host.until(() => one.sent.some((text) => text.includes('"user":"ann"')));
  assert.notEqual((await one.call('whoami')).instance, before);
  const failed = await host.fetch('/agents/test-agent/h/throw');
  assert.equal(failed.status, 500);
  // The SDK's own answer would be the bare stack, to whomever asked.
  assert.equal(failed.failed.message, 'onRequest failed on purpose');
  assert.match(failed.failed.where, /server\.ts:\d+/);
});
