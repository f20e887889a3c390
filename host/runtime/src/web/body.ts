import type { Headers } from "./headers.ts";

/** A body that comes from elsewhere; opened at most once, when somebody reads it. */
export interface BodySource {
  open(): ReadableStream<Uint8Array>;
  /** Nobody will read it. */
  cancel?(reason?: unknown): void;
}
export type BodyInit = ReadableStream | string | ArrayBuffer | ArrayBufferView | Blob | URLSearchParams | FormData;

/** What a Request or Response is taken apart into: kind as on the wire (0 none, 1 whole, 2 streamed). */
export type TakenBody =
  | { readonly bodyKind: 0; readonly body: null }
  | { readonly bodyKind: 1; readonly body: string | Uint8Array }
  | { readonly bodyKind: 2; readonly body: ReadableStream<Uint8Array> };

export class Body {
  get headers(): Headers { throw new Error("unwritten"); }
  get body(): ReadableStream<Uint8Array> | null { throw new Error("unwritten"); }
  get bodyUsed(): boolean { throw new Error("unwritten"); }
  text(): Promise<string> { throw new Error("unwritten"); }
  json(): Promise<any> { throw new Error("unwritten"); }
  arrayBuffer(): Promise<ArrayBuffer> { throw new Error("unwritten"); }
  bytes(): Promise<Uint8Array<ArrayBuffer>> { throw new Error("unwritten"); }
  blob(): Promise<Blob> { throw new Error("unwritten"); }
  formData(): Promise<FormData> { throw new Error("unwritten"); }
}
