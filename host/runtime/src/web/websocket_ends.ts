// The runtime's side of WebSockets: binding an end to a connection of the core, rebuilding one after
// hibernation, delivering what comes in, and ends that are clients of other servers. User code never
// sees these; they reach into an end by `internals`.
import { AsyncLocalStorage } from "node:async_hooks";
import { Attachment } from "./attachment.ts";
import { hooks } from "./hooks.ts";
import {
  WebSocketPair, arrive, claimOther, fail, forward, internals, isEnd, newEnd, protocolOf, pump, sendFrame, transmit,
  frameSize, type Frame, type FrameData, type Internals, type LocalHandler, type Remote, type Transport, type WebSocket,
} from "./websocket.ts";

export function isWebSocket(value: unknown): value is WebSocket {
  return typeof value === "object" && value !== null && isEnd(value);
}

/** A socket of the core's, rebuilt (after hibernation or another host's death): accepted and open. */
export function makeSocket(options: {
  url: string | null; protocol: string; attachment: Uint8Array | null; transport: Transport; autoResponseAtMs?: number;
}): WebSocket {
  const socket = newEnd();
  const own = internals(socket);
  own.url = options.url;
  own.accepted = "hibernatable";
  own.transport = options.transport;
  own.attachment = options.attachment === null ? null : Attachment.from(options.attachment);
  own.autoResponseAtMs = options.autoResponseAtMs ?? 0;
  if (options.protocol !== "") protocolOf.set(socket, options.protocol);
  return socket;
}

/**
 * The end that a client which got this `response.webSocket` talks to: the other end of its pair, or a
 * relay's end for a socket that has no pair (an outgoing one, handed on). The given end can no longer
 * be used by code. Throws TypeError if code has accepted it or handed it on before.
 */
export function serverEnd(socket: WebSocket): WebSocket {
  const own = internals(socket);
  checkUnused(own);
  if (own.peer !== null) {
    own.handedOn = true;
    return own.peer;
  }
  // Until the core has it, the pair's other end keeps what comes in.
  const [end, rest] = new WebSocketPair();
  relay(socket, end!);
  own.handedOn = true;
  internals(rest!).handedOn = true;
  return end!;
}

function checkUnused(own: Internals): void {
  if (own.handedOn) throw new TypeError("Can't return WebSocket that was already used in a response.");
  if (own.accepted !== "no") throw new TypeError("Can't return WebSocket in a Response after calling accept().");
}

/** Passes frames and closes between two ends, both ways. */
export function relay(a: WebSocket, b: WebSocket): void {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    from.binaryType = "arraybuffer";
    from.addEventListener("message", (event) => to.send((event as globalThis.MessageEvent).data));
    from.addEventListener("close", (event) => {
      const { code, reason } = event as globalThis.CloseEvent;
      if (code === 1005) to.close();
      else to.close(code >= 1000 && code < 5000 && ![1004, 1006, 1015].includes(code) ? code : 1011, reason);
    });
  }
  a.accept();
  b.accept();
}

/** Binds an end to the core: what was sent on it before goes out now, in order, and all that follows. */
export function attachTransport(socket: WebSocket, transport: Transport): void {
  const own = internals(socket);
  own.transport = transport;
  if (own.peer === null) return;
  const peer = internals(own.peer);
  const sent = peer.inbox.splice(0);
  peer.inboxBytes = 0;
  peer.peer = null;
  own.peer = null;
  for (const frame of sent) sendFrame(transport, frame);
}

export function transportOf(socket: WebSocket): Transport | null {
  return internals(socket).transport;
}

/**
 * ctx.acceptWebSocket: as accept(), but messages go to the agent's handlers: those of the core by the
 * dispatcher, those of an other end that code of this process holds by `local`.
 */
export function markHibernatable(socket: WebSocket, local: LocalHandler | null = null): void {
  const own = internals(socket);
  if (own.handedOn) throw new TypeError("Can't acceptWebSocket() that was already used in a response.");
  if (own.remote !== null || own.claim !== null || own.connecting) {
    throw new TypeError("Outgoing WebSockets cannot hibernate; call accept() instead of acceptWebSocket().");
  }
  if (own.accepted !== "no") {
    throw new Error("Tried to acceptWebSocket() a WebSocket that was already accepted.");
  }
  own.accepted = "hibernatable";
  own.local = local;
  own.context = AsyncLocalStorage.snapshot();
  if (own.peer !== null && internals(own.peer).accepted !== "no") local?.claimed?.();
  pump(socket, own);
}

// ---- ends whose other side is held by code: in this process, or on another host -------------------

/** Runs what is handled for no life of an agent. */
const atStart = AsyncLocalStorage.snapshot();

/** An end for one that another host holds; `claim` is called when code accepts it here. */
export function makeStandIn(claim: () => Remote): WebSocket {
  const socket = newEnd();
  internals(socket).claim = claim;
  return socket;
}

/** The end leaves this process, or goes back to its core: code may not use it any more. Throws if it was used. */
export function handOn(socket: WebSocket): void {
  const own = internals(socket);
  checkUnused(own);
  own.handedOn = true;
}

/** Undoes handOn(), for whoever hands it on in another way. */
export function takeBack(socket: WebSocket): void {
  internals(socket).handedOn = false;
}

/** The other end of a pair in this process; null if there is none. */
export function otherEnd(socket: WebSocket): WebSocket | null {
  return internals(socket).peer;
}

