import assert from "node:assert/strict";
import { test } from "node:test";

import { TestProject } from "./support.ts";

const WORKER = "export default { fetch() { return new Response('ok'); } };\n";

test("a syntax error has its file, line, column and text, counted in characters", async (t) => {
  const project = new TestProject(t, { "src/index.ts": `const ok = 1;\nconst é = "é" +* 2;\n${WORKER}` });
  const report = await project.build();
  assert.equal(report.ok, false);
  const error = report.errors![0]!;
  assert.deepEqual([error.file, error.line, error.column, error.lineText], ["src/index.ts", 2, 16, 'const é = "é" +* 2;']);
  assert.match(error.text, /Unexpected "\*"/);
});

test("JSX in a file whose name promises none is told how the file is named", async (t) => {
  const page = (name: string) => `import { page } from "./${name}"; export { page }; ${WORKER}`;
  for (const source of ["export const page = <div>hi</div>;", "export const page = () => <Main title=\"a\" />;"]) {
    const project = new TestProject(t, { "src/index.ts": page("view"), "src/view.ts": `${source}\n` });
    const error = (await project.build()).errors![0]!;
    assert.equal(error.file, "src/view.ts");
    assert.equal(error.notes[0]?.text, "If this is JSX, name the file view.tsx.");
  }
  const project = new TestProject(t, { "src/index.ts": `const wrong = (1 < 2 +* 3);\n${WORKER}` });
  assert.deepEqual((await project.build()).errors![0]!.notes, []);
});

test("a package that is not installed comes with the command of the project's package manager", async (t) => {
  const project = new TestProject(t, { "src/index.ts": `import x from "@some/thing/sub"; export { x }; ${WORKER}` });
  const note = async () => (await project.build()).errors![0]!.notes[0]!.text;
  assert.match(await note(), /Run: npm install @some\/thing {3}\(in /);
  project.write("pnpm-lock.yaml", "");
  assert.match(await note(), /Run: pnpm add @some\/thing /);
});

test("a subpath that an installed package lacks is not answered with an install command", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import x from "p/missing"; export { x }; ${WORKER}`,
    "node_modules/p/package.json": '{"name":"p","exports":{".":"./i.js"}}', "node_modules/p/i.js": "",
  });
  const error = (await project.build()).errors![0]!;
  assert.ok(error.notes.length > 0);
  assert.ok(error.notes.every((note) => !note.text.includes("Run:")));
});

test("a relative import that is missing names the nearest file", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import { A } from "./coder-agnet"; export { A }; ${WORKER}`, "src/coder-agent.ts": "export class A {}",
  });
  const error = (await project.build()).errors![0]!;
  assert.match(error.text, /Could not resolve "\.\/coder-agnet"/);
  assert.match(error.notes[0]!.text, /Did you mean "\.\/coder-agent\.ts"\?/);
});

test("a named import that a module lacks is an error at the import", async (t) => {
  const project = new TestProject(t, {
    "src/index.ts": `import { Codder } from "./a"; export class B extends Codder {} ${WORKER}`, "src/a.ts": "export class Coder {}",
  });
  const error = (await project.build()).errors![0]!;
  assert.match(error.text, /No matching export in "src\/a\.ts" for import "Codder"/);
});

test("a missing entry point names the nearest file beside it", async (t) => {
  const project = new TestProject(t, { "src/server.ts": WORKER });
  const report = await project.build({ main: "src/sever.ts" });
  assert.equal(report.errors![0]!.text, "the entry point src/sever.ts does not exist; did you mean src/server.ts?");
});

test("an entry point that exports nothing says what to export", async (t) => {
  const project = new TestProject(t, { "src/index.ts": "addEventListener('fetch', () => {});" });
  const report = await project.build();
  assert.match(report.errors![0]!.text, /src\/index\.ts exports nothing/);
  assert.match(report.errors![0]!.notes[0]!.text, /export default \{ fetch/);
});

test("warnings are told with their place and do not fail the build", async (t) => {
  const project = new TestProject(t, { "src/index.ts": `export const x = (y: unknown) => typeof y === "nmber";\n${WORKER}` });
  const report = await project.build();
  assert.equal(report.ok, true);
  assert.deepEqual([report.warnings!.length, report.warnings![0]!.file, report.warnings![0]!.line], [1, "src/index.ts", 1]);
});

test("a faulty define is an error, not a crash", async (t) => {
  const project = new TestProject(t, { "src/index.ts": WORKER });
  const report = await project.build({ define: { K: "not a value" } });
  assert.equal(report.ok, false);
  assert.match(report.errors![0]!.text, /[Ii]nvalid define value/);
});
