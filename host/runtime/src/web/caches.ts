// caches.default and caches.open(name), kept on disk (cache_store.ts): by URL, shared by all hosts and
// workers, bounded. An entry may be gone at any time, as the platform's may.
// Source: Cloudflare's Cache API documentation: GET only, no 206, no `Vary: *`, Set-Cookie is not
// cached unless `Cache-Control: private=Set-Cookie` says so, max-age and Expires are honoured,
// conditional and range requests are answered from the entry.
import { bodyHeaders, takeBody, toTaken, type BodySource } from "./body.ts";
import { CacheStore, type FoundEntry } from "./cache_store.ts";
import { Headers, headersFromPacked, packHeaders } from "./headers.ts";
import { hooks } from "./hooks.ts";
import { Request, asRequest } from "./request.ts";
import { Response, makeResponse } from "./response.ts";

export const cacheBytesMax = 256 * 1024 * 1024;

let store: CacheStore | null = null;

/** Where entries are kept; before anything is put or asked for. */
export function configureCaches(folder: string, bytesMax = cacheBytesMax): void {
  store = new CacheStore(folder, bytesMax);
}

/** Seconds that a response may be kept; null: not at all. */
export function lifetimeOf(headers: Headers): number | null {
  const control = (headers.get("cache-control") ?? "").toLowerCase();
  const directives = new Map(control.split(",").map((part) => {
    const [name, value] = part.trim().split("=", 2);
    return [name!, value?.replace(/"/g, "") ?? ""] as const;
  }));
  if (directives.has("no-store") || directives.has("no-cache")) return null;
  if (directives.has("private") && directives.get("private") === "") return null;
  for (const name of ["s-maxage", "max-age"]) {
    const seconds = Number.parseInt(directives.get(name) ?? "", 10);
    if (Number.isFinite(seconds)) return seconds > 0 ? seconds : null;
  }
  const expires = headers.get("expires");
  if (expires !== null) {
    const left = (Date.parse(expires) - Date.now()) / 1000;
    return left > 0 ? left : null;
  }
  return 2 * 60 * 60;
}

export interface CacheQueryOptions { ignoreMethod?: boolean }

export class Cache {
  readonly #name: string;
  constructor(name: string) { this.#name = name; }

  #key(request: Request): string {
    return `${this.#name}\0${request.url}`;
  }

  async put(input: Request | URL | string, response: Response): Promise<void> {
    const request = asRequest(input);
    if (request.method !== "GET") throw new TypeError("Cannot cache response to non-GET request.");
    if (response.status === 206) throw new TypeError("Cannot cache response to a range request (206 Partial Content).");
    if (response.headers.get("vary")?.includes("*") === true) throw new TypeError("Cannot cache response with 'Vary: *' header.");
    const headers = new Headers(headersFromPacked(bodyHeaders(response)));
    const seconds = lifetimeOf(headers);
    const cookieIsPrivate = /private\s*=\s*"?set-cookie/i.test(headers.get("cache-control") ?? "");
    if (cookieIsPrivate) headers.delete("set-cookie");
    const { status, statusText } = response;
    const { body } = toTaken(takeBody(response));
    const keeps = store !== null && seconds !== null && !headers.has("set-cookie") &&
      !(Number(headers.get("content-length")) > store.entryBytesMax);
    if (!keeps) {
      if (body instanceof ReadableStream) await body.cancel();
      return;
    }
    await hooks.outputGate();
    const storedAt = Date.now();
    await store!.put(
      { key: this.#key(request), status, statusText, headers: packHeaders(headers), storedAt, expiresAt: storedAt + seconds * 1000 },
      typeof body === "string" ? Buffer.from(body) : body);
  }

  async match(input: Request | URL | string, options?: CacheQueryOptions): Promise<Response | undefined> {
    const request = asRequest(input);
    if (request.method !== "GET" && options?.ignoreMethod !== true) return undefined;
    const entry = store?.find(this.#key(request)) ?? null;
    return entry === null ? undefined : answer(request, entry);
  }

  async delete(input: Request | URL | string, options?: CacheQueryOptions): Promise<boolean> {
    const request = asRequest(input);
    if (request.method !== "GET" && options?.ignoreMethod !== true) return false;
    await hooks.outputGate();
    return store?.delete(this.#key(request)) ?? false;
  }
}

const BODILESS = [204, 205, 304];

function answer(request: Request, entry: FoundEntry): Response {
  const { head, length } = entry;
  const headers = headersFromPacked(head.headers);
  headers.set("CF-Cache-Status", "HIT");
  headers.set("Age", String(Math.floor((Date.now() - head.storedAt) / 1000)));
  const made = (status: number, text: string, body: Uint8Array | BodySource | null): Response =>
    makeResponse(status, text, packHeaders(headers), body);
  if (notModified(request.headers, headers)) {
    entry.close();
    return made(304, "Not Modified", null);
  }
  const range = head.status === 200 ? rangeOf(request.headers.get("range"), length) : null;
  if (range !== null) {
    headers.set("Content-Range", `bytes ${range[0]}-${range[1]}/${length}`);
    headers.set("Content-Length", String(range[1] + 1 - range[0]));
    return made(206, "Partial Content", entry.body(range[0], range[1] + 1));
  }
  if (request.method === "HEAD" || BODILESS.includes(head.status)) {
    entry.close();
    return made(head.status, head.statusText, null);
  }
  return made(head.status, head.statusText, entry.body(0, length));
}

function notModified(asked: Headers, stored: Headers): boolean {
  const tags = asked.get("if-none-match");
  const etag = stored.get("etag");
  if (tags !== null) {
    const bare = (tag: string) => tag.trim().replace(/^W\//, "");
    return etag !== null && (tags.trim() === "*" || tags.split(",").some((tag) => bare(tag) === bare(etag)));
  }
  const since = asked.get("if-modified-since");
  const modified = stored.get("last-modified");
  return since !== null && modified !== null && Date.parse(modified) <= Date.parse(since);
}

/** One range of bytes, both ends included; null when there is none that can be served. */
function rangeOf(header: string | null, length: number): [number, number] | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const from = match[1] === "" ? Math.max(0, length - Number(match[2])) : Number(match[1]);
  const to = match[1] === "" || match[2] === "" ? length - 1 : Math.min(Number(match[2]), length - 1);
  return from <= to && from < length ? [from, to] : null;
}

const opened = new Map<string, Cache>();

export class CacheStorage {
  readonly default = new Cache("");
  async open(name: string): Promise<Cache> {
    const key = `/${name}`;
    let cache = opened.get(key);
    if (cache === undefined) opened.set(key, cache = new Cache(key));
    return cache;
  }
}

export const caches = new CacheStorage();
