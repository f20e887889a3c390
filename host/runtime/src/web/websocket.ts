// WebSocket as the platform has it, always this class: an end of a pair inside this process, an end
// whose other side is a connection of the core, or a client of another server (outgoing.ts). Frames
// sent before the other side is there are kept, in order, up to a bound. Nothing here knows about
// agents: the dispatcher attaches a Transport and delivers what comes in (websocket_ends.ts).
import { AsyncLocalStorage } from "node:async_hooks";
import { Attachment } from "./attachment.ts";
import { CloseEvent, ErrorEvent, MessageEvent, defineHandlers } from "./events.ts";
import { hooks } from "./hooks.ts";

export * from "./websocket_ends.ts";

export type FrameData = string | ArrayBuffer;

/** Where an end's frames go when its other side is not in this process: a connection of the core. */
export interface Transport {
  send(data: string | ArrayBuffer | Uint8Array): void;
  close(code: number, reason: string): void;
  /** The socket's attachment changed; V8's serialized form. */
  attach(attachment: Uint8Array | null): void;
}

/**
 * Who handles the frames of a hibernatable end when code of this process accepted its other end, so
 * that no client of the core will come: they are handled as if they came from the core.
 */
export interface LocalHandler {
  /** A promise if the frame has to wait before it is taken. */
  message(data: FrameData): void | Promise<void>;
  close(code: number, reason: string, wasClean: boolean): void;
  /** The other end was accepted by code, in this process or (through a relay) in another. */
  claimed?(): void;
}

/** The side that a client end (outgoing.ts) sends to. */
export interface Remote {
  send(data: string | ArrayBuffer | Uint8Array): void;
  close(code: number, reason: string, wasClean: boolean): void;
  setBinaryType?(type: string): void;
  /** It does not answer a close by itself, as another server's client does. */
  readonly relayed?: boolean;
  readonly protocol: string;
  readonly extensions: string;
}

/** `taken`: called once the frame has left every queue of this process. */
export type Frame = { readonly data: FrameData; readonly taken?: () => void } | { readonly code: number; readonly reason: string; readonly wasClean: boolean };

const inboxMaxBytes = 64 * 1024 * 1024;
const utf8 = new TextEncoder();
const construct: unique symbol = Symbol("end");

const notAccepted = "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.";

function domError(message: string, name: string): Error {
  return new DOMException(message, name);
}

/** What the two sides of an end have said, and who it belongs to. */
type Accepted = "no" | "events" | "hibernatable";

/** The runtime's way into an end; `internals(ws)` below. */
export interface Internals {
  accepted: Accepted;
  /** Handed out in a response (or already sent elsewhere): code may not use it any more. */
  handedOn: boolean;
  /** Code called close(). */
  closedHere: boolean;
  closeSent: boolean;
  closeReceived: boolean;
  peer: WebSocket | null;
  transport: Transport | null;
  local: LocalHandler | null;
  remote: Remote | null;
  /** For an end that stands for one on another host: accept() asks it for the way there. */
  claim: (() => Remote) | null;
  /** Made by `new WebSocket(url)`; `connecting` until its handshake is done. */
  byUrl: boolean;
  connecting: boolean;
  url: string | null;
  inbox: Frame[];
  inboxBytes: number;
  pumping: boolean;
  /** Sends that wait at an output gate; later ones wait behind them. */
  tail: Promise<void> | null;
  context: (<R>(run: () => R) => R) | null;
  binaryType: "arraybuffer" | "blob";
  attachment: Attachment | null;
  autoResponseAtMs: number;
}

/** The state of an end; throws for what is none. */
export let internals: (socket: WebSocket) => Internals;
export let isEnd: (value: object) => boolean;
/** outgoing.ts sets it; `new WebSocket(url)` needs it. */
let connectOutgoing: ((socket: WebSocket, url: URL, protocols: string[]) => void) | null = null;
export function onOutgoing(connect: typeof connectOutgoing): void {
  connectOutgoing = connect;
}

