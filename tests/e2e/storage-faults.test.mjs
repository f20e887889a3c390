// An agent whose database is damaged: its callers learn that, and not that the code is at fault; its
// neighbours go on.
import assert from "node:assert/strict";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { http } from "../lib/clients.mjs";
import { hearthOnly, start } from "../lib/target.mjs";
import { writeProject } from "../lib/written-project.mjs";

test("a damaged database is told as that", hearthOnly, async (t) => {
  const folder = writeProject({ classes: ["Room"], migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }] });
  const target = await start(folder, { command: "dev", expectErrors: [/R418/] });
  t.after(() => target.stop());
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const ids = {};
  for (const name of ["damaged", "well"]) {
    assert.equal((await http(`${target.url}/Room/${name}/put?v=${name}`)).text, "kept");
    ids[name] = (await http(`${target.url}/Room/${name}/id`)).text;
  }
  await target.stop({ keepState: true });
  const agents = join(target.state, "do", readdirSync(join(target.state, "do"))[0]);
  const file = join(agents, `${ids.damaged}.sqlite`);
  for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
  writeFileSync(file, Buffer.alloc(statSync(file).size, "no database "));

  await target.restart();
  const answer = await http(`${target.url}/Room/damaged/get`);
  assert.equal(answer.status, 503, answer.text);
  const { code, message, fix } = answer.json().error;
  assert.equal(code, "R418");
  assert.match(message, /the agent's database is damaged: .*SQLITE_NOTADB/);
  assert.match(fix, /hearth state restore/);
  assert.equal((await http(`${target.url}/Room/well/get`)).text, "well");
});
