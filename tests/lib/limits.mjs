// hearth under limits that a shell sets.
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./folders.mjs";
import { kHearth } from "./paths.mjs";

/** A program that is hearth under `ulimit -n DESCRIPTORS`. */
export function underLimit(descriptors) {
  const script = join(temporaryFolder("hearth-limited-"), "hearth");
  writeFileSync(script, `#!/bin/sh\nulimit -n ${descriptors}\nexec "${kHearth}" "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}
