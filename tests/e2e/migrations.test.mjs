// Migrations with real agents' data before and after: each kind, what is refused, and a kill -9 on
// the way.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { http } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth } from "../lib/paths.mjs";
import { Child, until } from "../lib/process.mjs";
import { onHearth, start } from "../lib/target.mjs";
import { writeProject } from "../lib/written-project.mjs";

const suite = { skip: onHearth ? false : "hearth's own state", concurrency: 1 };
const v1 = { tag: "v1", new_sqlite_classes: ["A"] };

async function run(args, code) {
  const child = new Child(kHearth, args, { env: { ...process.env, NO_COLOR: "1" } });
  const timer = setTimeout(() => child.killTree(), 20_000);
  await child.exited;
  clearTimeout(timer);
  assert.equal(child.exit.code, code, child.output);
  return child.output;
}

/** Serves the project, asks, and ends in order. */
async function served(project, state, ask, options = {}) {
  const target = await start(project, { state, ...options });
  try {
    return await ask(async (path) => {
      const answer = await http(`${target.url}/${path}`);
      assert.equal(answer.status, 200, answer.text);
      return answer.text;
    }, target);
  } finally {
    await target.stop({ checkDescriptors: false, keepState: true });
  }
}

/** That it does not start, and what it says. */
const refused = (project, state, ...args) =>
  run(["serve", "-c", join(project, "wrangler.jsonc"), "--state", state, "--port", "0", ...args], 1);

