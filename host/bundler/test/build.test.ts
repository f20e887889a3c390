import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { SourceMap, createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";

import { NAMES } from "../../runtime/src/modules/names.ts";
import { TestProject, providePlatform } from "./support.ts";

const WORKER = "export default { fetch() { return new Response('ok'); } };\n";

test("a bundle is named by its content and an unchanged project keeps its name", async (t) => {
  const project = new TestProject(t, { "src/index.ts": WORKER });
  const first = await project.build();
  assert.equal(first.ok, true, JSON.stringify(first));
  assert.match(path.basename(first.bundle!), /^index-[0-9a-f]{12}\.mjs$/);
  assert.ok(existsSync(`${first.bundle}.map`));
  assert.deepEqual(first.exports, ["default"]);
  assert.deepEqual(first.inputs, [path.join(project.root, "src/index.ts")]);
  const second = await project.build();
  assert.equal(second.bundle, first.bundle);
  project.write("src/index.ts", WORKER + "export const more = 1;\n");
  assert.notEqual((await project.build()).bundle, first.bundle);
});

test("the last three bundles stay and earlier ones go", async (t) => {
  const project = new TestProject(t, {});
  const bundles: string[] = [];
  for (let i = 0; i < 5; i++) {
    project.write("src/index.ts", `${WORKER}export const version = ${i};\n`);
    bundles.push((await project.build()).bundle!);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  assert.deepEqual(bundles.map((bundle) => existsSync(bundle)), [false, false, true, true, true]);
  assert.equal(readdirSync(project.outdir).length, 6);
});

test("cloudflare:workers reads the host's modules, by every name the platform has", async (t) => {
  const platform = Object.fromEntries(NAMES["cloudflare:workers"]!.map((name) => [name, { name }]));
  class DurableObject {}
  providePlatform({ "cloudflare:workers": { ...platform, DurableObject } });
  const project = new TestProject(t, {
    "src/index.ts": `import * as all from "cloudflare:workers";
      import { DurableObject } from "cloudflare:workers";
      export class Counter extends DurableObject {}
      export const later = () => import("cloudflare:workers");
      export { all };
      ${WORKER}`,
  });
  const loaded = await project.load();
  assert.equal(Object.getPrototypeOf(loaded["Counter"]), DurableObject);
  assert.deepEqual(Object.keys(loaded["all"]).sort(), [...NAMES["cloudflare:workers"]!].sort());
  assert.equal((await loaded["later"]()).DurableObject, DurableObject);
});

test("a name that the platform's module lacks is an error at its line", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import { DurableObjekt } from "cloudflare:workers";\nexport class A extends DurableObjekt {}\n${WORKER}`,
  });
  const report = await project.build();
  assert.equal(report.ok, false);
  assert.match(report.errors![0]!.text, /No matching export .* for import "DurableObjekt"/);
  assert.deepEqual([report.errors![0]!.file, report.errors![0]!.line, report.errors![0]!.column], ["src/index.ts", 1, 10]);
});

test("an unknown module of the platform names the nearest, and workerd's internals are refused", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import "cloudflare:worker";\nimport "workerd:rtti";\nimport "workerd:unsafe";\n${WORKER}`,
  });
  const { errors } = await project.build();
  assert.match(errors![0]!.text, /no module "cloudflare:worker"; did you mean "cloudflare:workers"\?/);
  assert.match(errors![1]!.text, /"workerd:rtti" exists inside workerd only/);
  assert.match(errors![2]!.text, /"workerd:unsafe" is there with the compatibility flag "unsafe_module" only/);
});

