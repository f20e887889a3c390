// caches.default and caches.open(name): in memory, bounded, least recently used out first. What is
// in it is lost with the host, as entries of the platform's may be at any time.
// Source: Cloudflare's Cache API documentation: GET only, no 206, no `Vary: *`, Set-Cookie is not
// cached unless `Cache-Control: private=Set-Cookie` says so, max-age and Expires are honoured,
// conditional and range requests are answered from the entry.
import { bodyHeaders, takeBody, toTaken } from "./body.ts";
import { Headers, headersFromPacked, packHeaders } from "./headers.ts";
import { Request, asRequest } from "./request.ts";
import { Response, makeResponse } from "./response.ts";
import { readAll } from "./streams.ts";

export const cacheBytesMax = 64 * 1024 * 1024;
const entryBytesMax = 16 * 1024 * 1024;

interface Entry { status: number; statusText: string; headers: string; body: Uint8Array; expiresAt: number; storedAt: number; size: number }

/** One budget for all caches of this host. Map order is the order of use. */
class Store {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  get bytes(): number { return this.#bytes; }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAt <= Date.now()) {
      this.#bytes -= entry.size;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry;
  }

  put(key: string, entry: Entry): void {
    this.delete(key);
    this.#entries.set(key, entry);
    this.#bytes += entry.size;
    for (const [oldest, { size }] of this.#entries) {
      if (this.#bytes <= cacheBytesMax) break;
      this.#entries.delete(oldest);
      this.#bytes -= size;
    }
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#bytes -= entry.size;
    return entry.expiresAt > Date.now();
  }
}

const store = new Store();

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
    const taken = toTaken(takeBody(response));
    const body = taken.bodyKind === 2 ? await readAll(taken.body) : typeof taken.body === "string" ? Buffer.from(taken.body) : taken.body;
    if (seconds === null || headers.has("set-cookie")) return;
    const bytes = body === null ? new Uint8Array(0) : new Uint8Array(body);
    if (bytes.byteLength > entryBytesMax) return;
    const packed = packHeaders(headers);
    store.put(this.#key(request), {
      status: response.status, statusText: response.statusText, headers: packed, body: bytes,
      storedAt: Date.now(), expiresAt: Date.now() + seconds * 1000, size: bytes.byteLength + packed.length * 2 + 256,
    });
  }

  async match(input: Request | URL | string, options?: CacheQueryOptions): Promise<Response | undefined> {
    const request = asRequest(input);
    if (request.method !== "GET" && options?.ignoreMethod !== true) return undefined;
    const entry = store.get(this.#key(request));
    return entry === undefined ? undefined : answer(request, entry);
  }

  async delete(input: Request | URL | string, options?: CacheQueryOptions): Promise<boolean> {
    const request = asRequest(input);
    if (request.method !== "GET" && options?.ignoreMethod !== true) return false;
    return store.delete(this.#key(request));
  }
}

function answer(request: Request, entry: Entry): Response {
  const headers = headersFromPacked(entry.headers);
  headers.set("CF-Cache-Status", "HIT");
  headers.set("Age", String(Math.floor((Date.now() - entry.storedAt) / 1000)));
  if (notModified(request.headers, headers)) return makeResponse(304, "Not Modified", packHeaders(headers), null);
  const range = rangeOf(request.headers.get("range"), entry.body.byteLength);
  if (range !== null && entry.status === 200) {
    headers.set("Content-Range", `bytes ${range[0]}-${range[1]}/${entry.body.byteLength}`);
    return makeResponse(206, "Partial Content", packHeaders(headers), entry.body.slice(range[0], range[1] + 1));
  }
  const empty = entry.status === 204 || entry.status === 304 || entry.status === 205;
  return makeResponse(entry.status, entry.statusText, packHeaders(headers), empty ? null : entry.body.slice());
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