/** "blob" under compatibility dates from 2026-03-17 on (the flag websocket_standard_binary_type). */
let defaultBinaryType: "arraybuffer" | "blob" = "arraybuffer";
export function setDefaultBinaryType(type: typeof defaultBinaryType): void {
  defaultBinaryType = type;
}

/** Whether close() refuses too long a reason: from 2026-03-03 on (the flag websocket_close_reason_byte_limit). */
let refusesLongReasons = false;
export function setRefusesLongReasons(refuses: boolean): void {
  refusesLongReasons = refuses;
}

function newInternals(): Internals {
  return {
    accepted: "no", handedOn: false, closedHere: false, closeSent: false, closeReceived: false, peer: null, transport: null, local: null,
    remote: null, claim: null, byUrl: false, connecting: false, url: null, inbox: [], inboxBytes: 0, pumping: false, tail: null, context: null,
    binaryType: defaultBinaryType, attachment: null, autoResponseAtMs: 0,
  };
}

const protocolToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function parseProtocols(protocols: string | string[] | undefined): string[] {
  const list = protocols === undefined ? [] : typeof protocols === "string" ? [protocols] : [...protocols].map(String);
  if (list.some((protocol) => !protocolToken.test(protocol))) {
    throw domError("WebSocket Constructor: The protocol header token is invalid.", "SyntaxError");
  }
  if (new Set(list.map((protocol) => protocol.toLowerCase())).size !== list.length) {
    throw domError("WebSocket Constructor: The protocols header cannot have repeating values.", "SyntaxError");
  }
  return list;
}

function parseUrl(input: string | URL): URL {
  let url: URL;
  try {
    url = new URL(input);
  } catch {
    throw domError("WebSocket Constructor: The url is invalid.", "SyntaxError");
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw domError("WebSocket Constructor: The url scheme must be ws or wss.", "SyntaxError");
  }
  if (url.hash !== "") throw domError("WebSocket Constructor: The url fragment must be empty.", "SyntaxError");
  return url;
}

