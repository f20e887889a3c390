// A core for the tests of the runtime: starts the host's bundle (host.mjs) with a worker written in the
// test, and plays the core's part towards agents: it knows their sockets, wakes them, lets them sleep,
// keeps their alarms.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { FakeCore } from '../../../addon/test/fake_core.mjs';

/** The folder of the host under test, in the build that HEARTH_BUILD names. */
export const build = resolve(process.env.HEARTH_BUILD ?? fileURLToPath(new URL('../../../../build/dev', import.meta.url)), 'host');

const kTimeoutMs = 5_000;

/** What the bundler makes of `import … from "cloudflare:workers"`. */
export const kPrelude = `
const { DurableObject, WorkerEntrypoint, RpcTarget, env: workerEnv, waitUntil } =
  globalThis[Symbol.for("hearth.modules")]["cloudflare:workers"];
`;

export const packed = (...parts) => parts.map((part) => part + '\0').join('');
export const unpacked = (list) => list.split('\0').slice(0, -1);

export class HostCore {
  #slot = 0;
  #request = 0;
  #requests = new Map();
  #waiters = new Map();
  #timers = new Map();
  frames = [];
  sockets = new Map(); // connection → { agent, tags, attachment, flags, sent, closed }
  agents = new Map(); // id → { namespace, name, awake, events, auto }
  alarms = new Map(); // id → at_ms
  logs = [];

  constructor(core, state) {
    this.core = core;
    this.state = state;
  }

  /** `classes`: names of the namespaces' classes; `bindings`: more of them. */
  static async start(source, options = {}) {
    const core = new FakeCore(`await import(${JSON.stringify(join(build, 'host.mjs'))});`,
      { node: join(build, 'node'), env: options.env, args: ['--enable-source-maps'] });
    const state = options.state ?? core.directory;
    const bundle = join(core.directory, 'index.mjs');
    mkdirSync(state, { recursive: true });
    writeFileSync(bundle, options.bundle ? source : kPrelude + source);
    const host = new HostCore(core, state);
    host.firesAlarms = options.firesAlarms ?? false;
    const classes = options.classes ?? [];
    core.send('Configure', { json: JSON.stringify({
      worker: 'test', bundle: options.bundle ?? bundle, state, mode: options.mode ?? 'dev', durability: 'os',
      compatibilityDate: '2026-01-01', compatibilityFlags: ['nodejs_compat'],
      namespaces: classes.map((className) => ({ className, uniqueKey: `test-${className}`, sqlite: true })),
      bindings: [...classes.map((name, namespace) => ({ type: 'durable_object', name, namespace })), ...(options.bindings ?? [])],
      crons: [], idleTimeoutMs: options.idleTimeoutMs ?? 60_000, ...options.document,
    }) });
    host.#run();
    const ready = await host.wait((frame) => frame.type === 'Ready' || frame.type === 'LoadFailed');
    host.ready = JSON.parse(ready.json);
    if (ready.type === 'LoadFailed') {
      if (options.loadFails) return host;
      await core.stop();
      throw new Error(`LoadFailed: ${ready.json}`);
    }
    host.slot = options.slot ?? 0;
    core.send('Promote', { host_slot: host.slot, generation: 1, host_count: options.hosts ?? 1 });
    return host;
  }

  /** Two hosts of the same worker, joined as the core joins them. */
  static async pair(source, options = {}) {
    const hosts = await Promise.all([0, 1].map((slot) => HostCore.start(source, { ...options, slot, hosts: 2 })));
    for (const host of hosts) {
      host.peers = hosts;
      for (const { slot } of hosts) host.core.send('HostServes', { host_slot: slot, host: slot + 1 });
    }
    return hosts;
  }

  onPeerSend({ peer, data }) {
    const other = this.peers[peer - 1];
    if (!other.ended) other.core.send('PeerData', { peer: this.slot + 1, data });
  }

