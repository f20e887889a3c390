// Puts the platform's globals where user code looks for them. Runs once, before the bundle is
// loaded; Node's own classes that web/ needs were taken by native.ts before.
import { Body } from "./body.ts";
import { installAtLeast } from "./byob.ts";
import { caches, Cache, CacheStorage } from "./caches.ts";
import { HTMLRewriter } from "./html_rewriter.ts";
import { digest, DigestStream, timingSafeEqual } from "./crypto.ts";
import { EventSource } from "./event_source.ts";
import { CloseEvent, ErrorEvent, PromiseRejectionEvent } from "./events.ts";
import { fetch } from "./fetch.ts";
import { nameBlobsByField } from "./form_data.ts";
import { Headers } from "./headers.ts";
import { hooks } from "./hooks.ts";
import { nodeSetTimeout } from "./native.ts";
import { Request } from "./request.ts";
import { Response } from "./response.ts";
import { FixedLengthStream, IdentityTransformStream } from "./streams.ts";
import { setDefaultBinaryType, setRefusesLongReasons, WebSocket, WebSocketPair, WebSocketRequestResponsePair } from "./websocket.ts";

export interface GlobalsOptions { compatibilityFlags: Record<string, boolean> }

const timeoutMaxMs = 2 ** 31 - 1;

/**
 * Node fires at once what is set for later than 2^31 ms; the platform waits. The wait is cut into
 * equal parts of one timer, so that the handle stays good for clearTimeout. Handles are Node's own
 * (objects that turn into numbers), as on the platform with nodejs_compat.
 */
export function setTimeoutOfAnyLength(callback: (...args: any[]) => void, delayMs?: number, ...args: unknown[]): NodeJS.Timeout {
  if (!(Number(delayMs) > timeoutMaxMs)) return nodeSetTimeout(callback, delayMs, ...args);
  if (typeof callback !== "function") return nodeSetTimeout(callback, delayMs); // throws as it does
  let parts = Math.ceil(Math.min(Number(delayMs), Number.MAX_SAFE_INTEGER) / timeoutMaxMs);
  const timer = nodeSetTimeout(() => {
    parts -= 1;
    if (parts === 0) callback(...args);
    else timer.refresh();
  }, Math.ceil(Math.min(Number(delayMs), Number.MAX_SAFE_INTEGER) / parts));
  return timer;
}
Object.defineProperties(setTimeoutOfAnyLength, {
  ...Object.getOwnPropertyDescriptors({ [Symbol.for("nodejs.util.promisify.custom")]:
    (nodeSetTimeout as unknown as Record<symbol, unknown>)[Symbol.for("nodejs.util.promisify.custom")] }),
  name: { value: "setTimeout" },
});

const scheduler = {
  wait(delayMs: number, options?: { signal?: AbortSignal }): Promise<void> {
    return new Promise((resolve, reject) => {
      const signal = options?.signal;
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const aborted = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      const timer = setTimeoutOfAnyLength(() => {
        signal?.removeEventListener("abort", aborted);
        resolve();
      }, delayMs);
      signal?.addEventListener("abort", aborted, { once: true });
    });
  },
  yield(): Promise<void> { return new Promise((resolve) => setImmediate(resolve)); },
};

/** Not here yet, and says so where it is used instead of being an undefined name. */
class Navigator {
  get userAgent(): string { return "Cloudflare-Workers"; }
  get language(): string { return "en"; }
  get languages(): readonly string[] { return ["en"]; }
  get hardwareConcurrency(): number { return 1; }
  get platform(): string { return ""; }
  sendBeacon(url: string | URL, body?: string | ArrayBuffer | Blob | null): boolean {
    fetch(url, { method: "POST", body: body ?? null }).catch((error) => hooks.reportError(error));
    return true;
  }
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

function defineMissing(name: string, value: unknown): void {
  if ((globalThis as unknown as Record<string, unknown>)[name] === undefined) define(name, value);
}

/** addEventListener and its kin on the global, which is no EventTarget in Node. */
let rejectionTarget: EventTarget | null = null;

/** Tells listeners of the global scope. True: one of them prevented the default, which is the log. */
export function tellRejection(type: "unhandledrejection" | "rejectionhandled", promise: Promise<unknown>, reason: unknown): boolean {
  return rejectionTarget?.dispatchEvent(new PromiseRejectionEvent(type, { promise, reason, cancelable: true })) === false;
}

function defineGlobalEvents(): void {
  const target = new EventTarget();
  rejectionTarget = target;
  define("addEventListener", target.addEventListener.bind(target));
  define("removeEventListener", target.removeEventListener.bind(target));
  define("dispatchEvent", target.dispatchEvent.bind(target));
}

/** What the platform's V8 has and that of Node 20 lacks. */
function defineForOlderNode(): void {
  const promise = Promise as unknown as Record<string, unknown>;
  promise["withResolvers"] ??= function withResolvers<T>() {
    let resolve!: (value: T) => void;
    let reject!: (reason: unknown) => void;
    const made = new Promise<T>((yes, no) => { resolve = yes; reject = no; });
    return { promise: made, resolve, reject };
  };
  promise["try"] ??= (run: (...args: unknown[]) => unknown, ...args: unknown[]) => new Promise((resolve) => resolve(run(...args)));
}

/** Fills the view with at least so many bytes, unless the stream ends before. */
function readAtLeast(this: ReadableStreamBYOBReader, minElements: number, view: ArrayBufferView<ArrayBuffer>): Promise<unknown> {
  return this.read(view, { min: minElements } as ReadableStreamBYOBReaderReadOptions);
}

function extend(prototype: object, members: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}

/** Puts the platform's globals on globalThis. Called once, before the user's bundle is loaded. */
export function installGlobals(options: GlobalsOptions): void {
  for (const [name, value] of Object.entries({
    Body, Headers, Request, Response, fetch, WebSocket, WebSocketPair, WebSocketRequestResponsePair, FixedLengthStream,
    IdentityTransformStream, caches, Cache, CacheStorage, scheduler, HTMLRewriter, self: globalThis,
    Navigator, navigator: new Navigator(), setTimeout: setTimeoutOfAnyLength,
    Cloudflare: Object.freeze({ compatibilityFlags: Object.freeze({ ...options.compatibilityFlags }) }),
  })) define(name, value);
  for (const [name, value] of Object.entries({
    EventSource, CloseEvent, ErrorEvent, PromiseRejectionEvent, reportError: (error: unknown) => hooks.reportError(error), origin: "null",
  })) defineMissing(name, value);
  defineGlobalEvents();
  defineForOlderNode();
  if (options.compatibilityFlags["websocket_standard_binary_type"] === true) setDefaultBinaryType("blob");
  setRefusesLongReasons(options.compatibilityFlags["websocket_close_reason_byte_limit"] === true);
  if (!("eventCounts" in Performance.prototype)) {
    const counts = new Map<string, number>();
    Object.defineProperty(Performance.prototype, "eventCounts", { configurable: true, enumerable: true, get: () => counts });
  }
  extend(Crypto.prototype, { DigestStream });
  extend(SubtleCrypto.prototype, { digest, timingSafeEqual });
  extend(ReadableStreamBYOBReader.prototype, { readAtLeast });
  installAtLeast();
  nameBlobsByField();
}