export class WebSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  static readonly READY_STATE_CONNECTING = 0;
  static readonly READY_STATE_OPEN = 1;
  static readonly READY_STATE_CLOSING = 2;
  static readonly READY_STATE_CLOSED = 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;
  declare readonly READY_STATE_CONNECTING: 0;
  declare readonly READY_STATE_OPEN: 1;
  declare readonly READY_STATE_CLOSING: 2;
  declare readonly READY_STATE_CLOSED: 3;
  declare onopen: ((event: Event) => void) | null;
  declare onmessage: ((event: globalThis.MessageEvent) => void) | null;
  declare onclose: ((event: globalThis.CloseEvent) => void) | null;
  declare onerror: ((event: globalThis.ErrorEvent) => void) | null;

  readonly #in: Internals;

  static {
    internals = (socket) => {
      if (!(#in in socket)) {
        throw new TypeError("Illegal invocation: function called with incorrect `this` reference. See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.");
      }
      return socket.#in;
    };
    isEnd = (value) => #in in value;
  }

  constructor(url: string | URL, protocols?: string | string[]) {
    super();
    this.#in = newInternals();
    if ((url as unknown) === construct) return;
    const parsed = parseUrl(url);
    const list = parseProtocols(protocols);
    this.#in.url = parsed.href.endsWith("/") && !`${url}`.endsWith("/") ? parsed.href.slice(0, -1) : parsed.href;
    this.#in.byUrl = true;
    this.#in.connecting = true;
    this.#in.accepted = "events";
    this.#in.context = AsyncLocalStorage.snapshot();
    connectOutgoing!(this, parsed, list);
  }

  get readyState(): number {
    const own = internals(this);
    if (own.connecting) return 0;
    if (own.closeSent && own.closeReceived) return 3;
    return own.closeSent || own.closeReceived ? 2 : 1;
  }
  get url(): string | null { return internals(this).url; }
  get protocol(): string { return internals(this).remote?.protocol ?? protocolOf.get(this) ?? ""; }
  get extensions(): string { return internals(this).remote?.extensions ?? ""; }
  get bufferedAmount(): number { return 0; }
  get binaryType(): "arraybuffer" | "blob" { return internals(this).binaryType; }
  set binaryType(value: "arraybuffer" | "blob") {
    if (value === "arraybuffer" || value === "blob") internals(this).binaryType = value;
  }

  /** Messages are dispatched as events from now on, also those that came before. */
  accept(_options?: { allowHalfOpen?: boolean }): void {
    const own = internals(this);
    if (own.byUrl) {
      throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
    }
    if (own.handedOn) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
    if (own.accepted === "hibernatable") throw new TypeError("Can't accept() WebSocket after enabling hibernation.");
    if (own.accepted === "events") return;
    own.accepted = "events";
    own.context = AsyncLocalStorage.snapshot();
    claimOther(own);
    pump(this, own);
  }

  send(data: string | ArrayBuffer | ArrayBufferView): void {
    const own = internals(this);
    if (typeof data !== "string" && !(data instanceof ArrayBuffer) && !ArrayBuffer.isView(data)) {
      if (typeof data === "number" || typeof data === "boolean" || typeof data === "bigint") data = String(data);
      else if (typeof data === "object" && data !== null) data = `${data as object}`;
      else {
        throw new TypeError("Failed to execute 'send' on 'WebSocket': parameter 1 is not of type 'ArrayBuffer or ArrayBufferView or string'.");
      }
    }
    if (own.connecting || own.accepted === "no") throw new TypeError(notAccepted);
    if (own.closedHere) throw new TypeError("Can't call WebSocket send() after close().");
    if (own.closeReceived) return; // nobody is there to read it
    if (own.transport !== null) {
      own.transport.send(ArrayBuffer.isView(data) ? bytesOf(data) : data);
      return;
    }
    const copied = typeof data === "string" ? data : data instanceof ArrayBuffer ? data.slice(0) : copyOf(data);
    transmit(this, own, { data: copied });
  }

  close(code?: number, reason?: string): void {
    const own = internals(this);
    if (reason !== undefined && code === undefined) {
      throw domError("If you specify a WebSocket close reason, you must also specify a code.", "InvalidAccessError");
    }
    const number = code === undefined ? 1005 : Math.trunc(Number(code));
    if (code !== undefined) {
      const allowed = number >= 1000 && number < 5000 && ![1004, 1005, 1006, 1015].includes(number);
      if (!allowed) throw domError(`Invalid WebSocket close code: ${number}.`, "InvalidAccessError");
    }
    const text = reason === undefined ? "" : closeReason(String(reason));
    if (own.accepted === "no") throw new TypeError(notAccepted);
    own.closedHere = true;
    if (own.closeSent) return;
    own.closeSent = true;
    own.connecting = false;
    if (own.transport !== null && own.closeReceived) return; // the core has answered the close already
    if (own.transport !== null) own.transport.close(number, text);
    else transmit(this, own, { code: number, reason: text, wasClean: true });
  }

  /** Keeps a structured-clonable value of at most 16 KiB with the socket; it outlives this process. */
  serializeAttachment(value: unknown): void {
    const own = internals(this);
    own.attachment = value === undefined ? null : Attachment.of(value);
    own.transport?.attach(own.attachment === null ? null : own.attachment.bytes);
  }

  deserializeAttachment(): any {
    const own = internals(this);
    return own.attachment === null ? null : own.attachment.read();
  }

  get [Symbol.toStringTag](): string { return "WebSocket"; }
}
for (const [name, value] of [["CONNECTING", 0], ["OPEN", 1], ["CLOSING", 2], ["CLOSED", 3]] as const) {
  Object.defineProperty(WebSocket.prototype, name, { value, enumerable: true });
  Object.defineProperty(WebSocket.prototype, `READY_STATE_${name}`, { value, enumerable: true });
}
defineHandlers(WebSocket.prototype, ["open", "message", "close", "error"]);

