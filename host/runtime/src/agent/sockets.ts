// WebSockets of this host: which object stands for which of the core's connections, and whose it is.
// A record outlives its object: the object is made when code first asks for it, is the same as long
// as the agent's life lasts, and is made anew from the record (attachment, tags) in the next life.
// Text sent to many in one turn crosses to the core once.
import type { Addon, Database } from "../addon.ts";
import {
  abandonEnd, attachmentBytes, attachTransport, autoResponseAt, breakSocket, deliverClose, deliverError, handOn, isAccepted, type LocalHandler,
  makeSocket, makeStandIn, markHibernatable, otherEnd, renewEnd, serverEnd, setAutoResponseAt, type Transport, type WebSocket,
} from "../web/websocket.ts";
import type { Faults, Told } from "../faults/faults.ts";
import type { Agent } from "./instance.ts";
import { unpack } from "./packed.ts";
import { type Context, contextOf } from "./scope.ts";
import type { FarSocket } from "./types.ts";

export const TAGS_MAX = 10;
export const TAG_CHARACTERS_MAX = 256;

/** A turn later, for less than queueMicrotask() takes. */
const settled = Promise.resolve();

export class SocketRecord implements Transport {
  readonly #table: SocketTable;
  /** The agent's sockets that it is one of; null: the worker's. */
  readonly home: AgentSockets | null;
  readonly hibernatable: boolean;
  connection = 0;
  tags: readonly string[] = [];
  url: string | null = null;
  protocol = "";
  attachment: Uint8Array | null = null;
  autoMs = 0;
  /** Code holds its other end: the core knows nothing of it, and it lives as long as this process. */
  local = false;
  /** Its end has been told: no later life has it. */
  gone = false;
  /** Whoever keeps its agent resident because of it. */
  release: (() => void) | null = null;
  #socket: WebSocket | null;
  #told: Told | null = null;
  #context: { readonly agent: Agent | null; readonly call: Context } | null = null;

  constructor(table: SocketTable, home: AgentSockets | null, hibernatable: boolean, socket: WebSocket | null) {
    this.#table = table;
    this.home = home;
    this.hibernatable = hibernatable;
    this.#socket = socket;
  }

  get gate(): Database | null {
    return this.home === null ? null : this.home.agent().gate;
  }

  get socket(): WebSocket {
    if (this.#socket === null) {
      this.#socket = makeSocket({ url: this.url, protocol: this.protocol, attachment: this.attachment, transport: this });
      if (this.autoMs > 0) setAutoResponseAt(this.#socket, this.autoMs);
      this.#table.remember(this.#socket, this);
    }
    return this.#socket;
  }

  /** Where the handlers of its events run: made once for a life of the agent, or with null the worker. */
  contextIn(agent: Agent | null): Context {
    if (this.#context === null || this.#context.agent !== agent) {
      this.#context = { agent, call: contextOf(agent, { request: 0, connection: this.connection }) };
    }
    return this.#context.call;
  }

  /** Code accepted its other end: from now on the agent need not stay resident for it. */
  claimed(): void {
    this.local = true;
    this.#letSleep();
  }

  /** Its agent may sleep, and finds the socket again when it wakes; one of a facet cannot. */
  #letSleep(): void {
    if (this.home?.ofFacet) return;
    this.release?.();
    this.release = null;
  }

  /** A client of the core's is bound to it. */
  bound(connection: number): void {
    this.connection = connection;
    this.#letSleep();
  }