  async #run() {
    try {
      for (;;) this.#took(await this.core.next());
    } catch (error) {
      this.ended = error;
      for (const { reject } of this.#waiters.values()) reject(error);
      for (const { reject } of this.#requests.values()) reject(error);
    }
  }

  #took(frame) {
    this.frames.push(frame);
    const handler = this[`on${frame.type}`];
    handler?.call(this, frame);
    for (const [predicate, waiter] of this.#waiters) {
      if (!predicate(frame)) continue;
      this.#waiters.delete(predicate);
      waiter.resolve(frame);
    }
  }

  /** The next frame (or one that came already, if `since` says from where) for which `predicate` holds. */
  wait(predicate, since = this.frames.length) {
    const early = this.frames.slice(since).find(predicate);
    if (early) return Promise.resolve(early);
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolvePromise, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(predicate);
        reject(new Error(`nothing came for ${predicate}; the last: ${JSON.stringify(this.frames.slice(-5))} ${JSON.stringify(this.logs)} ${this.core.stderr}`));
      }, kTimeoutMs);
      const settle = (done) => (value) => { clearTimeout(timer); done(value); };
      this.#waiters.set(predicate, { resolve: settle(resolvePromise), reject: settle(reject) });
    });
  }

  async until(check) {
    for (const end = Date.now() + kTimeoutMs; ;) {
      const value = await check();
      if (value) return value;
      if (Date.now() > end) throw new Error(`never came true: ${check}; logs: ${JSON.stringify(this.logs)}`);
      await new Promise((done) => setTimeout(done, 5));
    }
  }

  // ---- requests ----

  fetch(path, options = {}) {
    const request = ++this.#request;
    const slot = ++this.#slot;
    const body = options.body === undefined ? undefined : Buffer.from(options.body);
    const answer = new Promise((resolvePromise, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${path}; logs: ${JSON.stringify(this.logs)} ${this.core.stderr}`)), kTimeoutMs);
      const settle = (done) => (value) => { clearTimeout(timer); done(value); };
      this.#requests.set(request, { resolve: settle(resolvePromise), reject: settle(reject), chunks: [] });
    });
    answer.catch(() => {});
    this.core.send('Fetch', {
      slot, request, flags: options.upgrade ? 1 : 0, body_kind: options.stream ? 2 : body === undefined ? 0 : 1,
      method: options.method ?? (body === undefined ? 'GET' : 'POST'), url: `http://test${path}`,
      headers: packed(...Object.entries({ ...(options.upgrade ? { Upgrade: 'websocket' } : {}), ...options.headers }).flat()),
      client_address: '127.0.0.1', body: options.stream ? undefined : body,
    });
    return Object.assign(answer, { request, slot });
  }

  async text(path, options) {
    const response = await this.fetch(path, options);
    if (response.failed) throw Object.assign(new Error(response.failed.message), { details: response.failed });
    return response.body.toString();
  }

  #respond(frame, answer) {
    const waiting = this.#requests.get(frame.request);
    this.#requests.delete(frame.request);
    waiting?.resolve(answer);
  }

  onRespond(frame) {
    const answer = { status: frame.status, headers: unpacked(frame.headers), body: frame.body, streamed: frame.body_kind === 2 };
    if (frame.body_kind === 2) this.#requests.get(frame.request).head = answer;
    else this.#respond(frame, answer);
  }
  onResponseData(frame) {
    const waiting = this.#requests.get(frame.request);
    waiting?.chunks.push(frame.data);
    if (!this.holdCredit) this.core.send('ResponseCredit', { request: frame.request, bytes: frame.data.length });
  }
  onResponseEnd(frame) {
    const waiting = this.#requests.get(frame.request);
    if (waiting) this.#respond(frame, { ...waiting.head, body: Buffer.concat(waiting.chunks), chunks: waiting.chunks });
  }
  onResponseFailed(frame) { this.#respond(frame, { status: 500, failed: JSON.parse(frame.json) }); }
  onRespondUpgrade(frame) {
    this.#respond(frame, { status: 101, headers: unpacked(frame.headers), connection: frame.connection });
  }

  // ---- agents and sockets ----

  onAgentOpened({ agent, name }) { this.wake(agent, name); }
  wake({ namespace, id }, name = '') {
    const known = this.agents.get(id) ?? { namespace, name, auto: null };
    this.agents.set(id, known);
    if (name) known.name = name;
    known.awake = true;
    known.events = 0;
    const sockets = [...this.sockets].filter(([, socket]) => socket.agent.id === id && !socket.closed && (socket.flags & 1));
    this.core.send('AgentWake', { agent: { namespace, id }, name: known.name, sockets: sockets.length,
      has_auto_response: known.auto ? 1 : 0, auto_request: known.auto?.request, auto_response: known.auto?.response });
    for (const [connection, socket] of sockets) {
      this.core.send('AgentSocket', { agent: { namespace, id }, connection, tags: packed(...socket.tags), attachment: socket.attachment });
    }
  }
  onAgentSleep({ agent, events }) {
    const known = this.agents.get(agent.id);
    if (events < known.events) return;
    known.awake = false;
    this.core.send('SleepAccepted', { agent });
  }
  onSocketOpen({ connection, agent, flags, tags, attachment }) {
    this.sockets.set(connection, { agent, flags, tags: unpacked(tags), attachment, sent: [], closed: null });
  }
  onAttach({ connection, attachment }) { this.sockets.get(connection).attachment = attachment; }
  onSend({ connection, kind, data }) { this.sockets.get(connection)?.sent.push(kind === 2 ? data : data.toString()); }
  onSendMany({ connections, kind, data }) {
    for (let at = 0; at < connections.length; at += 8) {
      this.onSend({ connection: Number(connections.readBigUInt64LE(at)), kind, data });
    }
  }
  onCloseSocket({ connection, code, reason }) { this.sockets.get(connection).closed = { code, reason }; }
  onAutoResponse({ agent, enabled, request, response }) {
    this.agents.get(agent.id).auto = enabled ? { request, response } : null;
  }
  onAlarmSet({ agent, at_ms }) {
    this.alarms.set(agent.id, at_ms);
    clearTimeout(this.#timers.get(agent.id));
    if (!this.firesAlarms || at_ms < 0) return;
    this.#timers.set(agent.id, setTimeout(() => this.alarm(agent.id, at_ms).catch(() => {}), Math.max(0, at_ms - Date.now())));
  }
  onLog({ level, json }) { this.logs.push({ level, ...JSON.parse(json) }); }

  #agentEvent(agent) {
    const known = this.agents.get(agent.id);
    if (known && !known.awake) this.wake(agent);
    if (known) known.events++;
    return ++this.#slot;
  }

  message(connection, data) {
    const slot = this.#agentEvent(this.sockets.get(connection).agent);
    const kind = typeof data !== 'string' ? 2 : /^[\x00-\x7f]*$/.test(data) ? 0 : 1;
    this.core.send('SocketMessage', { slot, connection, kind, data });
    return slot;
  }
  close(connection, code = 1000, reason = '', clean = 1) {
    const socket = this.sockets.get(connection);
    const slot = this.#agentEvent(socket.agent);
    socket.closed = { code, reason };
    this.core.send('SocketClosed', { slot, connection, code, reason, clean });
    return slot;
  }
  alarm(id, scheduled, retries = 0) {
    const { namespace, name } = this.agents.get(id);
    const slot = this.#agentEvent({ namespace, id });
    this.core.send('Alarm', { slot, agent: { namespace, id }, name, scheduled_ms: scheduled, retries });
    return this.wait((frame) => frame.type === 'AlarmDone' && frame.agent.id === id);
  }

  async connect(path, options) {
    const response = await this.fetch(path, { upgrade: true, ...options });
    if (response.status !== 101) throw new Error(`no upgrade: ${JSON.stringify(response)} ${response.body ?? ''}`);
    return response.connection;
  }
  /** What was sent on a connection, once there are `count` frames; takes them away. */
  async received(connection, count = 1) {
    const socket = this.sockets.get(connection);
    await this.until(() => socket.sent.length >= count);
    return socket.sent.splice(0, count);
  }

  async drain() {
    this.core.send('Drain', { deadline_ms: 2000 });
    await this.wait((frame) => frame.type === 'Drained', 0).catch((error) => { throw error; });
    return this.core.exited;
  }
  stop() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    return (this.stopped ??= this.core.stop());
  }
}