/** The protocol that a socket of the core's was opened with; few have one. */
export const protocolOf = new WeakMap<WebSocket, string>();

/**
 * At most the 123 bytes that RFC 6455 leaves for a reason. More is refused under a recent compatibility
 * date, and cut under an earlier one, as it cannot be sent.
 */
function closeReason(reason: string): string {
  if (reason.length <= 41 || utf8.encode(reason).byteLength <= 123) return reason;
  if (refusesLongReasons) throw domError("WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.", "SyntaxError");
  let cut = "";
  let bytes = 0;
  for (const character of reason) {
    bytes += utf8.encode(character).byteLength;
    if (bytes > 123) break;
    cut += character;
  }
  return cut;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
function copyOf(view: ArrayBufferView): ArrayBuffer {
  return new Uint8Array(bytesOf(view)).buffer;
}

// ---- how frames travel ----------------------------------------------------------------------------

/** Sends a frame on its way, behind whatever waits at the output gate. */
export function transmit(socket: WebSocket, own: Internals, frame: Frame): void {
  const gate = hooks.outputGate();
  if (gate === null && own.tail === null) {
    forward(own, frame);
    return;
  }
  const tail: Promise<void> = (own.tail ?? Promise.resolve())
    .then(() => gate)
    .then(() => forward(own, frame), () => fail(socket, "Network connection lost."))
    .finally(() => { if (own.tail === tail) own.tail = null; });
  own.tail = tail;
}

export function forward(own: Internals, frame: Frame): void {
  if (own.transport !== null) {
    sendFrame(own.transport, frame);
  } else if (own.remote !== null) {
    sendFrame(own.remote, frame);
  } else if (own.peer !== null) {
    receive(own.peer, internals(own.peer), frame);
  }
  // Otherwise the other side is gone, and the frame has nowhere to go.
}

export function sendFrame(target: Transport | Remote, frame: Frame): void {
  if ("data" in frame) {
    target.send(frame.data);
    frame.taken?.();
  } else {
    target.close(frame.code, frame.reason, frame.wasClean);
  }
}

/** An end was accepted by code: from now on its other end is no client's. */
export function claimOther(own: Internals): void {
  if (own.claim !== null) {
    own.remote = own.claim();
    own.claim = null;
  } else if (own.peer !== null) {
    internals(own.peer).local?.claimed?.();
  }
}

function receive(socket: WebSocket, own: Internals, frame: Frame): void {
  const size = frameSize(frame);
  if (own.inboxBytes + size > inboxMaxBytes) {
    throw new Error(`The other end of this WebSocket has not taken ${own.inboxBytes} bytes that were sent to it; no more than ${inboxMaxBytes} are kept. Was it accepted?`);
  }
  own.inboxBytes += size;
  own.inbox.push(frame);
  pump(socket, own);
}

/**
 * Dispatches what has come in, each frame in a turn of the loop of its own (so that two ends which
 * answer each other without end leave others theirs), in the context in which the end was accepted.
 */
export function pump(socket: WebSocket, own: Internals): void {
  if (own.pumping || own.inbox.length === 0 || !takesFrames(own)) return;
  own.pumping = true;
  const turn = () => {
    const frame = own.inbox.shift();
    own.pumping = own.inbox.length > 0;
    if (own.pumping) setImmediate(turn);
    if (frame === undefined) return;
    const waits = own.context!(() => own.local === null ? dispatch(socket, own, frame) : handLocally(own, own.local, frame));
    if (waits) void waits.then(() => taken(own, frame), () => taken(own, frame));
    else taken(own, frame);
  };
  setImmediate(turn);
}

function taken(own: Internals, frame: Frame): void {
  if (!("data" in frame)) return;
  own.inboxBytes = Math.max(0, own.inboxBytes - sizeOf(frame.data));
  frame.taken?.();
}

function takesFrames(own: Internals): boolean {
  return own.accepted === "events" || (own.accepted === "hibernatable" && own.local !== null);
}

export function frameSize(frame: Frame): number {
  return "data" in frame ? sizeOf(frame.data) : 0;
}

function sizeOf(data: FrameData): number {
  return typeof data === "string" ? data.length : data.byteLength;
}

/** What comes from outside comes in a turn of its own already, and is dispatched at once if it is next. */
export function arrive(socket: WebSocket, own: Internals, frame: Frame): void {
  if (own.accepted !== "events" || own.pumping || own.inbox.length > 0) {
    receive(socket, own, frame);
    return;
  }
  own.context!(() => dispatch(socket, own, frame));
  if ("data" in frame) frame.taken?.();
}

function handLocally(own: Internals, local: LocalHandler, frame: Frame): void | Promise<void> {
  if ("data" in frame) return local.message(frame.data);
  if (!own.closeReceived) {
    own.closeReceived = true;
    local.close(frame.code, frame.reason, frame.wasClean);
  }
  return undefined;
}

function dispatch(socket: WebSocket, own: Internals, frame: Frame): void {
  if ("data" in frame) {
    const data = typeof frame.data !== "string" && own.binaryType === "blob" ? new Blob([frame.data]) : frame.data;
    socket.dispatchEvent(new MessageEvent("message", { data }));
    return;
  }
  if (own.closeReceived) return;
  own.closeReceived = true;
  socket.dispatchEvent(new CloseEvent("close", { code: frame.code, reason: frame.reason, wasClean: frame.wasClean }));
  // The closing handshake is completed for code that does not.
  if (!own.closeSent) {
    own.closeSent = true;
    if (own.peer !== null || own.remote?.relayed) transmit(socket, own, { code: frame.code, reason: frame.reason, wasClean: frame.wasClean });
  }
}

/** Ends an end whose frames can no longer be delivered: an error event, and unless told otherwise a close. */
export function fail(socket: WebSocket, message: string, closes = true): void {
  const own = internals(socket);
  if (own.closeReceived && own.closeSent) return;
  own.closeSent = own.closeReceived = true;
  own.inbox.length = 0;
  own.inboxBytes = 0;
  if (own.accepted !== "events") return;
  const error = new Error(message);
  own.context!(() => {
    socket.dispatchEvent(new ErrorEvent("error", { message, error }));
    if (closes) socket.dispatchEvent(new CloseEvent("close", { code: 1006, reason: message, wasClean: false }));
  });
}

// ---- pairs ------------------------------------------------------------------------------------------

export function newEnd(): WebSocket {
  return new WebSocket(construct as never);
}

export class WebSocketPair {
  declare readonly 0: WebSocket;
  declare readonly 1: WebSocket;
  constructor() {
    const first = newEnd();
    const second = newEnd();
    internals(first).peer = second;
    internals(second).peer = first;
    Object.defineProperty(this, 0, { value: first, enumerable: true });
    Object.defineProperty(this, 1, { value: second, enumerable: true });
  }
  *[Symbol.iterator](): IterableIterator<WebSocket> {
    yield this[0];
    yield this[1];
  }
  get [Symbol.toStringTag](): string { return "WebSocketPair"; }
}

export class WebSocketRequestResponsePair {
  readonly #request: string;
  readonly #response: string;
  constructor(request: string, response: string) {
    if (arguments.length < 2) {
      throw new TypeError(`Failed to construct 'WebSocketRequestResponsePair': constructor parameter ${arguments.length + 1} is not of type 'string'.`);
    }
    this.#request = String(request);
    this.#response = String(response);
  }
  get request(): string { return this.#request; }
  get response(): string { return this.#response; }
}
