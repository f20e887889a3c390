// A core for tests, in plain Node: starts a host script with the two descriptors that a host
// inherits and speaks the wire's frames over the socket. The fields are written and read by a table
// made from messages.def itself, so that the two cannot drift apart.
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The addon under test: that of the build which HEARTH_BUILD names. */
export const addonPath = resolve(process.env.HEARTH_BUILD ?? fileURLToPath(new URL('../../../build/dev', import.meta.url)), 'host/hearth.node');

const definition = readFileSync(new URL('../../../src/wire/messages.def', import.meta.url), 'utf8');
const byName = new Map();
const byNumber = new Map();
{
  let current;
  for (const match of definition.matchAll(/^(MESSAGE|FIELD)\((\w+), (\w+)/gm)) {
    if (match[1] === 'MESSAGE') {
      current = { name: match[2], number: Number(match[3]), fields: [] };
      byName.set(current.name, current);
      byNumber.set(current.number, current);
    } else {
      current.fields.push({ type: match[2], name: match[3] });
    }
  }
}

const kSlots = 16 * 1024;
const kPageHeader = 16;
const kMarks = 1024;
const kPageTail = 12 + kMarks * 34 + 8; // which event runs, whose code runs, and the agents' ids

const writers = {
  U8: (v) => Buffer.from([v]),
  U16: (v) => { const b = Buffer.alloc(2); b.writeUInt16LE(v); return b; },
  U32: (v) => { const b = Buffer.alloc(4); b.writeUInt32LE(v); return b; },
  U64: (v) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(v)); return b; },
  I64: (v) => { const b = Buffer.alloc(8); b.writeBigInt64LE(BigInt(v)); return b; },
  Bytes: (v) => { const b = Buffer.from(v ?? ''); return Buffer.concat([writers.U32(b.length), b]); },
  AgentId: (v) => Buffer.concat([writers.U16(v.namespace), Buffer.from(v.id, 'hex')]),
};
writers.Text = writers.List = writers.Bytes;
writers.RequestId = writers.ConnectionId = writers.U64;

const readers = {
  U8: (c) => c.take(1)[0],
  U16: (c) => c.take(2).readUInt16LE(),
  U32: (c) => c.take(4).readUInt32LE(),
  U64: (c) => Number(c.take(8).readBigUInt64LE()),
  I64: (c) => Number(c.take(8).readBigInt64LE()),
  Bytes: (c) => Buffer.from(c.take(readers.U32(c))),
  Text: (c) => readers.Bytes(c).toString(),
  AgentId: (c) => ({ namespace: readers.U16(c), id: c.take(32).toString('hex') }),
};
readers.List = readers.Text;
readers.RequestId = readers.ConnectionId = readers.U64;

export function encode(name, values) {
  const message = byName.get(name);
  const fields = message.fields.map(({ type, name: field }) =>
    writers[type](values[field] ?? (type === 'AgentId' ? { namespace: 0, id: '0'.repeat(64) } : type === 'Text' || type === 'List' || type === 'Bytes' ? '' : 0)));
  const body = Buffer.concat([writers.U8(message.number), ...fields]);
  return Buffer.concat([writers.U32(body.length), body]);
}

function decode(frame) {
  const message = byNumber.get(frame[0]);
  let at = 1;
  const cursor = { take: (n) => { if (at + n > frame.length) throw new Error('short frame'); return frame.subarray(at, at += n); } };
  const result = { type: message.name };
  for (const { type, name } of message.fields) result[name] = readers[type](cursor);
  if (at !== frame.length) throw new Error(`bytes left over in ${message.name}`);
  return result;
}

/**
 * Starts `script` (the source of a host, which finds the addon's path in HEARTH_ADDON) and speaks to
 * it. `next(type?)` resolves with the next frame, which is to be of that type. The script runs in a
 * module where `addon`, `directory` (a folder of its own) and `database(name, options?)` are there.
 */
export class FakeCore {
  #pending = Buffer.alloc(0);
  #frames = [];
  #waiting = [];
  stderr = '';

