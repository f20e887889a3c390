import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";

import { globToRegExp } from "../src/glob.ts";
import { compileRules, matchRule } from "../src/plugins/rules.ts";
import { TestProject } from "./support.ts";

const WORKER = "export default { fetch() { return new Response('ok'); } };\n";
// (module (func (export "answer") (result i32) i32.const 42))
const WASM = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 7, 10, 1, 6,
  ...Buffer.from("answer"), 0, 0, 10, 6, 1, 4, 0, 0x41, 42, 0x0b,
]);

test("globs match what the import writes", () => {
  const cases: [string, string, boolean][] = [
    ["**/*.txt", "./a.txt", true], ["**/*.txt", "a.txt", true], ["**/*.txt", "pkg/deep/a.txt", true],
    ["**/*.txt", "./a.txt2", false], ["**/*.txt", "./atxt", false], ["*.md", "./notes/x.md", true],
    ["**/*.wasm?module", "./x.wasm?module", true], ["**/*.wasm?module", "./x.wasmmodule", false],
    ["prompts/*.md", "./prompts/a.md", false], ["./prompts/*.md", "./prompts/a.md", true],
    ["**/*.(a)", "./x.(a)", true],
  ];
  for (const [glob, specifier, expected] of cases) {
    assert.equal(globToRegExp(glob).test(specifier), expected, `${glob} on ${specifier}`);
  }
});

test("a rule without fallthrough closes its type to the rules after it", () => {
  const open = compileRules([{ type: "Text", globs: ["**/*.md"], fallthrough: true }]);
  assert.equal(matchRule(open, "./a.md")!.closed, false);
  assert.equal(matchRule(open, "./a.txt")!.closed, false);
  const closed = compileRules([{ type: "Text", globs: ["**/*.md"] }]);
  assert.equal(matchRule(closed, "./a.md")!.closed, false);
  assert.equal(matchRule(closed, "./a.txt")!.closed, true);
  assert.equal(matchRule(closed, "./a.bin")!.closed, false);
});

test("text, data and WebAssembly become a string, an ArrayBuffer and a module", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import text from "./a.txt"; import page from "./p.html"; import data from "./b.bin";
      import wasm from "./c.wasm"; import again from "./c.wasm?module"; import prompt from "./prompts/one.md";
      import bare from "d.txt"; import packaged from "assets/e.txt";
      export const all = { text, page, data, wasm, again, prompt, bare, packaged }; ${WORKER}`,
    "src/a.txt": "héllo\n", "src/p.html": "<p>", "src/b.bin": Uint8Array.from([0, 255, 10]),
    "src/c.wasm": WASM, "src/prompts/one.md": "# one", "src/d.txt": "beside",
    "node_modules/assets/package.json": '{"name":"assets"}', "node_modules/assets/e.txt": "packaged",
  });
  const { all } = await project.load({ rules: [{ type: "Text", globs: ["**/*.md"], fallthrough: true }] });
  assert.equal(all.text, "héllo\n");
  assert.equal(all.page, "<p>");
  assert.ok(all.data instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(all.data)], [0, 255, 10]);
  assert.equal(new WebAssembly.Instance(all.wasm).exports["answer"] instanceof Function, true);
  assert.equal((new WebAssembly.Instance(all.again).exports["answer"] as () => number)(), 42);
  assert.deepEqual([all.prompt, all.bare, all.packaged], ["# one", "beside", "packaged"]);
});

test("`import source` gives a WebAssembly.Module", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import source wasm from "./c.wasm"; export { wasm }; ${WORKER}`, "src/c.wasm": WASM,
  });
  const { wasm } = await project.load();
  assert.equal((new WebAssembly.Instance(wasm).exports["answer"] as () => number)(), 42);
});

test("import attributes say themselves what a file is", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import a from "./a.md" with { type: "text" }; import j from "./j.json";
      import k from "./j.json" with { type: "json" }; import b from "./a.md" with { type: "bytes" };
      export const all = { a, j, k, b }; ${WORKER}`,
    "src/a.md": "# a", "src/j.json": '{"n":1}',
  });
  const { all } = await project.load();
  assert.equal(all.a, "# a");
  assert.deepEqual([all.j, all.k], [{ n: 1 }, { n: 1 }]);
  assert.deepEqual([...all.b], [...Buffer.from("# a")]);
});

test("a file that only a closed rule matches is refused with the way out", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import a from "./a.txt"; export { a }; ${WORKER}`, "src/a.txt": "a",
  });
  const report = await project.build({ rules: [{ type: "Text", globs: ["**/*.md"] }] });
  assert.equal(report.ok, false);
  assert.match(report.errors![0]!.text, /matches "\.\/a\.txt", and an earlier rule of type Text without "fallthrough"/);
  assert.equal(report.errors![0]!.line, 1);
});

test("a missing file of a rule is an error at the import's line with the nearest name", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `\nimport a from "./promt.txt"; export { a }; ${WORKER}`, "src/prompt.txt": "a",
  });
  const report = await project.build();
  assert.deepEqual([report.errors![0]!.file, report.errors![0]!.line], ["src/index.ts", 2]);
  assert.match(report.errors![0]!.notes[0]!.text, /Did you mean "\.\/prompt\.txt"\?/);
});

test("the bytes beside a bundle live as long as the bundle", async (t) => {
  const project = new TestProject(t, { "src/b.bin": Uint8Array.from([1]) });
  const bundles: string[] = [];
  for (let i = 0; i < 4; i++) {
    project.write("src/index.ts", `import b from "./b.bin"; export const v = [b, ${i}]; ${WORKER}`);
    bundles.push((await project.build()).bundle!);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  for (const bundle of bundles.slice(1)) {
    assert.ok(existsSync(bundle));
    assert.equal(((await import(bundle)) as { v: [ArrayBuffer, number] }).v[0].byteLength, 1);
  }
});
