// The same cases on workerd and on rpc/, in one host and across two: the answers are the same, but for
// the differences listed here, each with its reason.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { makeWorld } from "./harness.ts";

const casesFile = path.join(import.meta.dirname, "cases.mjs");

const DIFFERENT: Record<string, string> = {
  rBlob: "a Blob's bytes cannot be read at once, as sending it to another host would need",
  rSab: "we refuse it when it is sent, workerd when it is received",
  rGlobal: "the global object's class has another name",
  callConstructor: "the same refusal, in other words",
  eExtra: "cause is not enumerable here, as it is in the language",
  eAbortThen: "a stub goes on to the next life of an agent that was reset",
  eStack: "the stack shows where the other side threw",
  jsStream: "the error says what is wrong with the stream",
  writableJs: "chunks arrive as Uint8Array, as their type says",
  usedAfter: "a stream that was handed over is locked",
  exportsNs: "the harness has a namespace class of its own",
  exportsCtor: "the harness has a namespace class of its own",
};
// The harness has one env for each host, and one module for all.
const DIFFERENT_BETWEEN_HOSTS = ["envLive"];

const config = (folder: string): string => `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [ (name = "main", worker = .w), (name = "disk", disk = (path = "${folder}/state", writable = true)) ],
  sockets = [ (name = "http", address = "127.0.0.1:0", http = (), service = "main") ]
);
const w :Workerd.Worker = (
  modules = [ (name = "cases.mjs", esModule = embed "cases.mjs") ],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [
    (className = "Target", uniqueKey = "t", enableSql = true), (className = "NoBase", uniqueKey = "n") ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "TARGET", durableObjectNamespace = "Target"), (name = "NOBASE", durableObjectNamespace = "NoBase"),
    (name = "SELF", service = "main"),
    (name = "ENTRY", service = (name = "main", entrypoint = "Entry", props = (json = "{\\"color\\":\\"red\\"}"))) ],
);`;

const VOLATILE = new Set([".stack", ".durableObjectId", ".code", ".message", ".name", "durableObjectId"]);
function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !VOLATILE.has(key)).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, stable(member)]));
}

function parse(text: string): Map<string, unknown> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => {
    const space = line.indexOf(" ");
    return [line.slice(0, space), stable(JSON.parse(line.slice(space + 1)))] as const;
  }));
}

async function onWorkerd(folder: string): Promise<Map<string, unknown>> {
  await mkdir(path.join(folder, "state"));
  await copyFile(casesFile, path.join(folder, "cases.mjs"));
  await writeFile(path.join(folder, "config.capnp"), config(folder));
  const binary = (createRequire(import.meta.url)("workerd") as { default: string }).default;
  const child: ChildProcess = spawn(
    binary, ["serve", path.join(folder, "config.capnp"), "--experimental", "--control-fd=3"],
    { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  try {
    let errors = "";
    child.stderr!.on("data", (data: Buffer) => (errors += data.toString()));
    const port = await new Promise<number>((resolve, reject) => {
      let text = "";
      child.stdio[3]!.on("data", (data: Buffer) => {
        text += data.toString();
        const found = /"port":(\d+)/.exec(text);
        if (found) resolve(Number(found[1]));
      });
      child.once("exit", () => reject(new Error(`workerd ended: ${errors}`)));
    });
    const http = await import("node:http");
    return parse(await new Promise<string>((resolve, reject) => {
      http.get({ port, host: "127.0.0.1", path: "/" }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (data: string) => (text += data)).on("end", () => resolve(text));
      }).on("error", reject);
    }));
  } finally {
    child.kill("SIGKILL");
  }
}

async function onHearth(hosts: number): Promise<Map<string, unknown>> {
  const cases = (await import(casesFile)) as Record<string, never> & { default: { fetch: Function } };
  const { Target, NoBase, Entry, Hidden } = cases;
  const world = makeWorld({
    classes: { Target: Target!, NoBase: NoBase! },
    entrypoints: { default: cases.default, Entry, Hidden },
    hosts,
    place: () => hosts - 1,
  });
  for (const host of world.hosts) {
    Object.assign(host.env, {
      TARGET: host.namespace("Target"), NOBASE: host.namespace("NoBase"),
      SELF: host.rpc.entrypoint("default"), ENTRY: host.rpc.entrypoint("Entry", { color: "red" }),
    });
  }
  const here = world.hosts[0]!;
  const ctx = { exports: here.exports, waitUntil() {} };
  const response = (await cases.default.fetch(new Request("http://cases/"), here.env, ctx)) as Response;
  return parse(await response.text());
}

describe("RPC beside workerd", () => {
  let folder: string;
  let theirs: Map<string, unknown>;
  let ours: Map<string, unknown>;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "hearth-rpc-"));
    theirs = await onWorkerd(folder);
    ours = await onHearth(1);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("answers every case as workerd does, but for the known differences", () => {
    assert.ok(theirs.size > 200, `workerd answered ${theirs.size} cases`);
    const different = [...theirs].filter(([name, answer]) => {
      try {
        assert.deepEqual(ours.get(name), answer);
        return false;
      } catch {
        return true;
      }
    });
    const unknown = different.filter(([name]) => !(name in DIFFERENT));
    assert.deepEqual(unknown.map(([name, answer]) => ({ name, answer, ours: ours.get(name) })), []);
    assert.deepEqual(different.map(([name]) => name).sort(), Object.keys(DIFFERENT).sort());
  });

  it("answers every case across hosts as within one", async () => {
    const across = await onHearth(2);
    assert.equal(across.size, ours.size);
    for (const [name, answer] of ours) {
      if (!DIFFERENT_BETWEEN_HOSTS.includes(name)) assert.deepEqual(across.get(name), answer, name);
    }
  });
});