  constructor(script, { env = {}, node = process.execPath, args = [] } = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'hearth-addon-'));
    const pagePath = join(this.directory, 'page');
    const page = Buffer.alloc(kPageHeader + kSlots + kPageTail);
    page.writeUInt32LE(0x68727450, 0);
    page.writeUInt32LE(kSlots, 4);
    this.page = openSync(pagePath, 'w+');
    writeSync(this.page, page);
    const host = `import { createRequire } from 'node:module';
const addon = createRequire('/')(process.env.HEARTH_ADDON);
const directory = process.env.HEARTH_TEST_DIRECTORY;
const idOf = (name) => addon.idFromName('test-Agent', name);
const pathOf = (name) => directory + '/do/test-Agent/' + idOf(name) + '.sqlite';
const database = (name, durability = 'fsync') =>
  addon.openDatabase(0, idOf(name), pathOf(name), { name, durability });
const bytes = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);
const say = (value) => addon.log(1, JSON.stringify(value));
const failure = (run) => { try { run(); return null; } catch (error) { return error.name + ': ' + error.message; } };
${script}`;
    this.child = spawn(node, [...args, '--input-type=module', '-e', host], {
      stdio: ['ignore', 'inherit', 'pipe', 'pipe', this.page],
      env: { ...process.env, HEARTH_ADDON: addonPath, HEARTH_SOCKET_FD: '3', HEARTH_PROGRESS_FD: '4',
        HEARTH_TEST_DIRECTORY: this.directory, ...env },
    });
    this.socket = this.child.stdio[3];
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => this.#read(data));
    this.child.stderr.on('data', (data) => { this.stderr += data; });
    this.exited = new Promise((resolve) => this.child.on('close', (code, signal) => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the host ended (${code ?? signal}): ${this.stderr}`));
      resolve({ code, signal });
    }));
  }

  #read(data) {
    this.#pending = this.#pending.length ? Buffer.concat([this.#pending, data]) : data;
    while (this.#pending.length >= 4) {
      const length = this.#pending.readUInt32LE();
      if (this.#pending.length < 4 + length) break;
      const frame = decode(this.#pending.subarray(4, 4 + length));
      this.#pending = this.#pending.subarray(4 + length);
      const waiting = this.#waiting.shift();
      if (waiting) waiting.resolve(frame);
      else this.#frames.push(frame);
    }
  }

  send(name, values = {}) { this.socket.write(encode(name, values)); }
  sendRaw(bytes) { this.socket.write(bytes); }

  async next(type) {
    const frame = this.#frames.shift() ?? await new Promise((resolve, reject) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) reject(new Error(`the host has ended: ${this.stderr}`));
      else this.#waiting.push({ resolve, reject });
    });
    if (type !== undefined && frame.type !== type) throw new Error(`${type} was expected, and ${JSON.stringify(frame)} came`);
    return frame;
  }

  /** The next frame, which is to be a Log: what the script said. */
  async said() { return JSON.parse((await this.next('Log')).json); }

  /** Frames that came and were not asked for. */
  get unread() { return this.#frames.splice(0); }

  progress(slot) {
    const byte = Buffer.alloc(1);
    readSync(this.page, byte, 0, 1, kPageHeader + slot);
    return byte[0];
  }
  /** The place of the event whose code is on the stack, plus one. */
  get running() {
    const word = Buffer.alloc(4);
    readSync(this.page, word, 0, 4, kPageHeader + kSlots);
    return word.readUInt32LE();
  }
  /** Whose code runs: its mark, and the agent that it stands for. */
  get mark() {
    const word = Buffer.alloc(4);
    readSync(this.page, word, 0, 4, kPageHeader + kSlots + 4);
    const mark = word.readUInt32LE();
    if (mark === 0 || mark > kMarks) return { mark };
    const agent = Buffer.alloc(34);
    readSync(this.page, agent, 0, 34, kPageHeader + kSlots + 12 + (mark - 1) * 34);
    return { mark, namespace: agent.readUInt16LE(), id: agent.subarray(2).toString('hex') };
  }
  get heartbeat() {
    const word = Buffer.alloc(8);
    readSync(this.page, word, 0, 8, 8);
    return word.readBigUInt64LE();
  }

  /** End of file on the host's descriptor; resolves with how it ended. */
  async hangUp() { this.socket.end(); return this.exited; }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL');
    }
    await this.exited;
    closeSync(this.page);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

