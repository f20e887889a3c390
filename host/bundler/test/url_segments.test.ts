// The table that the core's own rule is tested against, checked against the SDK as installed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { CHECKOUT } from "./support.ts";

test("the table of URL segments is what the SDK makes of each name", async () => {
  const file = pathToFileURL(path.join(CHECKOUT, "node_modules/agents/dist/utils.js")).href;
  const { camelCaseToKebabCase } = (await import(file)) as { camelCaseToKebabCase(name: string): string };
  const rows = readFileSync(path.join(CHECKOUT, "src/project/testdata/url_segments.tsv"), "utf8")
    .split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.ok(rows.length > 40);
  for (const row of rows) {
    const [name, segment] = row.split("\t");
    assert.equal(camelCaseToKebabCase(name!), segment, `for ${name}`);
  }
});