describe("a class", suite, () => {
  test("is renamed with its agents, their ids and their alarms, once", async () => {
    const state = temporaryFolder("hearth-test-");
    const project = writeProject({ classes: ["A"], migrations: [v1] });
    let id;
    await served(project, state, async (ask) => {
      await ask("A/one/put?v=kept");
      id = await ask("A/one/id");
      await ask("A/two/alarm?in=1500");
    });
    const renamed = { tag: "v2", renamed_classes: [{ from: "A", to: "B" }] };
    writeProject({ folder: project, classes: ["B"], migrations: [v1, renamed] });
    for (let i = 0; i < 2; i++) {
      await served(project, state, async (ask, target) => {
        assert.equal(await ask("B/one/get"), "kept");
        assert.equal(await ask("B/one/id"), id);
        await until(async () => (await ask("B/two/get")) === "alarm in B", "the alarm, for its new class");
        assert.equal(/migration v2: A is B now, with its 2 agents/.test(target.output), i === 0, target.output);
      });
    }
    // The former name is free again, and begins empty.
    writeProject({ folder: project, classes: ["A", "B"], migrations: [v1, renamed, { tag: "v3", new_sqlite_classes: ["A"] }] });
    await served(project, state, async (ask) => {
      assert.equal(await ask("A/one/get"), "undefined");
      await ask("A/one/put?v=new");
      assert.equal(await ask("B/one/get"), "kept");
      assert.notEqual(await ask("A/one/id"), id);
    });
    assert.match(await refused(writeProject({ classes: ["A"], migrations: [v1] }), state), /S304.*"v3" was applied/);
  });

  test("is deleted only when that is confirmed, and its folder goes to the trash", async () => {
    const state = temporaryFolder("hearth-test-");
    const project = writeProject({ classes: ["A", "B"], migrations: [{ tag: "v1", new_sqlite_classes: ["A", "B"] }] });
    await served(project, state, async (ask) => {
      await ask("A/one/put?v=a");
      await ask("A/one/alarm?in=3600000");
      await ask("B/one/put?v=b");
    });
    writeProject({ folder: project, classes: ["B"], migrations: [{ tag: "v1", new_sqlite_classes: ["A", "B"] }, { tag: "v2", deleted_classes: ["A"] }] });
    assert.match(await refused(project, state), /S306.*"v2" deletes the class A, and 1 agent of it[\s\S]*--yes-delete A/);
    assert.match(await run(["doctor", "-c", join(project, "wrangler.jsonc"), "--state", state], 1), /S306/);
    assert.ok(existsSync(join(state, "do/mig-A")));
    await served(project, state, async (ask) => assert.equal(await ask("B/one/get"), "b"), { args: ["--yes-delete", "A"] });
    assert.ok(!existsSync(join(state, "do/mig-A")));
    const [trash] = readdirSync(join(state, "trash"));
    assert.match(trash, /^\d{8}-\d{6}-mig-A$/);
    assert.equal(readdirSync(join(state, "trash", trash)).filter((file) => file.endsWith(".sqlite")).length, 1);
    await served(project, state, async (ask) => assert.equal(await ask("B/one/get"), "b"));
    assert.doesNotMatch(await run(["state", "list", "--state", state], 0), /mig-A/);
  });

  test("is transferred from another worker of the same state", async () => {
    const state = temporaryFolder("hearth-test-");
    const old = writeProject({ name: "old", classes: ["A"], migrations: [v1] });
    let id;
    await served(old, state, async (ask) => {
      await ask("A/one/put?v=moved");
      id = await ask("A/one/id");
    });
    const next = writeProject({ name: "next", classes: ["B"],
      migrations: [{ tag: "v1", transferred_classes: [{ from: "A", from_script: "old", to: "B" }] }] });
    for (let i = 0; i < 2; i++) {
      await served(next, state, async (ask) => {
        assert.equal(await ask("B/one/get"), "moved");
        assert.equal(await ask("B/one/id"), id);
      });
    }
    // The other worker begins anew: its agents are not two workers' at once.
    await served(old, state, async (ask) => assert.equal(await ask("A/one/get"), "undefined"));
  });

  test("of the declarative form is created, renamed, transferred and deleted", async () => {
    const state = temporaryFolder("hearth-test-");
    const live = { type: "durable-object", storage: "sqlite" };
    const project = writeProject({ classes: ["A"], exports: { A: live } });
    await served(project, state, (ask) => ask("A/one/put?v=kept"));
    writeProject({ folder: project, classes: ["B"], exports: { A: { type: "durable-object", state: "renamed", renamed_to: "B" }, B: live } });
    for (let i = 0; i < 2; i++) await served(project, state, async (ask) => assert.equal(await ask("B/one/get"), "kept"));
    const other = writeProject({ name: "other", classes: ["B"], exports: { B: { ...live, state: "expecting-transfer", transfer_from: "mig" } } });
    await served(other, state, async (ask) => assert.equal(await ask("B/one/get"), "kept"));
    writeProject({ folder: other, name: "other", classes: ["C"], exports: { B: { type: "durable-object", state: "deleted" }, C: live } });
    assert.match(await refused(other, state), /S306: "exports" deletes the class B/);
    await served(other, state, async (ask) => assert.equal(await ask("C/one/get"), "undefined"), { args: ["--yes-delete", "B"] });
    assert.equal(readdirSync(join(state, "trash")).length, 1);
  });

  test("brought along from wrangler's own state follows its migrations", async () => {
    const state = temporaryFolder("hearth-test-");
    const project = writeProject({ classes: ["A"], migrations: [v1] });
    await served(project, state, (ask) => ask("A/one/put?v=brought"));
    for (const file of readdirSync(state)) if (/^registry/.test(file)) rmSync(join(state, file));
    writeProject({ folder: project, classes: ["B"], migrations: [v1, { tag: "v2", renamed_classes: [{ from: "A", to: "B" }] }] });
    await served(project, state, async (ask) => assert.equal(await ask("B/one/get"), "brought"));
  });
});

