// The table of docs/compatibility.md is true: every answer of the probe is the one that is committed,
// on hearth and (TARGET=workerd) on the control, each difference is explained, and the document says it.
//   node tests/compatibility/update.mjs     makes them anew
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { ask, entries, kExpectedErrors } from "../compatibility/probe.mjs";
import { unexplained, withTables } from "../compatibility/tables.mjs";
import { kProjects, kRoot } from "../lib/paths.mjs";
import { hearthOnly, kTarget, start, startFor } from "../lib/target.mjs";

const read = (path) => JSON.parse(readFileSync(join(kRoot, path), "utf8"));
const expected = read("tests/projects/compat/expected.json");
const notes = read("tests/compatibility/notes.json");

let target, found;
before(async () => {
  target = await start("compat", { expectErrors: kExpectedErrors });
  found = new Map(entries(await ask(target)));
});
after(() => target?.stop());

/** Answers that are not the committed ones, for people to read. */
function otherwise(answers) {
  const other = [];
  for (const [path, entry] of Object.entries(expected.answers)) {
    const wanted = "both" in entry ? entry.both : entry[kTarget];
    if (JSON.stringify(answers.get(path)) === JSON.stringify(wanted)) continue;
    other.push(`${path}: ${JSON.stringify(answers.get(path))} instead of ${JSON.stringify(wanted)}`);
  }
  return other;
}

test("every answer is the one that is committed", () => {
  assert.deepEqual(otherwise(found), []);
  assert.deepEqual([...found.keys()].filter((path) => !(path in expected.answers)), [], "cases that nobody recorded");
});

test("with two hosts, and objects on either, the answers are the same", hearthOnly, async (t) => {
  const two = await startFor(t, "compat", { args: ["--hosts", "2"], expectErrors: kExpectedErrors });
  const answers = new Map(entries(await ask(two)));
  assert.deepEqual(otherwise(answers), []);
});

test("every difference from the platform's runtime is explained, and nothing else", () => {
  assert.deepEqual(unexplained(expected, notes), []);
});

test("the document holds the tables", () => {
  const document = readFileSync(join(kRoot, "docs/compatibility.md"), "utf8");
  assert.ok(document === withTables(document, expected, notes), "its tables are not those of the data: run tests/compatibility/update.mjs --docs");
});

test("the list of names is of the types that are installed", () => {
  assert.equal(expected.types, read("node_modules/@cloudflare/workers-types/package.json").version);
  assert.equal(expected.workerd, read("node_modules/workerd/package.json").version);
  assert.equal(read("tests/projects/compat/api.json").types, expected.types);
  assert.ok(Object.keys(expected.answers).length > 400);
});
