// The native half of a host, typed. It owns descriptor 3 (frames in, frames out, one write per turn
// of the loop), the progress page, and the agents' databases with their output gates. Everything
// here is synchronous; durability is waited for off the JavaScript thread.

/** Packed strings, each ended by NUL: `name\0value\0…` for headers, `tag\0…` for tags. */
export type Packed = string;

/** How a socket ended: without a close frame, with both, or by a fault of the peer's that the reason names. */
export const CloseKind = { Broken: 0, Clean: 1, ProtocolError: 2 } as const;
export type CloseKind = (typeof CloseKind)[keyof typeof CloseKind];

/** What the addon calls, one call per event; microtasks drain before the next. A handler never throws. */
export interface Handlers {
  configure(json: string): void;
  promote(hostSlot: number, generation: number, hostCount: number): void;
  fetch(slot: number, request: number, flags: number, bodyKind: number, method: string, url: string,
        headers: Packed, clientAddress: string, body: Uint8Array | null): void;
  bodyData(request: number, data: Uint8Array): void;
  bodyEnd(request: number): void;
  requestGone(request: number, reason: string): void;
  responseCredit(request: number, bytes: number): void;
  socketMessage(slot: number, connection: number, data: string | ArrayBuffer): void;
  socketClosed(slot: number, connection: number, code: number, reason: string, kind: CloseKind): void;
  alarm(slot: number, namespace: number, id: string, name: string, scheduledMs: number, retries: number): void;
  agentWake(namespace: number, id: string, name: string, autoRequest: string | null, autoResponse: string | null,
            sockets: number, eventTimeoutMs: number): void;
  agentSocket(namespace: number, id: string, connection: number, url: string, protocol: string,
              tags: Packed, attachment: Uint8Array | null, autoResponseMs: number): void;
  sleepAccepted(namespace: number, id: string): void;
  /** The agent's last host ended in the middle of its work: it goes on here, now. */
  agentResume(namespace: number, id: string): void;
  agentRehearse(namespace: number, id: string): void;
  /** The agent may not run; whoever waits for it gets the message. */
  agentRefused(namespace: number, id: string, message: string): void;
  probeAlarm(namespace: number, id: string): void;
  scheduled(slot: number, cron: string, scheduledMs: number, worker: number): void;
  /** Hosts are known to each other by numbers that are never used again. */
  hostServes(hostSlot: number, host: number): void;
  peerData(peer: number, data: Uint8Array): void;
  peerGone(peer: number): void;
  /** Another host gets this one's slot: answered by leaving(). */
  leave(): void;
  /** The agent is to go there: answered by agentMoved() or, once the patience is over, by agentStays(). */
  agentMove(namespace: number, id: string, patienceMs: number, hurry: 0 | 1): void;
  /** Answers agentOpened: it is on the host with that number, or with 0 on the slot's next. */
  agentElsewhere(namespace: number, id: string, host: number): void;
  drain(deadlineMs: number): void;
  drainIfQuiet(patienceMs: number): void;
  autoResponded(connection: number, atMs: number): void;
  /** A commit could not be made durable: the agent must be reset and its callers broken. */
  commitFailed(database: Database, message: string): void;
}

export interface Cursor {
  readonly columnNames: string[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** The next row as an array of values, or null at the end. Blobs are ArrayBuffers. */
  next(): SqlValue[] | null;
  /** All remaining rows at once, each an array of values. */
  all(): SqlValue[][];
}
export type SqlValue = null | number | string | ArrayBuffer;

export interface ListOptions {
  start?: string; startAfter?: string; end?: string; prefix?: string; reverse?: boolean; limit?: number;
}

/**
 * One agent's database and its output gate. The file is opened at the first use of storage; an agent
 * that stores nothing has no file. Writes made in one turn are one transaction, which the addon
 * commits when the turn's microtasks have drained (or before the loop waits); what the agent sends
 * meanwhile (every method of Transport that takes a Database) leaves once that commit is durable.
 * Errors are thrown as `Error` with the platform's message.
 */
export interface Database {
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  delete(key: string): boolean;
  list(options: ListOptions): [string, Uint8Array][];
  /** Every key, table and (if `alarm`) the alarm: what `storage.deleteAll()` promises. */
  deleteAll(alarm: boolean): void;
  exec(sql: string, parameters: SqlValue[]): Cursor;
  readonly databaseSize: number;
  getAlarm(): number | null;
  /** Stored with the turn; the core is told (AlarmSet) in an order in which no committed alarm is lost. */
  setAlarm(atMs: number | null): void;
  /** Explicit transactions (transactionSync, transaction): nested by savepoints. */
  begin(): void;
  commit(): void;
  rollback(): void;
  /** True when nothing that was written is still waiting to be durable. */
  readonly durable: boolean;
  /** Calls back when all that was written so far is durable; at once (synchronously) if it is. */
  whenDurable(callback: (error: Error | null) => void): void;
  /** The bookmark of the state when this turn is over or, inside a transaction, before it. */
  bookmark(callback: (error: Error | null, bookmark: string) => void): void;
  bookmarkAt(timeMs: number, callback: (error: Error | null, bookmark: string) => void): void;
  /** The next opening begins with the bookmark's state; answers the bookmark that undoes it. */
  restoreNext(bookmark: string, callback: (error: Error | null, undo: string) => void): void;
  /** Closing drops uncommitted writes. A restore that was ordered is done by the next opening. */
  close(): void;
  /** Drops what the turn wrote and has not committed (the agent is being reset). */
  abandon(): void;
}

export interface Addon {
  /** Takes descriptors from the environment and starts reading. */
  start(handlers: Handlers): void;
  openDatabase(namespace: number, id: string, path: string, options: { name: string; durability: "fsync" | "os"; historyMs?: number }): Database;

