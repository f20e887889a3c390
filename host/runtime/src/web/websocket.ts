/** Where an end's frames go when its other end is not in this process: a connection of the core. */
export interface Transport {
  send(data: string | ArrayBuffer | Uint8Array): void;
  close(code: number, reason: string): void;
  /** The socket's attachment changed; V8's serialized form. */
  attach(attachment: Uint8Array | null): void;
}
export type FrameData = string | ArrayBuffer;

export class WebSocket extends EventTarget {
  static readonly CONNECTING = 0; static readonly OPEN = 1; static readonly CLOSING = 2; static readonly CLOSED = 3;
  static readonly READY_STATE_CONNECTING = 0; static readonly READY_STATE_OPEN = 1;
  static readonly READY_STATE_CLOSING = 2; static readonly READY_STATE_CLOSED = 3;
  constructor(_url: string | URL, _protocols?: string | string[]) { super(); }
  get readyState(): number { throw new Error("unwritten"); }
  get url(): string | null { throw new Error("unwritten"); }
  get protocol(): string { throw new Error("unwritten"); }
  get extensions(): string { throw new Error("unwritten"); }
  accept(): void { throw new Error("unwritten"); }
  send(_data: string | ArrayBuffer | ArrayBufferView): void { throw new Error("unwritten"); }
  close(_code?: number, _reason?: string): void { throw new Error("unwritten"); }
  serializeAttachment(_value: unknown): void { throw new Error("unwritten"); }
  deserializeAttachment(): any { throw new Error("unwritten"); }
}
export class WebSocketPair { 0!: WebSocket; 1!: WebSocket; [Symbol.iterator](): IterableIterator<WebSocket> { throw new Error("unwritten"); } }
export class WebSocketRequestResponsePair {
  readonly request: string; readonly response: string;
  constructor(request: string, response: string) { this.request = request; this.response = response; }
}

// ---- for the runtime ----------------------------------------------------------------------------

/** A socket of the core's, rebuilt (after hibernation or another host's death): accepted and open. */
export function makeSocket(_options: { url: string | null; protocol: string; attachment: Uint8Array | null; transport: Transport }): WebSocket { throw new Error("unwritten"); }
/**
 * The end that a client which got this `response.webSocket` talks to: the other end of its pair. (For
 * an outgoing socket handed on as it is, a relay's end.) The given end can no longer be used by code.
 */
export function serverEnd(_webSocket: WebSocket): WebSocket { throw new Error("unwritten"); }
/** Binds an end to the core: what was sent on it before goes out now, in order, and all that follows. */
export function attachTransport(_webSocket: WebSocket, _transport: Transport): void { throw new Error("unwritten"); }
/** ctx.acceptWebSocket: as accept(), but messages go to the agent's handlers. Throws if accepted before. */
export function markHibernatable(_webSocket: WebSocket): void { throw new Error("unwritten"); }
/** Whether code has accepted this end (either way). */
export function isAccepted(_webSocket: WebSocket): boolean { throw new Error("unwritten"); }
/** The attachment as it is stored: V8's serialized form, or null. */
export function attachmentBytes(_webSocket: WebSocket): Uint8Array | null { throw new Error("unwritten"); }
/**
 * A frame came for an end that code accepted by accept(): dispatches its event (or keeps it until
 * accept). Not for hibernatable ends; those have webSocketMessage.
 */
export function deliverMessage(_webSocket: WebSocket, _data: FrameData): void { throw new Error("unwritten"); }
/** The peer closed or is gone: state and, for an end accepted by accept(), the close event. */
export function deliverClose(_webSocket: WebSocket, _code: number, _reason: string, _wasClean: boolean): void { throw new Error("unwritten"); }
/** As deliverClose for a socket whose agent was reset: no code runs; further sends throw nothing and go nowhere. */
export function breakSocket(_webSocket: WebSocket): void { throw new Error("unwritten"); }
/** `socket.getWebSocketAutoResponseTimestamp`'s value, kept with the socket. */
export function autoResponseAt(_webSocket: WebSocket): number { throw new Error("unwritten"); }
export function setAutoResponseAt(_webSocket: WebSocket, _atMs: number): void { throw new Error("unwritten"); }
