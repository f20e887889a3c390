// A host with two workers: what belongs to which.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { HostCore } from './host_core.mjs';

const kFront = `
export default {
  async fetch(request, env) { return new Response(env.WHO + " " + env.BACK_WHO); },
  scheduled(controller, env) { throw new Error("cron of " + env.WHO); },
};
`;
const kBack = `
export class Thing {}
export default {
  scheduled(controller, env) { throw new Error("cron " + controller.cron + " of " + env.WHO); },
};
`;

test('a cron trigger runs the handler of its worker, and Ready tells of each', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-workers-'));
  const bundle = join(folder, 'index.mjs');
  writeFileSync(bundle, kBack);
  const part = { compatibilityDate: '2026-01-01', compatibilityFlags: ['nodejs_compat'] };
  const host = await HostCore.start(kFront, {
    document: {
      bindings: [{ type: 'var', name: 'WHO', value: 'front' }],
      workers: [{ ...part, worker: 'back', bundle, bindings: [{ type: 'var', name: 'WHO', value: 'back' }] }],
    },
  });
  t.after(async () => {
    await host.core.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  assert.deepEqual(host.ready, {
    handlers: ['fetch', 'scheduled'], classes: [],
    workers: [{ worker: 'back', handlers: ['scheduled'], classes: [{ name: 'Thing', base: 'none', handles: false }] }],
  });
  assert.equal(await host.text('/'), 'front undefined');
  host.core.send('Scheduled', { slot: 77, cron: '*/5', scheduled_ms: 5, worker: 1 });
  await host.until(() => host.core.progress(77) === 3 && host.logs.length === 1);
  assert.equal(host.logs[0].message, 'cron */5 of back');
  host.core.send('Scheduled', { slot: 78, cron: '*/5', scheduled_ms: 5, worker: 0 });
  await host.until(() => host.core.progress(78) === 3 && host.logs.length === 2);
  assert.equal(host.logs[1].message, 'cron of front');
});
