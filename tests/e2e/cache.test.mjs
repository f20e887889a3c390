// The Cache API's entries: on disk, shared by the hosts, there again after a kill.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { http } from "../lib/clients.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kNames = ["a", "b", "c", "d", "e", "f"]; // on both hosts

test("what one host puts every host finds, also after kill -9", hearthOnly, async (t) => {
  const target = await startFor(t, "cache", { args: ["--hosts", "2"] });
  const ask = async (path) => (await http(`${target.url}${path}`)).json();
  for (const [number, name] of kNames.entries()) await ask(`/put?on=${name}&key=${name}&bytes=${1000 + number}`);
  await ask("/put?key=large&bytes=3000000");
  const allFound = async () => {
    for (const reader of kNames) {
      for (const [number, name] of kNames.entries()) assert.equal(await ask(`/length?on=${reader}&key=${name}`), 1000 + number);
      assert.equal(await ask(`/length?on=${reader}&key=large`), 3_000_000);
    }
  };
  await allFound();
  await target.kill();
  await target.restart();
  await allFound();

  assert.equal(await ask("/delete?key=b"), true);
  assert.equal(await ask("/delete?key=b"), false);
  for (const reader of kNames) assert.equal(await ask(`/length?on=${reader}&key=b`), null);
});

test("a client's conditions and ranges are answered from the entry", hearthOnly, async (t) => {
  const target = await startFor(t, "cache");
  await http(`${target.url}/put?key=k&bytes=1000000`);
  const hit = await http(`${target.url}/?key=k`);
  assert.deepEqual([hit.status, hit.body.length, hit.headers["cf-cache-status"]], [200, 1_000_000, "HIT"]);
  const part = await http(`${target.url}/?key=k`, { headers: { Range: "bytes=10-500009" } });
  assert.deepEqual([part.status, part.body.length, part.headers["content-range"]], [206, 500_000, "bytes 10-500009/1000000"]);
  assert.equal((await http(`${target.url}/?key=k`, { headers: { "If-None-Match": '"e"' } })).status, 304);
  assert.equal((await http(`${target.url}/?key=none`)).status, 404);
});

test("a file that was cut short is a miss, not an answer", hearthOnly, async (t) => {
  const target = await startFor(t, "cache");
  await http(`${target.url}/put?key=k&bytes=1000`);
  const folder = join(target.state, "cache/http");
  const [file] = readdirSync(folder);
  writeFileSync(join(folder, file), readFileSync(join(folder, file)).subarray(0, -1));
  assert.equal((await http(`${target.url}/?key=k`)).status, 404);
});
