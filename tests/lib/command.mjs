// hearth's subcommands that do something and end.
import assert from "node:assert/strict";

import { kHearth } from "./paths.mjs";
import { Child } from "./process.mjs";

/** Runs `hearth ARGS…`, checks its exit code, and gives what it printed. */
export async function command(args, { code = 0, env = {}, cwd, timeoutMs = 20_000 } = {}) {
  const child = new Child(kHearth, args, { cwd, env: { ...process.env, NO_COLOR: "1", ...env } });
  const timer = setTimeout(() => child.killTree(), timeoutMs);
  await child.exited;
  clearTimeout(timer);
  assert.equal(child.exit.code, code, child.output);
  return child.output;
}
