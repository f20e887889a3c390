import { Body, type BodyInit, type BodySource, type TakenBody } from "./body.ts";
import type { HeadersInit, Packed } from "./headers.ts";

export interface RequestInit {
  method?: string; headers?: HeadersInit; body?: BodyInit | null; redirect?: "follow" | "manual" | "error";
  signal?: AbortSignal | null; cf?: object; integrity?: string; cache?: string; keepalive?: boolean;
}
export class Request extends Body {
  static readonly written = false;
  constructor(_input: Request | URL | string, _init?: RequestInit) { super(); }
  get url(): string { throw new Error("unwritten"); }
  get method(): string { throw new Error("unwritten"); }
  get signal(): AbortSignal { throw new Error("unwritten"); }
  get redirect(): "follow" | "manual" | "error" { throw new Error("unwritten"); }
  get cf(): object | undefined { throw new Error("unwritten"); }
  clone(): Request { throw new Error("unwritten"); }
}

/** A request as it came in: immutable headers, nothing parsed until it is asked for. About 1 µs. */
export function makeRequest(_method: string, _url: string, _headers: Packed,
                            _body: string | Uint8Array | BodySource | null, _cf?: object): Request { throw new Error("unwritten"); }
/** The client left: the request's signal (made lazily) aborts. */
export function abortRequest(_request: Request, _reason: unknown): void { throw new Error("unwritten"); }

export type RequestParts = TakenBody & { readonly method: string; readonly url: string; readonly headers: Packed; readonly cf: object | undefined;
  readonly redirect: "follow" | "manual" | "error" };
/** Takes a request apart, to send it elsewhere. Its body is used by that. Throws TypeError if it was. */
export function takeRequest(_request: Request): RequestParts { throw new Error("unwritten"); }
/** Any Request-like of another realm or Node's own becomes ours; ours is returned as is. */
export function asRequest(_input: unknown, _init?: RequestInit): Request { throw new Error("unwritten"); }