test("Node's built-ins stay outside, with and without their prefix, in modules and in CommonJS", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import fs from "fs"; import { join } from "node:path"; import legacy from "legacy";
      export const same = { fs, join, legacy }; ${WORKER}`,
    "node_modules/legacy/package.json": '{"name":"legacy","main":"index.js","browser":{"fs":false}}',
    "node_modules/legacy/index.js": `const fs = require("fs"); const { EventEmitter } = require("events");
      module.exports = { readFileSync: fs.readFileSync, EventEmitter, dirname: typeof __dirname };`,
  });
  const { same } = await project.load();
  assert.equal(same.fs.readFileSync, readFileSync);
  assert.equal(same.join, path.join);
  assert.equal(same.legacy.readFileSync, readFileSync);
  assert.equal(same.legacy.dirname, "string");
});

test("a project may have its own require and __dirname at the top level", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import { createRequire } from "node:module";
      const require = createRequire(import.meta.url);
      const __dirname = "mine"; const __filename = "mine too";
      export const os = require("node:os"); export const names = [__dirname, __filename]; ${WORKER}`,
  });
  const loaded = await project.load();
  assert.equal(loaded["os"], createRequire(import.meta.url)("node:os"));
  assert.deepEqual(loaded["names"], ["mine", "mine too"]);
});

test("conditions are workerd, worker, browser, in a package's own order", async (t) => {
  const manifest = (exports: object) => JSON.stringify({ name: "p", exports });
  const project = new TestProject(t, {
    "src/index.ts": `import which from "p"; import other from "q"; export { which, other }; ${WORKER}`,
    "node_modules/p/package.json": manifest({ node: "./n.js", workerd: "./w.js", default: "./d.js" }),
    "node_modules/p/n.js": "export default 'node'", "node_modules/p/w.js": "export default 'workerd'",
    "node_modules/p/d.js": "export default 'default'",
    "node_modules/q/package.json": manifest({ browser: "./b.js", default: "./d.js" }),
    "node_modules/q/b.js": "export default 'browser'", "node_modules/q/d.js": "export default 'default'",
  });
  const loaded = await project.load();
  assert.deepEqual([loaded["which"], loaded["other"]], ["workerd", "browser"]);
});

test("class names survive, with and without minify", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `export class CoderAgent {}\n{ class CoderAgent2 {} ; globalThis.inner = CoderAgent2.name; }\n
      export const name = new CoderAgent().constructor.name; ${WORKER}`,
  });
  assert.equal((await project.load())["name"], "CoderAgent");
  assert.equal((await project.load({ minify: true }))["name"], "CoderAgent");
});

test("TC39 decorators and `using` are lowered", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `
      const seen: string[] = [];
      function callable() { return (_method: unknown, context: ClassMethodDecoratorContext) => { seen.push(String(context.name)); }; }
      export class A { @callable() hello() { return "hello"; } accessor count = 1; }
      { using handle = { [Symbol.dispose]() { seen.push("disposed"); } }; void handle; }
      export { seen }; ${WORKER}`,
  });
  const report = await project.build();
  const text = readFileSync(report.bundle!, "utf8");
  assert.doesNotMatch(text, /@callable|^\s*using /m);
  const loaded = await project.load();
  assert.deepEqual(loaded["seen"], ["hello", "disposed"]);
  assert.equal(new loaded["A"]().count, 1);
});

test("defines: the mode, the platform's user agent, and the project's own", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `export const values = [process.env.NODE_ENV, navigator.userAgent, VERSION]; ${WORKER}`,
  });
  const before = process.env["NODE_ENV"];
  delete process.env["NODE_ENV"];
  try {
    const define = { VERSION: '"1.2"' };
    assert.deepEqual((await project.load({ define, mode: "dev" }))["values"], ["development", "Cloudflare-Workers", "1.2"]);
    assert.deepEqual((await project.load({ define, mode: "serve" }))["values"], ["production", "Cloudflare-Workers", "1.2"]);
  } finally {
    if (before !== undefined) process.env["NODE_ENV"] = before;
  }
});

