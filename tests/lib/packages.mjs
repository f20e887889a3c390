// The packages of the tests as a project's own node_modules: links, one for each, for what npm would
// install from the registry.
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { kProjects, kRoot } from "./paths.mjs";

export function installTestPackages(folder) {
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  mkdirSync(join(modules, "@cloudflare"));
  const from = join(kProjects, "node_modules");
  for (const name of readdirSync(from)) if (!name.startsWith(".") && name !== "@cloudflare") symlinkSync(join(from, name), join(modules, name));
  symlinkSync(join(from, "@cloudflare/ai-chat"), join(modules, "@cloudflare/ai-chat"));
  symlinkSync(join(kRoot, "node_modules/@cloudflare/workers-types"), join(modules, "@cloudflare/workers-types"));
  symlinkSync(join(kRoot, "node_modules/typescript"), join(modules, "typescript"));
  symlinkSync("../typescript/bin/tsc", join(modules, ".bin/tsc"));
}
