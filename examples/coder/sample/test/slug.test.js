import assert from "node:assert/strict";
import { test } from "node:test";
import { slug } from "../src/slug.js";

test("a word stays as it is", () => {
  assert.equal(slug("hearth"), "hearth");
});

test("accents are dropped", () => {
  assert.equal(slug("Café"), "cafe");
});

test("a run of separators is one hyphen, and none is at the ends", () => {
  assert.equal(slug("  Agents, at home! "), "agents-at-home");
});
