// Makes anew what the probe found: api.json from the types, node.json and expected.json from workerd
// and hearth, and the tables of docs/compatibility.md from these. Run by hand when something changed:
//   node tests/compatibility/update.mjs [--docs]      --docs: the tables only
// What it finds different and tests/compatibility/notes.json does not explain is listed.
import { builtinModules } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { kProjects, kRoot } from "../lib/paths.mjs";
import { start } from "../lib/target.mjs";
import { ask, entries, exported, kExpectedErrors, same } from "./probe.mjs";
import { unexplained, withTables } from "./tables.mjs";

const kProject = join(kProjects, "compat");
const kDocument = join(kRoot, "docs/compatibility.md");
const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const versionOf = (name) => read(join(kRoot, "node_modules", name, "package.json")).version;

async function on(target, use) {
  const started = await start("compat", { target, expectErrors: kExpectedErrors });
  try {
    return await use(started);
  } finally {
    await started.stop();
  }
}

/** The names that workerd's modules export, of those modules that Node.js has too. */
async function nodeModules() {
  const names = builtinModules.filter((name) => !name.startsWith("_") && !name.startsWith("node:")).map((name) => `node:${name}`);
  const found = await on("workerd", (target) => exported(target, names));
  for (const list of Object.values(found)) if (list.includes("default")) list.splice(list.indexOf("default"), 1);
  writeFileSync(join(kProject, "node.json"), `{\n${Object.entries(found).map(([name, list]) => `  ${JSON.stringify(name)}: ${JSON.stringify(list)}`).join(",\n")}\n}\n`);
}

async function expected() {
  const workerd = new Map(entries(await on("workerd", ask)));
  const hearth = new Map(entries(await on("hearth", ask)));
  const lines = [...hearth].map(([path, answer]) => {
    const control = workerd.get(path);
    return `    ${JSON.stringify(path)}: ${JSON.stringify(same(control, answer) ? { both: answer } : { workerd: control, hearth: answer })}`;
  });
  writeFileSync(join(kProject, "expected.json"),
    `{\n  "types": "${read(join(kProject, "api.json")).types}",\n  "workerd": "${versionOf("workerd")}",\n  "answers": {\n${lines.join(",\n")}\n  }\n}\n`);
}

if (!process.argv.includes("--docs")) {
  await import("./list_api.mjs");
  await nodeModules();
  await expected();
}
const found = read(join(kProject, "expected.json"));
const notes = read(join(kRoot, "tests/compatibility/notes.json"));
for (const problem of unexplained(found, notes)) console.log(problem);
writeFileSync(kDocument, withTables(readFileSync(kDocument, "utf8"), found, notes));
