// Each promise of docs/delivery.md names a test, and each test that it names is there.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { kRoot } from "../lib/paths.mjs";

const page = readFileSync(join(kRoot, "docs/delivery.md"), "utf8");
const [text] = page.split(/^\[`.*`\]: /m);
const links = new Map([...page.matchAll(/^\[`(.+)`\]: (\S+)$/gm)].map(([, label, path]) => [label, join(kRoot, "docs", path)]));
const promises = [...text.matchAll(/^- \*\*[\s\S]*?(?=^- |^#|^\||(?![\s\S]))/gm)].map(([promise]) => promise);
const kNamed = /`(\w+_test(?:\.\w+)?|(?:e2e|runtime)\/[\w/.]+|chaos)`/g;

/** Of a C++ test, by its name; null when there is none. */
function sourceOf(file) {
  const found = ["src", "host"].flatMap((room) => readdirSync(join(kRoot, room), { recursive: true }).map((path) => join(kRoot, room, path)))
    .find((path) => path.endsWith(`/${file}.cc`));
  return found ? readFileSync(found, "utf8") : null;
}

describe("docs/delivery.md", () => {
  test("has promises", () => assert.ok(promises.length > 20, `${promises.length}`));

  for (const promise of promises) {
    test(`names a test for "${promise.slice(4, 60).replaceAll("\n", " ")}…"`, () => assert.match(promise, new RegExp(kNamed.source), promise));
  }

  test("names no C++ test that is not there", () => {
    for (const [, file, name] of text.matchAll(/`(\w+_test)\.(\w+)`/g)) {
      const source = sourceOf(file);
      assert.ok(source, `${file}.cc is not there`);
      assert.match(source, new RegExp(`^TEST(_F|_P)?\\(\\s*\\w+,\\s*${name}\\)`, "m"), `${file} has no test ${name}`);
    }
  });

  test("names no other test that is not there, and none by a title that it does not have", () => {
    for (const [, file, titles] of text.replaceAll(/\s+/g, " ").matchAll(/`((?:e2e|runtime)\/[\w/.]+|chaos)`\]?((?: \((?:"[^"]+"(?:, )?)+\))?)/g)) {
      const path = links.get(file) ?? join(kRoot, "tests", `${file}.test.mjs`);
      assert.ok(existsSync(path), `${path} is not there`);
      const source = readFileSync(path, "utf8");
      for (const [, title] of titles.matchAll(/"([^"]+)"/g)) {
        for (const part of title.split("…")) assert.ok(source.includes(part.trim()), `${file} has no test "${title}"`);
      }
    }
  });

  test("leads to files that are there", () => {
    for (const [label, path] of links) assert.ok(existsSync(path), `${label}: ${path}`);
    for (const [, label] of text.matchAll(/\[`([^`]+)`\](?!\()/g)) assert.ok(links.has(label), `[${label}] leads nowhere`);
  });
});
