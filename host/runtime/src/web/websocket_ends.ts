// The runtime's side of WebSockets: binding an end to a connection of the core, rebuilding one after
// hibernation, delivering what comes in, and ends that are clients of other servers. User code never
// sees these; they reach into an end by `internals`.
import { AsyncLocalStorage } from "node:async_hooks";
import { Attachment } from "./attachment.ts";
import { hooks } from "./hooks.ts";
import {
  WebSocketPair, arrive, fail, internals, isEnd, newEnd, protocolOf, pump, sendFrame,
  type FrameData, type LocalHandler, type Remote, type Transport, type WebSocket,
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
  if (own.handedOn) throw new TypeError("Can't return WebSocket that was already used in a response.");
  if (own.accepted !== "no") throw new TypeError("Can't return WebSocket in a Response after calling accept().");
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
  if (own.remote !== null || own.connecting) {
    throw new TypeError("Outgoing WebSockets cannot hibernate; call accept() instead of acceptWebSocket().");
  }
  if (own.accepted !== "no") {
    throw new Error("Tried to acceptWebSocket() a WebSocket that was already accepted.");
  }
  own.accepted = "hibernatable";
  own.local = local;
  own.context = AsyncLocalStorage.snapshot();
  pump(socket, own);
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
export function deliverMessage(socket: WebSocket, data: FrameData): void {
  const own = internals(socket);
  if (own.closeReceived) return;
  try {
    arrive(socket, own, { data });
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
    remote.close(1005, ""); // closed before it was open
    return;
  }
  const wasConnecting = own.connecting;
  own.connecting = false;
  if (wasConnecting) own.context!(() => { socket.dispatchEvent(new Event("open")); });
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
