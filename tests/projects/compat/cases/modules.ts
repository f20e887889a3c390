// The modules behind cloudflare: and node:.
import * as workers from "cloudflare:workers";

import { load } from "../api.ts";
import { failure, type Area } from "../case.ts";
import names from "../node.json";

const loose = workers as unknown as Record<string, any>;

export const modules: Area[] = [
  {
    api: "cloudflare:workers", cases: {
      "env is the handler's": ({ env }) => [loose.env.TEXT, loose.env.PROBE.idFromName("alice").toString() === env.PROBE.idFromName("alice").toString()],
      "exports are the context's": () => typeof loose.exports.Named,
      "waitUntil can be called anywhere": () => { loose.waitUntil(Promise.resolve()); return true; },
      "withEnv replaces env for a while": () => [loose.withEnv({ TEXT: "other" }, () => loose.env.TEXT), loose.env.TEXT],
      "RpcTarget, RpcStub: a stub of one's own target": async () => { class T extends workers.RpcTarget { n() { return 1; } } const s = new loose.RpcStub(new T()); return s.n(); },
      "DurableObject and WorkerEntrypoint are classes": () => [typeof loose.DurableObject, typeof loose.WorkerEntrypoint, typeof loose.WorkflowEntrypoint],
    },
  },
  {
    api: "cloudflare:sockets", cases: {
      "connect() speaks TCP": async ({ url }) => { const { connect } = (await import("cloudflare:sockets")) as unknown as { connect(a: string): Socket }; const s = connect(url.host); const w = s.writable.getWriter(); await w.write(new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${url.host}\r\nConnection: close\r\n\r\n`)); const { value } = await s.readable.getReader().read(); return new TextDecoder().decode(value as Uint8Array).split("\r\n")[0]; },
      "to nobody fails": async () => { const { connect } = (await import("cloudflare:sockets")) as unknown as { connect(a: string): Socket }; return failure(() => connect("127.0.0.1:1").opened.then(() => {})); },
    },
  },
  {
    api: "cloudflare:durable-objects, cloudflare:email", cases: {
      "retryable marks methods and refuses other things": async () => { const { retryable } = (await import("cloudflare:durable-objects")) as unknown as { retryable(...m: unknown[]): void }; return [await failure(() => retryable(() => {})), await failure(() => retryable(5))]; },
      "EmailMessage keeps what it is given": async () => { const { EmailMessage } = (await import("cloudflare:email")) as unknown as { EmailMessage: new (f: string, t: string, r: string) => { from: string; to: string } }; const e = new EmailMessage("a@x", "b@x", "raw"); return [e.from, e.to]; },
      "a computed import of one": () => failure(() => load("cloudflare:sockets")),
    },
  },
  {
    api: "cloudflare:workflows", cases: {
      "NonRetryableError": async () => { const { NonRetryableError } = (await import("cloudflare:workflows")) as unknown as { NonRetryableError: new (m: string) => Error }; const e = new NonRetryableError("x"); return [e instanceof Error, e.name, e.message]; },
    },
  },
  {
    api: "cloudflare:node", cases: {
      "httpServerHandler serves a node:http server": async () => {
        const { httpServerHandler } = (await import("cloudflare:node")) as unknown as { httpServerHandler(s: object): { fetch(r: Request): Promise<Response> } };
        const { createServer } = await load("node:http") as unknown as { createServer(f: (q: { url: string }, s: { end(t: string): void }) => void): { listen(n: number): void; close(): void } };
        const server = createServer((q, s) => s.end(`node ${q.url}`));
        server.listen(0); // whichever port is free
        try {
          return await (await httpServerHandler(server).fetch(new Request("http://x/p"))).text();
        } finally {
          server.close();
        }
      },
    },
  },
  {
    // What workerd's own modules export; hearth's are Node's.
    api: "node: modules", cases: Object.fromEntries(Object.entries(names as Record<string, string[]>).map(([name, exports]) => [
      name, async () => { const module = await load(name); return exports.filter((each) => !(each in module)); },
    ])),
  },
  {
    api: "Node.js globals", cases: {
      "Buffer and process are there": () => [Buffer.from("a").toString("hex"), typeof process.nextTick, typeof process.versions.node],
      "process.env can be written": () => { process.env.MINE = "1"; return process.env.MINE; },
      "require is not there in modules": () => typeof (globalThis as { require?: unknown }).require,
      "AsyncLocalStorage follows awaits and timers": async () => { const { AsyncLocalStorage } = (await load("node:async_hooks")) as unknown as { AsyncLocalStorage: new () => { run<T>(v: unknown, f: () => T): T; getStore(): unknown } }; const s = new AsyncLocalStorage(); return s.run(5, async () => { await scheduler.wait(1); return s.getStore(); }); },
      "files of the machine can be read": async () => { const fs = (await load("node:fs")) as unknown as { existsSync(p: string): boolean }; return fs.existsSync("/etc/passwd"); },
      "programs can be run": async () => { const { execFileSync } = (await load("node:child_process")) as unknown as { execFileSync(p: string, a: string[]): { toString(): string } }; return execFileSync("/bin/echo", ["hi"]).toString().trim(); },
      "EventEmitter, path, util, crypto": async () => { const [events, path, util, nodeCrypto] = await Promise.all(["node:events", "node:path", "node:util", "node:crypto"].map(load)) as Record<string, any>[]; return [typeof events!.EventEmitter, path!.join("a", "..", "b"), util!.format("%d", 5), nodeCrypto!.createHash("md5").update("a").digest("hex")]; },
    },
  },
];
