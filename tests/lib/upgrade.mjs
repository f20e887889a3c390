// `hearth upgrade` of a server under test, which is another process afterwards.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { kHearth } from "./paths.mjs";
import { Child } from "./process.mjs";

/** To its end: {code, output, elapsedMs}. */
export async function upgrade(target, ...args) {
  const since = performance.now();
  const child = new Child(kHearth, ["upgrade", "--state", target.state, ...args]);
  const { code } = await child.exited;
  if (code === 0) follow(target);
  return { code, output: child.output, elapsedMs: performance.now() - since };
}

/** The target is the process that has the state directory now; the one before has ended or will. */
export function follow(target) {
  const before = target.pid;
  target.pid = target.child.pid = Number(readFileSync(join(target.state, "lock"), "utf8"));
  assert.notEqual(target.pid, before);
  return before;
}