/** The runtime takes what comes to an end that was handed on, in the place of code. */
export function holdEnd(socket: WebSocket, handler: LocalHandler): void {
  const own = internals(socket);
  own.accepted = "hibernatable";
  own.local = handler;
  own.context = atStart;
  claimOther(own);
  pump(socket, own);
}

/** Sends a frame from an end that the runtime holds. Throws if the other side has too many to take. */
export function pushFrame(socket: WebSocket, frame: Frame): void {
  transmit(socket, internals(socket), frame);
}

/** Closes the other side of an end that goes away without a word. */
export function abandonEnd(socket: WebSocket, code: number, reason: string): void {
  const own = internals(socket);
  if (own.closeSent) return;
  own.closedHere = own.closeSent = true;
  forward(own, { code, reason, wasClean: code !== 1006 });
}

/** The handler of a close has ended: the closing handshake is completed if it has not done that. */
export function completeClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void {
  const own = internals(socket);
  if (own.closeSent) return;
  own.closeSent = true;
  transmit(socket, own, { code, reason, wasClean });
}

/**
 * The next life's object for a hibernatable end whose other side is held by code. What has come for
 * the end waits for that life; what the life before had sent goes out first. The old object is broken.
 */
export function renewEnd(socket: WebSocket): WebSocket {
  const own = internals(socket);
  const renewed = newEnd();
  const next = internals(renewed);
  next.accepted = "hibernatable";
  next.local = own.local;
  next.context = atStart;
  next.url = own.url;
  next.attachment = own.attachment === null ? null : Attachment.from(own.attachment.bytes);
  next.autoResponseAtMs = own.autoResponseAtMs;
  next.closedHere = own.closedHere;
  next.closeSent = own.closeSent;
  next.closeReceived = own.closeReceived;
  next.tail = own.tail;
  next.peer = own.peer;
  if (own.peer !== null) internals(own.peer).peer = renewed;
  next.inbox = own.inbox.splice(0);
  next.inboxBytes = next.inbox.reduce((sum, frame) => sum + frameSize(frame), 0);
  breakSocket(socket);
  pump(renewed, next);
  return renewed;
}

/** Whether code has accepted this end, and how. */
export function isAccepted(socket: WebSocket): boolean {
  return internals(socket).accepted !== "no";
}
export function isHibernatable(socket: WebSocket): boolean {
  return internals(socket).accepted === "hibernatable";
}

/** The attachment as it is stored: V8's serialized form, or null. */
export function attachmentBytes(socket: WebSocket): Uint8Array | null {
  return internals(socket).attachment?.bytes ?? null;
}

/**
 * A frame came for an end that code accepted by accept(), or has yet to accept: its event follows. A
 * client that sends more than is kept for an end that nobody accepts is closed with 1011.
 */
export function deliverMessage(socket: WebSocket, data: FrameData, taken?: () => void): void {
  const own = internals(socket);
  if (own.closeReceived) return;
  try {
    arrive(socket, own, taken === undefined ? { data } : { data, taken });
  } catch (error) {
    own.transport?.close(1011, "The server does not take messages");
    breakSocket(socket);
    hooks.reportError(error);
  }
}

/**
 * The core's connection is gone (both close frames were seen, or none will be). For a hibernatable
 * end only the state changes; the agent's webSocketClose is the caller's to run.
 */
export function deliverClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void {
  const own = internals(socket);
  if (own.accepted === "hibernatable") own.closeReceived = true;
  else arrive(socket, own, { code, reason, wasClean });
}

/** The core's client broke the protocol: an error event, and no close. A hibernatable end's handler is the caller's. */
export function deliverError(socket: WebSocket, error: Error): void {
  const own = internals(socket);
  if (own.accepted === "hibernatable") own.closeReceived = true;
  else fail(socket, error.message, false);
}

/** The agent behind this socket was reset: no code runs for it, and what is sent on it goes nowhere. */
export function breakSocket(socket: WebSocket): void {
  const own = internals(socket);
  own.closeReceived = true;
  own.inbox.length = 0;
  own.inboxBytes = 0;
}

/** An outgoing socket: `remote` takes its frames. outgoing.ts calls `deliver…` with what comes in. */
export function makeOutgoing(url: string): WebSocket {
  const socket = newEnd();
  internals(socket).url = url;
  return socket;
}
export function openOutgoing(socket: WebSocket, remote: Remote): void {
  const own = internals(socket);
  own.remote = remote;
  if (own.closeSent) {
    remote.close(1005, "", true); // closed before it was open
    return;
  }
  const wasConnecting = own.connecting;
  own.connecting = false;
  if (wasConnecting) own.context!(() => { socket.dispatchEvent(new Event("open")); });
}
/** The way to an end's other side broke: an error event, and a close event with 1006. */
export function breakOff(socket: WebSocket, message: string): void {
  const own = internals(socket);
  if (own.local === null) fail(socket, message);
  else arrive(socket, own, { code: 1006, reason: message, wasClean: false });
}
/** A close came from the host that holds an end's other side. */
export function passClose(socket: WebSocket, code: number, reason: string, wasClean: boolean): void {
  arrive(socket, internals(socket), { code, reason, wasClean });
}
export function failOutgoing(socket: WebSocket, message: string): void {
  const own = internals(socket);
  own.connecting = false;
  fail(socket, message);
}

/** When the core last answered for this socket by itself (ms since the epoch), or 0. */
export function autoResponseAt(socket: WebSocket): number {
  return internals(socket).autoResponseAtMs;
}
export function setAutoResponseAt(socket: WebSocket, atMs: number): void {
  internals(socket).autoResponseAtMs = atMs;
}
