// WebSockets between two hosts: a Response's socket whose other end lives on the host that answered.
// That host lends the client end under an id; the one that asked makes a socket that stands for it.
// Either the core gets the end (it was handed on to a client: nothing more passes here), or code
// accepts the stand-in, and frames pass through the session of the two hosts, in order. At most
// WINDOW bytes are on the way to a handler; what is sent beyond waits at the sender, up to a bound.
// Ids are the lender's. When the other host is gone, ends here see a close with 1006.
import type { AgentInstance, FarSocket, RuntimeServices } from "../agent/types.ts";
import {
  breakOff, deliverMessage, type Frame, frameSize, handOn, holdEnd, passClose, pushFrame, type Remote, takeBack, type WebSocket,
} from "../web/websocket.ts";
import { connectionLost } from "./errors.ts";
import type { Whose } from "./peer_streams.ts";

export const SOCKET_WINDOW_BYTES = 256 * 1024;
export const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const MAX_SOCKETS = 16_384;
/** What a frame counts for besides its data. */
const FRAME_BYTES = 64;
const ABNORMAL = 1006;
const RESET = 1011;
const CONNECTION_LOST = "Network connection lost.";

export type SocketMessage =
  | readonly ["socketClaim", "yours", number]
  | readonly ["socketDrop", "yours", number]
  | readonly ["socketData", Whose, number, string | ArrayBuffer | Uint8Array]
  | readonly ["socketClose", Whose, number, number, string, boolean]
  | readonly ["socketCredit", Whose, number, number];

export interface SocketLink {
  control(message: SocketMessage): void;
  /** Asks the other host to give its end to the core. */
  bind(id: number): Promise<number>;
}

type Data = string | ArrayBuffer | Uint8Array;
type Waiting = { readonly data: Data; readonly sent: () => void } | { readonly code: number; readonly reason: string; readonly clean: boolean };

function costOf(data: Data): number {
  return FRAME_BYTES + (typeof data === "string" ? data.length : data.byteLength);
}

/** One end of a socket that is relayed: what goes out, and what comes in. */
abstract class Relay {
  readonly #table: SocketTable;
  readonly #whose: Whose;
  readonly #id: number;
  readonly #owner: AgentInstance | null;
  readonly #release: (() => void) | null;
  readonly #queue: Waiting[] = [];
  #waitingBytes = 0;
  #credit = SOCKET_WINDOW_BYTES;
  #closeSent = false;
  #closeReceived = false;
  #over = false;

