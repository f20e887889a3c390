// More agents awake than a process may have databases open.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { http } from "../lib/clients.mjs";
import { underLimit } from "../lib/limits.mjs";
import { kRoot } from "../lib/paths.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";
import { descriptors } from "../lib/process.mjs";

const kDescriptors = 300; // a hundred databases and a half, less what is reserved
const kAgents = 200;

test("more agents are awake than databases can be open, and none notices", hearthOnly, async (t) => {
  const target = await startFor(t, join(kRoot, "bench/worker"), { binary: underLimit(kDescriptors) });
  for (let round = 1; round <= 3; round++) {
    const answers = await Promise.all(Array.from({ length: kAgents }, (_, i) => http(`${target.url}/count/${i}`)));
    assert.deepEqual(new Set(answers.map(({ status, body }) => `${status} ${body}`)), new Set([`200 ${round}`]));
  }
  const [host] = target.hosts();
  assert.ok(descriptors(host).length < kDescriptors, "the host has descriptors to spare");
});
