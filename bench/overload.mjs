// Ten thousand clients flood one slow agent: what that costs the core, the host, and the neighbours.
//   node bench/overload.mjs BUILD        CLIENTS=10000 MESSAGES=32 BYTES=1024 SLOW_MS=100
// Takes less than a minute, and fails if a message is lost, out of order, or a socket closes.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const build = process.argv[2];
if (!build) {
  console.error("usage: node bench/overload.mjs BUILD");
  process.exit(2);
}
process.env.HEARTH_BUILD ??= build;
const { start } = await import("../tests/lib/target.mjs");
const { http, Socket } = await import("../tests/lib/clients.mjs");
const { RawWebSocket } = await import("../tests/lib/raw-websocket.mjs");
const { kFloodedAgents } = await import("../tests/lib/flooded-agents.mjs");
const { temporaryFolder } = await import("../tests/lib/folders.mjs");

const kClients = Number(process.env.CLIENTS ?? 10_000), kMessages = Number(process.env.MESSAGES ?? 32);
const kBytes = Number(process.env.BYTES ?? 1024), kSlowMs = Number(process.env.SLOW_MS ?? 100);
const kProcesses = 4, kNeighbours = 10, kLimitMs = 50_000, kPatienceMs = 30_000;
const descriptors = Number(spawnSync("bash", ["-c", "ulimit -Hn"]).stdout.toString().trim().replace("unlimited", "1000000"));
if (descriptors < kClients + 200) {
  console.error(`${kClients} clients need as many descriptors, and ulimit -Hn says ${descriptors}: CLIENTS=${descriptors - 200} asks for fewer`);
  process.exit(2);
}

const kWorker = `${kFloodedAgents}
export class Slow extends Counting {
  work() { return scheduler.wait(${kSlowMs}); }
}
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/seen") return Response.json(await env.SLOW.getByName("one").seen());
    const [, , kind, name] = pathname.split("/");
    return env[kind.toUpperCase()].getByName(name).fetch(request);
  },
};
`;

const folder = temporaryFolder("hearth-bench-");
writeFileSync(join(folder, "worker.js"), kWorker);
writeFileSync(join(folder, "wrangler.jsonc"), JSON.stringify({
  name: "overload", main: "worker.js", compatibility_date: "2026-06-01",
  durable_objects: { bindings: [{ name: "SLOW", class_name: "Slow" }, { name: "QUICK", class_name: "Quick" }] },
  migrations: [{ tag: "v1", new_sqlite_classes: ["Slow", "Quick"] }],
}));

const mb = (pid, what) => Number(new RegExp(`^${what}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const children = [];
process.on("exit", () => children.forEach(({ child }) => child.kill("SIGKILL")));

/** A process of clients: next() is its next line. */
function clients(port, index) {
  const each = Math.ceil(kClients / kProcesses), count = Math.min(each, kClients - index * each);
  const child = spawn(process.execPath, [join(root, "bench/overload_clients.mjs"),
    ...[port, "/agents/slow/one", index * each, count, kMessages, kBytes].map(String)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const started = { child, next: async () => JSON.parse((await lines.next()).value ?? '{"gone":true}') };
  children.push(started);
  return started;
}

const target = await start(folder, { args: ["--ping", "0"] });
let failed = true;
try {
  const groups = Array.from({ length: kProcesses }, (_, i) => clients(target.port, i));
  const opened = (await Promise.all(groups.map((group) => group.next()))).reduce((sum, { open = 0 }) => sum + open, 0);
  if (opened !== kClients) throw new Error(`${opened} of ${kClients} clients were let in`);
  const neighbours = await Promise.all(Array.from({ length: kNeighbours }, (_, i) => Socket.connect(`${target.ws}/agents/quick/${i}`)));
  target.clients.push(...neighbours);
  const host = target.hosts().reduce((a, b) => (mb(a, "VmRSS") > mb(b, "VmRSS") ? a : b));
  const before = { core: mb(target.pid, "VmRSS"), host: mb(host, "VmRSS") };

  let running = true, refused = 0, letIn = 0;
  const latencies = [];
  const neighbourLoops = neighbours.map(async (socket) => {
    while (running) {
      const since = performance.now();
      await socket.ask("hello", kPatienceMs);
      latencies.push(performance.now() - since);
      await pause(20);
    }
  });
  const newcomers = (async () => {
    while (running) {
      const { raw, response } = await RawWebSocket.ask(target.port, "/agents/slow/one");
      response?.status === 503 ? refused++ : letIn++;
      raw.destroy();
      await pause(50);
    }
  })();

  const since = performance.now();
  const sent = groups.map((group) => {
    group.child.stdin.write("go\n");
    return group.next();
  });
  const total = kClients * kMessages;
  let answer = { seen: 0 };
  while (answer.seen < total && performance.now() - since < kLimitMs) {
    await pause(200);
    answer = (await http(`${target.url}/seen`, { timeoutMs: kPatienceMs })).json();
  }
  const tookS = (performance.now() - since) / 1_000;
  running = false;
  await Promise.all([...neighbourLoops, newcomers]);
  const ends = answer.seen === total ? await Promise.all(sent) : [];
  const closed = ends.reduce((sum, end) => sum + end.closed, 0);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))].toFixed(1);

  console.log(`${kClients} clients, ${total} messages of ${kBytes} bytes (${(total * kBytes / 1048576).toFixed(0)} MB) to one agent whose handlers take ${kSlowMs} ms: ${tookS.toFixed(1)} s`);
  console.log(`core        ${before.core.toFixed(0)} MB with all connected, ${mb(target.pid, "VmHWM").toFixed(0)} MB at most`);
  console.log(`host        ${before.host.toFixed(0)} MB with all connected, ${mb(host, "VmHWM").toFixed(0)} MB at most`);
  console.log(`newcomers   ${refused} refused with 503, ${letIn} let in`);
  console.log(`neighbours  ${latencies.length} answers: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, the slowest ${at(1)} ms`);
  console.log(`lost ${total - answer.seen}, out of order ${answer.disorder}, sockets closed ${closed}`);
  failed = answer.seen !== total || answer.disorder !== 0 || closed !== 0;
} finally {
  for (const { child } of children) child.stdin.end();
  await target.stop({ checkDescriptors: false });
}
process.exit(failed ? 1 : 0);