describe("a state that contradicts the configuration is refused", suite, () => {
  let state;
  const with1 = async () => {
    state = temporaryFolder("hearth-test-");
    await served(writeProject({ classes: ["A"], migrations: [v1] }), state, (ask) => ask("A/one/put?v=kept"));
  };

  test("when a class is gone while another is new, and when the worker was renamed", async () => {
    await with1();
    const edited = writeProject({ classes: ["B"], migrations: [{ tag: "v1", new_sqlite_classes: ["B"] }] });
    assert.match(await refused(edited, state), /S304.*1 agent of the class A[\s\S]*"from": "A", "to": "B"/);
    const doctor = await run(["doctor", "-c", join(edited, "wrangler.jsonc"), "--state", state], 1);
    assert.match(doctor, /S304[\s\S]*renamed_classes/);
    assert.match(await refused(writeProject({ name: "other", classes: ["A"], migrations: [v1] }), state),
      /S304.*worker "mig"[\s\S]*name it "mig" again[\s\S]*transferred_classes/);
    assert.ok(!existsSync(join(state, "do/other-A")), "no empty folder was made");
    await served(writeProject({ classes: ["A"], migrations: [v1] }), state, async (ask) => assert.equal(await ask("A/one/get"), "kept"));
  });

  test("doctor leaves the state as it found it", async () => {
    await with1();
    const project = writeProject({ classes: ["A"], migrations: [v1, { tag: "v2", new_sqlite_classes: ["C"] }] });
    await run(["doctor", "-c", join(project, "wrangler.jsonc"), "--state", state], 1).catch(() => {});
    await served(writeProject({ classes: ["A"], migrations: [v1] }), state, async (ask, target) => {
      assert.equal(await ask("A/one/get"), "kept");
      assert.doesNotMatch(target.output, /not orderly/);
    });
  });

  test("code that does not load leaves the state as it was", async () => {
    await with1();
    const project = writeProject({ classes: ["B"], code: "throw new Error('at load');",
      migrations: [v1, { tag: "v2", renamed_classes: [{ from: "A", to: "B" }] }] });
    assert.match(await refused(project, state), /at load/);
    await served(writeProject({ classes: ["A"], migrations: [v1] }), state, async (ask) => assert.equal(await ask("A/one/get"), "kept"));
  });
});

describe("kill -9 around a migration", suite, () => {
  test("loses no agent and leaves none half moved, wherever it strikes", async () => {
    const both = [{ tag: "v1", new_sqlite_classes: ["A", "B"] }, { tag: "v2", renamed_classes: [{ from: "A", to: "C" }], deleted_classes: ["B"] }];
    for (const delayMs of [0, 60, 90, 120, 150, 200, 260]) {
      const state = temporaryFolder("hearth-test-");
      const project = writeProject({ classes: ["A", "B"], migrations: both.slice(0, 1) });
      await served(project, state, async (ask) => {
        await ask("A/one/put?v=a");
        await ask("B/one/put?v=b");
      });
      writeProject({ folder: project, classes: ["C"], migrations: both });
      const child = new Child(kHearth, ["serve", "-c", join(project, "wrangler.jsonc"), "--state", state, "--port", "0", "--yes-delete", "B"]);
      await new Promise((resolve) => setTimeout(resolve, delayMs)); // where it strikes is not known, and need not be
      child.killTree();
      await child.exited;
      await served(project, state, async (ask) => assert.equal(await ask("C/one/get"), "a"), { args: ["--yes-delete", "B"] });
      assert.ok(!existsSync(join(state, "do/mig-B")));
      assert.equal(readdirSync(join(state, "trash")).length, 1);
    }
  });

  test("between the record and the move of a folder is made up for at the next start", async () => {
    const state = temporaryFolder("hearth-test-");
    const project = writeProject({ classes: ["A"], migrations: [v1] });
    await served(project, state, (ask) => ask("A/one/put?v=a"));
    writeProject({ folder: project, classes: ["B"], migrations: [v1, { tag: "v2", deleted_classes: ["A"], new_sqlite_classes: ["B"] }] });
    // The move fails, so the record alone is there: what a kill between the two leaves.
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, "trash"), "a file where the folder should be");
    await served(project, state, async (ask) => assert.equal(await ask("B/one/get"), "undefined"),
      { args: ["--yes-delete", "A"], expectErrors: [/S305.*trash/] });
    assert.ok(existsSync(join(state, "do/mig-A")));
    assert.match(await refused(project, state), /S305.*trash/);
    rmSync(join(state, "trash"));
    await served(project, state, async (ask) => assert.equal(await ask("B/one/get"), "undefined"));
    assert.ok(!existsSync(join(state, "do/mig-A")));
    assert.equal(readdirSync(join(state, "trash")).length, 1);
  });
});