  /** The life of its agent ended: the object of that life does nothing any more. */
  forgetSocket(): void {
    this.#context = null;
    if (this.#socket === null) return;
    if (this.local) {
      this.#socket = renewEnd(this.#socket);
      this.#table.remember(this.#socket, this);
      return;
    }
    this.autoMs = autoResponseAt(this.#socket) || this.autoMs;
    breakSocket(this.#socket);
    this.#socket = null;
  }

  closed(code: number, reason: string, clean: boolean): void {
    if (this.#socket !== null) deliverClose(this.#socket, code, reason, clean);
  }

  failed(error: Error): void {
    if (this.#socket !== null) deliverError(this.#socket, error);
  }

  autoResponded(atMs: number): void {
    this.autoMs = atMs;
    if (this.#socket !== null) setAutoResponseAt(this.#socket, atMs);
  }

  send(data: string | ArrayBuffer | Uint8Array): void {
    this.#context?.agent?.entered();
    const told = this.#table.faults?.ofFrame(data, { agent: this.home?.agent() ?? null, code: "R407", connection: this.connection || undefined, what: "connect" });
    if (told !== undefined) {
      this.#told = told;
      data = told.frame;
    }
    this.#table.send(this.gate, this.connection, data);
  }

  close(code: number, reason: string): void {
    this.#table.write();
    // The SDK ends a socket that it could not begin: with what the frame before it said.
    if (this.#told !== null) ({ code, reason } = this.#told);
    this.#table.addon.closeSocket(this.gate, this.connection, code, reason);
  }

  attach(attachment: Uint8Array | null): void {
    this.attachment = attachment;
    this.#table.addon.attach(this.gate, this.connection, attachment);
  }
}

/** The sockets that one agent has accepted. */
export class AgentSockets {
  readonly table: SocketTable;
  readonly namespace: number;
  readonly id: string;
  /** Of a facet: the id is its root's, and they live no longer than it does, whatever it promises of them. */
  readonly ofFacet: boolean;
  agent: () => Agent;
  /** While the agent sleeps: its name, and what it would answer by itself. */
  name = "";
  autoResponse: { readonly request: string; readonly response: string } | null = null;
  readonly #records = new Set<SocketRecord>();

  constructor(table: SocketTable, namespace: number, id: string, agent: () => Agent, ofFacet = false) {
    this.table = table;
    this.namespace = namespace;
    this.id = id;
    this.agent = agent;
    this.ofFacet = ofFacet;
  }

  get size(): number {
    return this.#records.size;
  }

  /** Of some the other end is held by code, or by nobody yet: they live as long as this process. */
  get bound(): boolean {
    for (const record of this.#records) if (record.local || record.connection === 0) return true;
    return false;
  }

  /** ctx.acceptWebSocket(). */
  accept(socket: WebSocket, tags: readonly string[]): void {
    if (isAccepted(socket)) {
      throw new Error("Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`");
    }
    const record = new SocketRecord(this.table, this, true, socket);
    record.tags = tags;
    markHibernatable(socket, this.table.localHandler(record));
    // Until a client is bound to it, or code takes its other end, it lives here and nowhere else.
    if (!record.local || this.ofFacet) record.release = this.agent().hold();
    this.table.remember(socket, record);
    this.#records.add(record);
  }

  get(tag?: string): WebSocket[] {
    const found: WebSocket[] = [];
    for (const record of this.#records) {
      if (record.hibernatable && (tag === undefined || record.tags.includes(tag))) found.push(record.socket);
    }
    return found;
  }

  tagsOf(socket: WebSocket): string[] {
    const record = this.table.recordOf(socket);
    if (record === undefined || !record.hibernatable || record.home !== this) {
      throw new Error("you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.");
    }
    return [...record.tags];
  }

  /** The core tells of a socket that was accepted in an earlier life. */
  restore(connection: number, url: string, protocol: string, tags: string, attachment: Uint8Array | null,
          autoMs: number): void {
    if (this.table.has(connection)) return;
    const record = new SocketRecord(this.table, this, true, null);
    record.connection = connection;
    record.url = url || null;
    record.protocol = protocol;
    record.tags = unpack(tags);
    record.attachment = attachment;
    record.autoMs = autoMs;
    this.add(record);
  }

  add(record: SocketRecord): void {
    this.#records.add(record);
    this.table.register(record);
  }

  remove(record: SocketRecord): void {
    this.#records.delete(record);
  }

  /** The agent was reset: hibernatable sockets stay for the next life, the others cannot. */
  lifeEnded(reason: string): void {
    this.table.write();
    for (const record of [...this.#records]) {
      if (record.connection === 0 && !record.local) abandonEnd(record.socket, 1011, reason);
      record.forgetSocket();
      record.release = null;
      if (record.hibernatable && !record.gone && (record.connection !== 0 || record.local)) continue;
      this.#records.delete(record);
      if (record.connection === 0) continue;
      this.table.forget(record);
      this.table.addon.closeSocket(null, record.connection, 1011, reason);
    }
  }

  /** Closes all, without an event for the agent. */
  closeAll(code: number, reason: string): void {
    this.table.write();
    for (const record of [...this.#records]) {
      if (record.connection === 0) abandonEnd(record.socket, code, reason);
      record.forgetSocket();
      record.release?.();
      record.release = null;
      this.#records.delete(record);
      if (record.connection === 0) continue;
      this.table.forget(record);
      this.table.addon.closeSocket(null, record.connection, code, reason);
    }
  }

  /**
   * The agent sleeps: the core tells of its sockets again when it wakes. Those whose other end is held
   * by code stay here, with their tags and attachments.
   */
  dropAll(): void {
    for (const record of this.#records) {
      record.forgetSocket();
      if (record.local) continue;
      this.table.forget(record);
      this.#records.delete(record);
    }
  }

  flush(): void {
    this.table.flush();
  }
}

/** The core's connection for a client end, and the gate that whatever follows must wait at. */
export interface Bound {
  readonly connection: number;
  readonly gate: Database | null;
}

export class SocketTable {
  readonly addon: Addon;
  readonly faults: Faults | null;
  readonly #byConnection = new Map<number, SocketRecord>();
  readonly #bySocket = new WeakMap<WebSocket, SocketRecord>();
  /** Whose a socket is that an agent returned in a response. */
  readonly #owners = new WeakMap<WebSocket, Agent>();
  /** Client ends that have been given to the core. */
  readonly #bound = new WeakMap<WebSocket, number>();
  /** Those that stand for another host's. */
  readonly #far = new WeakMap<WebSocket, FarSocket>();
  #data: string | null = null;
  #gate: Database | null = null;
  #connections: number[] = [];
  #scheduled = false;
  /** Set while a handler's synchronous part runs: whoever runs it calls flush() after it. */
  dispatching = false;

  constructor(addon: Addon, faults: Faults | null = null) {
    this.addon = addon;
    this.faults = faults;
  }

  get(connection: number): SocketRecord | undefined {
    return this.#byConnection.get(connection);
  }

  has(connection: number): boolean {
    return this.#byConnection.has(connection);
  }

  recordOf(socket: WebSocket): SocketRecord | undefined {
    return this.#bySocket.get(socket);
  }

  remember(socket: WebSocket, record: SocketRecord): void {
    this.#bySocket.set(socket, record);
  }

  /** Who runs the handlers of a hibernatable socket whose other end is held in this process. */
  localHandler: (record: SocketRecord) => LocalHandler | null = () => null;

  register(record: SocketRecord): void {
    this.#byConnection.set(record.connection, record);
  }

  forget(record: SocketRecord): void {
    if (record.connection !== 0) this.#byConnection.delete(record.connection);
  }

  /** `clientEnd` left an agent in a response: whoever binds it later knows whose it is. */
  own(clientEnd: WebSocket, agent: Agent): void {
    this.#owners.set(clientEnd, agent);
  }

  /**
   * Gives the core the other end of `clientEnd` under a connection id of ours, with all that was sent
   * on it so far. The other end of one that stands for another host's is given by that host, soon.
   */
  bind(clientEnd: WebSocket, owner: Agent | null = null): Bound | Promise<Bound> {
    const far = this.#far.get(clientEnd);
    if (far !== undefined) {
      handOn(clientEnd);
      return far.connection().then((connection) => ({ connection, gate: null }));
    }
    const known = this.#bound.get(clientEnd);
    if (known !== undefined) return { connection: known, gate: this.#byConnection.get(known)?.gate ?? null };
    const agent = owner ?? this.#owners.get(clientEnd) ?? null;
    const end = serverEnd(clientEnd);
    let record = this.#bySocket.get(end);
    if (record === undefined) {
      const home = agent !== null && !agent.broken ? agent.keeper.sockets : null;
      record = new SocketRecord(this, home, false, end);
      if (home !== null) record.release = home.agent().hold(true);
      this.remember(end, record);
      record.connection = this.addon.newConnection();
    } else {
      record.bound(this.addon.newConnection());
    }
    const { home } = record;
    record.attachment = attachmentBytes(end);
    if (home !== null) home.add(record);
    else this.register(record);
    const { gate } = record;
    const tags = record.tags.map((tag) => tag + "\0").join("");
    const flags = (record.hibernatable && home?.ofFacet !== true ? 1 : 0) | (home === null ? 2 : 0);
    this.addon.socketOpen(gate, record.connection, home?.namespace ?? 0, home?.id ?? null, flags, tags, record.attachment);
    attachTransport(end, record);
    this.write();
    this.#bound.set(clientEnd, record.connection);
    return { connection: record.connection, gate };
  }

  /** The agent of this host that returned a client end, and accepted the other by accept(), for its life. */
  ownerOf(clientEnd: WebSocket): Agent | null {
    const end = otherEnd(clientEnd);
    if (end === null || this.#bySocket.get(end)?.hibernatable) return null;
    return this.#owners.get(clientEnd) ?? null;
  }

  /** An end to put into a Response for one that another host holds. */
  standIn(far: FarSocket): WebSocket {
    const end = makeStandIn(() => far.claim(end));
    this.#far.set(end, far);
    return end;
  }

  /** Text is kept for a moment: the same to the next socket goes with it. */
  send(gate: Database | null, connection: number, data: string | ArrayBuffer | Uint8Array): void {
    if (typeof data !== "string") {
      this.write();
      this.addon.send(gate, connection, data);
      return;
    }
    if (this.#data === data && this.#gate === gate) {
      this.#connections.push(connection);
      return;
    }
    this.write();
    this.#data = data;
    this.#gate = gate;
    this.#connections.push(connection);
    if (!this.#scheduled && !this.dispatching) {
      this.#scheduled = true;
      void settled.then(this.#flushLater);
    }
  }

  readonly #flushLater = (): void => {
    this.#scheduled = false;
    this.write();
  };

  /** At the end of a handler's synchronous part, and whenever code of an agent has run otherwise. */
  flush(): void {
    this.dispatching = false;
    this.write();
  }

  /** Sends what is kept, so that whatever is sent next comes after it. */
  write(): void {
    const data = this.#data;
    if (data === null) return;
    const gate = this.#gate;
    const connections = this.#connections;
    this.#data = null;
    this.#gate = null;
    if (connections.length === 1) {
      const connection = connections.pop()!;
      this.addon.send(gate, connection, data);
      return;
    }
    this.#connections = [];
    this.addon.sendMany(gate, connections, data);
  }
}
