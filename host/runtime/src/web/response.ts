import { Body, type BodyInit, type BodySource, type TakenBody } from "./body.ts";
import type { HeadersInit, Packed } from "./headers.ts";
import type { WebSocket } from "./websocket.ts";

export interface ResponseInit {
  status?: number; statusText?: string; headers?: HeadersInit; webSocket?: WebSocket | null; cf?: object;
  encodeBody?: "automatic" | "manual";
}
export class Response extends Body {
  constructor(_body?: BodyInit | null, _init?: ResponseInit) { super(); }
  static json(_data: unknown, _init?: ResponseInit): Response { throw new Error("unwritten"); }
  static redirect(_url: string | URL, _status?: number): Response { throw new Error("unwritten"); }
  static error(): Response { throw new Error("unwritten"); }
  get status(): number { throw new Error("unwritten"); }
  get statusText(): string { throw new Error("unwritten"); }
  get ok(): boolean { throw new Error("unwritten"); }
  get webSocket(): WebSocket | null { throw new Error("unwritten"); }
  get cf(): object | undefined { throw new Error("unwritten"); }
  clone(): Response { throw new Error("unwritten"); }
}
export type ResponseParts = TakenBody & {
  readonly status: number; readonly statusText: string; readonly headers: Packed; readonly webSocket: WebSocket | null;
};
/** What the core needs of a response. Its body is used by that. Throws TypeError if it was used before. */
export function takeResponse(_response: Response): ResponseParts { throw new Error("unwritten"); }
export function makeResponse(_status: number, _statusText: string, _headers: Packed,
                             _body: string | Uint8Array | BodySource | null, _webSocket?: WebSocket | null): Response { throw new Error("unwritten"); }
/** Whether a handler's answer is a Response (ours). */
export function isResponse(_value: unknown): _value is Response { throw new Error("unwritten"); }
