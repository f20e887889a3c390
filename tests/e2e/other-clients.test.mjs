// Clients that nobody here wrote: Debian's python3-websockets, and curl.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { kRoot } from "../lib/paths.mjs";
import { hearthOnly, start } from "../lib/target.mjs";

const run = promisify(execFile);
let target;
let folder;
before(async () => {
  target = await start("raw");
  folder = mkdtempSync(join(tmpdir(), "hearth-curl-"));
});
after(async () => {
  if (folder) rmSync(folder, { recursive: true, force: true });
  await target?.stop();
});

test("python3-websockets: messages, fragments, compression, ping, close", hearthOnly, async () => {
  const { stdout } = await run("/usr/bin/python3", [join(kRoot, "tests/e2e/other_clients.py"), target.ws], { timeout: 30_000 });
  assert.equal(stdout.trim(), "ok");
});

describe("curl", () => {
  const curl = async (...args) => (await run("curl", ["-sS", "--max-time", "30", ...args], { maxBuffer: 1 << 26, encoding: "buffer" })).stdout.toString("utf8");

  test("reuses its connection", async () => {
    const out = await curl("-w", "%{num_connects} ", `${target.url}/`, "-o", "/dev/null", `${target.url}/env`, "-o", "/dev/null", `${target.url}/`, "-o", "/dev/null");
    assert.equal(out.trim(), "1 0 0");
  });

  test("uploads in chunks and downloads what came", async () => {
    const file = join(folder, "upload");
    const bytes = Buffer.alloc(5_000_000, "0123456789abcdef");
    writeFileSync(file, bytes);
    await curl("-H", "Transfer-Encoding: chunked", "-T", file, `${target.url}/echo`, "-o", join(folder, "back"));
    assert.ok(readFileSync(join(folder, "back")).equals(bytes));
  });

  test("waits for 100 (Continue) with a large body", async () => {
    const file = join(folder, "large");
    writeFileSync(file, Buffer.alloc(20_000_000, 1));
    const started = performance.now();
    const out = await curl("-H", "Expect: 100-continue", "-X", "POST", "--data-binary", `@${file}`, `${target.url}/whole`);
    assert.deepEqual(JSON.parse(out), { bytes: 20_000_000, sum: 20_000_000 % 65_521 });
    assert.ok(performance.now() - started < 10_000);
  });

  test("echoes a body that it announced with Expect", async () => {
    const file = join(folder, "echoed");
    writeFileSync(file, Buffer.alloc(300_000, "e"));
    const out = await curl("-H", "Expect: 100-continue", "-X", "POST", "--data-binary", `@${file}`, `${target.url}/echo`);
    assert.equal(out.length, 300_000);
  });

  test("streams a large download, slowly too, without the server's memory growing by it", async () => {
    await curl(`${target.url}/download?bytes=50000000`, "-o", join(folder, "download"));
    assert.equal(statSync(join(folder, "download")).size, 50_000_000);
    const resident = () => target.processes().reduce((sum, pid) => sum + Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]), 0);
    const before = resident();
    const slow = run("curl", ["-sS", "--limit-rate", "1M", "--max-time", "3", `${target.url}/download?bytes=400000000`, "-o", "/dev/null"]).catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const grown = resident() - before;
    assert.equal((await slow).code, 28, "curl gave up by its own limit");
    assert.ok(grown < 150_000, `grew by ${grown} KB while the client was slow`);
  });

  test("HEAD, ranges of methods, and compressed or not", async () => {
    assert.match(await curl("-I", `${target.url}/`), /^HTTP\/1\.1 200 OK/);
    for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS"]) assert.equal(JSON.parse(await curl("-X", method, `${target.url}/request`)).method, method);
    assert.equal(await curl("--compressed", `${target.url}/`), "hello from the worker");
    assert.equal(await curl("--http1.0", `${target.url}/`), "hello from the worker");
  });

  test("sends a form with a file", async () => {
    const file = join(folder, "note.txt");
    writeFileSync(file, "a note");
    assert.deepEqual(JSON.parse(await curl("-F", "who=ann", "-F", `file=@${file};type=text/x-note`, `${target.url}/form`)),
      { who: "ann", file: { name: "note.txt", type: "text/x-note", text: "a note" } });
  });
});
