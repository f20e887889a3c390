// A host's start: takes the addon that HEARTH_ADDON names, and turns what the core sends into calls.
// The first message configures it; after Ready it is warm, after Promote it gets events. One thread.
import { createRequire } from "node:module";
import type { Addon, Handlers } from "./addon.ts";
import { describe } from "./agent/errors.ts";
import { rehearse } from "./agent/rehearsal.ts";
import { topLevelAwaits } from "./faults/handler_place.ts";
import type { WorkerDocument } from "./worker/document.ts";
import { whereOf } from "./faults/where.ts";
import { Worker } from "./worker/worker.ts";

const path = process.env["HEARTH_ADDON"];
if (path === undefined) throw new Error("HEARTH_ADDON names the native half of the host; the core sets it.");
delete process.env["HEARTH_ADDON"];
const addon = createRequire(import.meta.url)(path) as Addon;
process.setSourceMapsEnabled(true);

const exit = process.exit.bind(process); // the code's own is watched

let loaded: Worker | null = null;
const worker = (): Worker => loaded!;

const LOAD_MS_DEV = 10_000;
const LOAD_MS_SERVE = 45_000;

async function configure(json: string): Promise<void> {
  const document = JSON.parse(json) as WorkerDocument;
  // Before the core gives up, which knows no place.
  const limitMs = document.mode === "dev" ? LOAD_MS_DEV : LOAD_MS_SERVE;
  const timer = setTimeout(() => addon.loadFailed(JSON.stringify(neverLoaded(limitMs))), limitMs);
  try {
    loaded = new Worker(addon, document);
    const ready = JSON.stringify(await loaded.load());
    clearTimeout(timer);
    addon.ready(ready);
  } catch (error) {
    clearTimeout(timer);
    addon.loadFailed(JSON.stringify({ ...describe(error), where: whereOf(error), fix: commonJsAdvice(error) }));
  }
}

/** The loop turns, and the modules are not done: one of them waits. */
function neverLoaded(limitMs: number): object {
  const places = topLevelAwaits();
  return {
    message: `the code waits at the top level of a module, and has not gone on for ${limitMs / 1_000} seconds` +
      (places.length > 1 ? `; it may be one of these: ${places.join(", ")}` : ""),
    where: places[0],
    fix: "Await it in a handler or in onStart, not at the top level.",
  };
}

/** A file of the older kind of modules that its package.json says is of the newer. */
function commonJsAdvice(error: unknown): string | undefined {
  if (!(error instanceof ReferenceError) || !/^(?:module|exports|require) is not defined/.test(error.message)) return undefined;
  return "This file is CommonJS, and the package.json above it says \"type\": \"module\": name the file .cjs, or write import and export.";
}

async function leave(deadlineMs: number): Promise<void> {
  await loaded?.drain(deadlineMs);
  addon.drained();
  exit(0);
}

async function leaveIfQuiet(patienceMs: number): Promise<void> {
  if (loaded !== null && !(await loaded.quiet(patienceMs))) addon.notQuiet();
  else await leave(0);
}

const handlers: Handlers = {
  configure: (json) => void configure(json),
  promote(hostSlot, _generation, hostCount) {
    worker().residency.hostSlot = hostSlot;
    worker().residency.hostCount = hostCount;
  },
  fetch: (slot, request, _flags, bodyKind, method, url, headers, clientAddress, body) =>
    worker().requests.fetch(slot, request, bodyKind, method, url, headers, clientAddress, body),
  bodyData: (request, data) => worker().requests.bodyData(request, data),
  bodyEnd: (request) => worker().requests.bodyEnd(request),
  requestGone: (request, reason) => worker().requests.requestGone(request, reason),
  responseCredit: (request, bytes) => worker().requests.responseCredit(request, bytes),
  socketMessage: (slot, connection, data) => worker().events.socketMessage(slot, connection, data),
  socketClosed: (slot, connection, code, reason, kind) =>
    worker().events.socketClosed(slot, connection, code, reason, kind),
  alarm: (slot, namespace, id, name, scheduledMs, retries) =>
    worker().events.alarm(slot, namespace, id, name, scheduledMs, retries),
  agentWake: (namespace, id, name, autoRequest, autoResponse, sockets, eventTimeoutMs) =>
    worker().residency.wake(namespace, id, name, autoRequest, autoResponse, sockets, eventTimeoutMs),
  agentSocket: (namespace, id, connection, url, protocol, tags, attachment, autoResponseMs) =>
    worker().residency.socket(namespace, id, connection, url, protocol, tags, attachment, autoResponseMs),
  sleepAccepted: (namespace, id) => worker().residency.sleepAccepted(namespace, id),
  agentResume: (namespace, id) => worker().residency.resume(namespace, id),
  agentRehearse: (namespace, id) => void rehearse(worker().residency, namespace, id),
  agentRefused: (namespace, id, message) => worker().residency.refused(namespace, id, message),
  probeAlarm: (namespace, id) => worker().residency.probeAlarm(namespace, id),
  scheduled: (slot, cron, scheduledMs, number) => worker().scheduled(slot, number, cron, scheduledMs),
  hostServes: (hostSlot, host) => worker().rpc.peers.serves(hostSlot, host),
  peerData: (peer, data) => worker().rpc.peers.received(peer, data),
  peerGone: (peer) => worker().rpc.peers.gone(peer),
  leave: () => worker().leave(),
  agentMove: (namespace, id, patienceMs, hurry) => worker().residency.moves.ask(namespace, id, patienceMs, hurry === 1),
  agentElsewhere: (namespace, id, host) => worker().residency.elsewhere(namespace, id, host),
  drain: (deadlineMs) => void leave(deadlineMs),
  drainIfQuiet: (patienceMs) => void leaveIfQuiet(patienceMs),
  autoResponded: (connection, atMs) => worker().residency.sockets.get(connection)?.autoResponded(atMs),
  commitFailed: (database, message) => worker().commitFailed(database, message),
};

addon.start(handlers);