  /** A copy of what is committed in a file, open or not, with a log (`-wal`) if it has one; not synced. False: there is no such file. */
  cloneDatabase(from: string, to: string): boolean;

  /** Two words of the progress page: whose code runs, and how often code was entered (marks.ts). */
  marks(): ArrayBuffer;
  /** Which agent the mark `place + 1` stands for. */
  nameMark(place: number, namespace: number, id: string): void;
  /** The event's handler is about to run / has ended. */
  begun(slot: number): void;
  done(slot: number): void;

  ready(json: string): void;
  loadFailed(json: string): void;
  respond(gate: Database | null, request: number, status: number, statusText: string, headers: Packed,
          bodyKind: 0 | 1 | 2, body: string | Uint8Array | null): void;
  responseData(gate: Database | null, request: number, data: Uint8Array): void;
  responseEnd(gate: Database | null, request: number): void;
  responseFailed(gate: Database | null, request: number, json: string): void;
  bodyCredit(request: number, bytes: number): void;
  /** Allocates a ConnectionId of this host. */
  newConnection(): number;
  socketOpen(gate: Database | null, connection: number, namespace: number, id: string | null, flags: number,
             tags: Packed, attachment: Uint8Array | null): void;
  respondUpgrade(gate: Database | null, request: number, connection: number, headers: Packed): void;
  send(gate: Database | null, connection: number, data: string | ArrayBuffer | Uint8Array): void;
  sendMany(gate: Database | null, connections: number[], data: string | ArrayBuffer | Uint8Array): void;
  closeSocket(gate: Database | null, connection: number, code: number, reason: string): void;
  attach(gate: Database | null, connection: number, attachment: Uint8Array | null): void;
  autoResponse(gate: Database | null, namespace: number, id: string, request: string | null, response: string | null): void;
  /** How long a handler of the agent's WebSocket events may run; 0: no limit. */
  eventTimeout(gate: Database | null, namespace: number, id: string, timeoutMs: number): void;
  agentOpened(namespace: number, id: string, name: string): void;
  leaving(): void;
  /** Waits for the disk until what was closed is closed. */
  agentMoved(namespace: number, id: string): void;
  agentStays(namespace: number, id: string): void;
  agentSleep(namespace: number, id: string, events: number): void;
  agentWorking(namespace: number, id: string, working: 0 | 1): void;
  /** Answers agentRehearse: "" when the agent started, else the fault as JSON. */
  agentRehearsed(namespace: number, id: string, json: string): void;
  alarmDone(gate: Database | null, namespace: number, id: string, outcome: 0 | 1 | 2, scheduledMs: number): void;
  /** Answers probeAlarm: reads the file of an agent without opening it for use. */
  reportAlarm(namespace: number, id: string, path: string, name: string, historyMs?: number): void;
  peerSend(gate: Database | null, peer: number, data: Uint8Array): void;
  log(level: 0 | 1 | 2 | 3, json: string): void;
  drained(): void;
  notQuiet(): void;

  /** The ids of a namespace, as workerd makes them (64 hex digits). */
  idFromName(uniqueKey: string, name: string): string;
  newUniqueId(uniqueKey: string): string;
  /** Whether `hex` is an id of this namespace. */
  idBelongs(uniqueKey: string, hex: string): boolean;
}