  constructor(table: SocketTable, whose: Whose, id: number, owner: AgentInstance | null) {
    this.#table = table;
    this.#whose = whose;
    this.#id = id;
    this.#owner = owner;
    this.#release = owner === null || owner.broken ? null : owner.hold();
    if (owner?.broken) setImmediate(this.#reset);
    else owner?.watch(this.#reset);
  }

  protected abstract deliver(data: string | ArrayBuffer, taken: () => void): void;
  protected abstract deliverClose(code: number, reason: string, clean: boolean): void;
  protected abstract lost(): void;

  /** Undefined if it could be sent at once. */
  send(data: Data): void | Promise<void> {
    if (this.#over || this.#closeSent) return undefined;
    if (this.#credit > 0 && this.#queue.length === 0) {
      this.#transmit(data);
      return undefined;
    }
    if (this.#waitingBytes + costOf(data) > MAX_WAITING_BYTES) {
      throw new Error(`The other end of this WebSocket has not taken ${this.#waitingBytes} bytes that were sent to it; ` +
                      `no more than ${MAX_WAITING_BYTES} are kept.`);
    }
    this.#waitingBytes += costOf(data);
    return new Promise((sent) => void this.#queue.push({ data, sent }));
  }

  close(code: number, reason: string, clean: boolean): void {
    if (this.#over || this.#closeSent) return;
    this.#queue.push({ code, reason, clean });
    this.#flush();
  }

  #flush(): void {
    while (this.#queue.length > 0 && !this.#over) {
      const next = this.#queue[0]!;
      if ("data" in next) {
        if (this.#credit <= 0) return;
        this.#queue.shift();
        this.#waitingBytes -= costOf(next.data);
        this.#transmit(next.data);
        next.sent();
      } else {
        this.#queue.shift();
        this.#closeSent = true;
        this.#table.link.control(["socketClose", this.#whose, this.#id, next.code, next.reason, next.clean]);
        if (this.#closeReceived || next.code === ABNORMAL) this.#end();
      }
    }
  }

  #transmit(data: Data): void {
    this.#credit -= costOf(data);
    try {
      this.#table.link.control(["socketData", this.#whose, this.#id, data]);
    } catch (error) {
      this.drop(error instanceof Error ? error.message : String(error)); // larger than any message may be
    }
  }

  received(message: SocketMessage): void {
    switch (message[0]) {
      case "socketCredit":
        this.#credit += message[3];
        return this.#flush();
      case "socketData": {
        if (this.#closeReceived) return undefined;
        const data = message[3] as string | ArrayBuffer;
        const cost = costOf(data);
        return this.deliver(data, () => {
          if (!this.#over) this.#table.link.control(["socketCredit", this.#whose, this.#id, cost]);
        });
      }
      case "socketClose":
        if (this.#closeReceived) return undefined;
        this.#closeReceived = true;
        if (this.#closeSent || message[3] === ABNORMAL) this.#end();
        return this.deliverClose(message[3], message[4], message[5]);
      default:
        return undefined;
    }
  }

  /** Ends both sides without a closing handshake. */
  drop(reason: string): void {
    if (this.#over) return;
    this.#table.link.control(["socketClose", this.#whose, this.#id, ABNORMAL, reason.slice(0, 120), false]);
    this.broken();
  }

  /** The other side is gone. */
  broken(): void {
    if (this.#over) return;
    this.#end();
    this.lost();
  }

  // The agent that accepted this side was reset, and its code runs no more.
  readonly #reset = (): void => {
    if (this.#over) return;
    this.#queue.length = 0;
    this.#table.link.control(["socketClose", this.#whose, this.#id, RESET, "The Durable Object was reset.", true]);
    this.#end();
  };

  #end(): void {
    this.#over = true;
    this.#table.forget(this.#whose, this.#id);
    this.#owner?.unwatch(this.#reset);
    this.#release?.();
    for (const waiting of this.#queue.splice(0)) if ("data" in waiting) waiting.sent();
  }
}

/** Lent, and neither given to the core nor claimed by code. */
interface Undecided {
  readonly end: WebSocket;
  /** The agent that accepted the other end by accept(), which stays resident. */
  readonly owner: AgentInstance | null;
  readonly release: (() => void) | null;
}

/** The lender's side: the client end is held by the runtime, for code on the other host. */
class Lent extends Relay {
  readonly #end: WebSocket;

  constructor(table: SocketTable, id: number, end: WebSocket, owner: AgentInstance | null) {
    super(table, "mine", id, owner);
    this.#end = end;
    holdEnd(end, {
      message: (data) => this.send(data),
      close: (code, reason, clean) => this.close(code, reason, clean),
    });
  }
  protected override deliver(data: string | ArrayBuffer, taken: () => void): void {
    this.#push({ data, taken });
  }
  protected override deliverClose(code: number, reason: string, wasClean: boolean): void {
    this.#push({ code, reason, wasClean });
  }
  protected override lost(): void {
    this.#push({ code: ABNORMAL, reason: CONNECTION_LOST, wasClean: false });
  }
  #push(frame: Frame): void {
    try {
      pushFrame(this.#end, frame);
    } catch (error) {
      if (frameSize(frame) > 0) this.drop((error as Error).message); // it takes no more
    }
  }
}

/** The other side: `end` stands for the lender's. */
class StandIn extends Relay implements Remote {
  readonly #end: WebSocket;
  readonly protocol = "";
  readonly extensions = "";
  readonly relayed = true;

  constructor(table: SocketTable, id: number, end: WebSocket, owner: AgentInstance | null) {
    super(table, "yours", id, owner);
    this.#end = end;
  }
  protected override deliver(data: string | ArrayBuffer, taken: () => void): void {
    deliverMessage(this.#end, data, taken);
  }
  protected override deliverClose(code: number, reason: string, clean: boolean): void {
    if (code === ABNORMAL) breakOff(this.#end, reason || CONNECTION_LOST);
    else passClose(this.#end, code, reason, clean);
  }
  protected override lost(): void {
    breakOff(this.#end, CONNECTION_LOST);
  }
}

const forgotten = new FinalizationRegistry<() => void>((drop) => drop());

export class SocketTable {
  readonly link: SocketLink;
  readonly #services: RuntimeServices;
  readonly #undecided = new Map<number, Undecided>();
  readonly #mine = new Map<number, Relay>();
  readonly #theirs = new Map<number, Relay>();
  #next = 1;
  #gone = false;

  constructor(link: SocketLink, services: RuntimeServices) {
    this.link = link;
    this.#services = services;
  }

  get size(): number {
    return this.#undecided.size + this.#mine.size + this.#theirs.size;
  }

  /** Lends the other host a Response's socket. Throws if code here has used it. */
  lend(webSocket: object): number {
    if (this.size >= MAX_SOCKETS) {
      throw Object.assign(new Error("Too many WebSockets are open between two hosts."), { overloaded: true });
    }
    const end = webSocket as WebSocket;
    handOn(end);
    const id = this.#next++;
    const owner = this.#services.socketOwner(end);
    this.#undecided.set(id, { end, owner, release: owner === null || owner.broken ? null : owner.hold() });
    return id;
  }

  /** The core's connection for an end that was lent: a client of the core takes it over. */
  async connectionOf(id: number): Promise<number> {
    const lent = this.#undecided.get(id);
    if (lent === undefined) throw connectionLost();
    this.#undecided.delete(id);
    takeBack(lent.end);
    try {
      return await this.#services.connectionOf(lent.end);
    } finally {
      lent.release?.();
    }
  }

  /** A socket for one that the other host lends. */
  borrow(id: number): object {
    const far: FarSocket = {
      connection: () => {
        forgotten.unregister(far);
        return this.link.bind(id);
      },
      claim: (end) => {
        forgotten.unregister(far);
        const standIn = new StandIn(this, id, end as WebSocket, this.#services.dispatcher.currentAgent);
        if (this.#gone) {
          setImmediate(() => standIn.broken());
          return standIn;
        }
        this.#theirs.set(id, standIn);
        this.link.control(["socketClaim", "yours", id]);
        return standIn;
      },
    };
    const socket = this.#services.standIn(far);
    forgotten.register(socket, () => this.refuse(id), far);
    return socket;
  }

  /** Nobody here will use a socket that was lent. */
  refuse(id: number): void {
    if (!this.#gone) this.link.control(["socketDrop", "yours", id]);
  }

  forget(whose: Whose, id: number): void {
    (whose === "mine" ? this.#mine : this.#theirs).delete(id);
  }

  received(message: SocketMessage): void {
    const [kind, whose, id] = message;
    if (kind === "socketClaim" || kind === "socketDrop") {
      const lent = this.#undecided.get(id);
      if (lent === undefined) return;
      this.#undecided.delete(id);
      const relay = this.#hold(id, lent);
      if (kind === "socketDrop") relay.broken();
      return;
    }
    (whose === "mine" ? this.#theirs : this.#mine).get(id)?.received(message);
  }

  #hold(id: number, { end, owner, release }: Undecided): Relay {
    const relay = new Lent(this, id, end, owner);
    release?.();
    this.#mine.set(id, relay);
    return relay;
  }

  /** The other host is gone. */
  break(): void {
    this.#gone = true;
    const relays = [...this.#mine.values(), ...this.#theirs.values()];
    for (const [id, lent] of this.#undecided) relays.push(this.#hold(id, lent));
    this.#undecided.clear();
    for (const relay of relays) relay.broken();
  }
}