test("alias replaces exactly the import it names, from the project's folder", async (t) => {
  const project = new TestProject(t, {
    "src/deep/use.ts": `import a from "replaced"; import b from "replaced/sub"; export { a, b };`,
    "src/index.ts": `export * from "./deep/use.ts"; ${WORKER}`,
    "stub.ts": "export default 'stub'",
    "node_modules/replaced/package.json": '{"name":"replaced"}',
    "node_modules/replaced/sub.js": "export default 'sub'",
  });
  const loaded = await project.load({ alias: { replaced: "./stub.ts" } });
  assert.deepEqual([loaded["a"], loaded["b"]], ["stub", "sub"]);
  const broken = await project.build({ alias: { replaced: "./stubb.ts" } });
  assert.match(broken.errors![0]!.text, /"\.\/stubb\.ts", which the configuration's "alias" puts in place of "replaced"/);
});

test("tsconfig: the project's own by default, another by name", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import value from "@/value"; export { value }; ${WORKER}`,
    "lib/value.ts": "export default 'lib'", "other/value.ts": "export default 'other'",
    "tsconfig.json": '{"compilerOptions":{"paths":{"@/*":["./lib/*"]}}}',
    "tsconfig.other.json": '{"compilerOptions":{"paths":{"@/*":["./other/*"]}}}',
  });
  assert.equal((await project.load())["value"], "lib");
  assert.equal((await project.load({ tsconfig: "tsconfig.other.json" }))["value"], "other");
});

test("jsx by factory and fragment, in .js files too", async (t) => {
  const project = new TestProject(t, {
    "src/view.js": "export const view = h => { globalThis.h = h; return <><b>x</b></>; };",
    "src/index.ts": `export * from "./view.js"; ${WORKER}`,
  });
  const { view } = await project.load({ jsxFactory: "h", jsxFragment: '"frag"' });
  assert.deepEqual(view((...parts: unknown[]) => parts), ["frag", null, ["b", null, "x"]]);
});

test("the source map leads every position to the user's own file and line", async (t) => {
  const source = ["type Unused = { gone: true };", "", "interface Also { gone: true }",
    "export function boom(): never {", "  throw new Error('here');", "}", WORKER].join("\n");
  const project = new TestProject(t, { "src/deep/boom.ts": source, "src/index.ts": `export * from "./deep/boom.ts"; ${WORKER}` });
  const report = await project.build();
  const code = readFileSync(report.bundle!, "utf8").split("\n");
  const map = JSON.parse(readFileSync(`${report.bundle}.map`, "utf8"));
  const line = code.findIndex((text) => text.includes('new Error("here")'));
  const origin = new SourceMap(map).findEntry(line, code[line]!.indexOf("throw"));
  assert.ok("originalSource" in origin);
  assert.equal(origin.originalSource, path.join(project.root, "src/deep/boom.ts"));
  assert.equal(origin.originalLine + 1, 5);
  assert.equal(origin.originalColumn, 2);
  assert.ok(map.sources.every((file: string) => path.isAbsolute(file)));
});

test("minified and plain builds of CommonJS entry points keep their default export", async (t) => {
  const project = new TestProject(t, { "src/index.cjs": "module.exports = { fetch() { return 1; } };" });
  const loaded = await project.load({ main: "src/index.cjs" });
  assert.equal(loaded["default"].fetch(), 1);
});

test("no_bundle links what is imported and transforms nothing", async (t) => {
  const project = new TestProject(t, {
    "dist/index.js": `import { n } from "./part.js"; export class K {}; export const own = Object.keys(Object.getOwnPropertyDescriptors(K));
      export const mode = typeof process.env.NODE_ENV_X; export { n }; ${WORKER}`,
    "dist/part.js": "export const n = 7;",
  });
  const loaded = await project.load({ main: "dist/index.js", noBundle: true, minify: true });
  assert.equal(loaded["n"], 7);
  const report = await project.build({ main: "dist/index.js", noBundle: true, minify: true });
  assert.doesNotMatch(readFileSync(report.bundle!, "utf8"), /__name\(/);
});

test("find_additional_modules makes modules that a computed import finds", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `const name = ["./lang", "en.mjs"].join("/"); export const load = () => import(name); ${WORKER}`,
    "src/lang/en.mjs": "import { shared } from '../shared.js'; export default 'hello' + shared;",
    "src/shared.js": "export const shared = '!';",
    "src/notes.md": "not a module",
  });
  const rules = [{ type: "ESModule", globs: ["lang/*.mjs"], fallthrough: true }];
  const loaded = await project.load({ findAdditionalModules: true, rules });
  assert.equal((await loaded["load"]()).default, "hello!");
});
