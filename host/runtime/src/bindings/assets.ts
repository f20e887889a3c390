// env.ASSETS, and the assets that are served before the worker is asked: a folder's files with the
// platform's rules for HTML, for what is not found, and for who comes first.
// Source: Cloudflare's documentation of Workers' static assets.
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type { BodySource } from "../web/body.ts";
import { asRequest, type Request, type RequestInit } from "../web/request.ts";
import { headersFromPacked, packHeaders, type Packed } from "../web/headers.ts";
import { makeResponse, type Response } from "../web/response.ts";
import { AssetFolder, decodePath, type AssetFile } from "./assets_files.ts";
import { parseWorkerFirst } from "./assets_rules.ts";
import { contentTypeOf } from "./assets_types.ts";

export interface AssetsConfig {
  directory: string;
  notFound?: "single-page-application" | "404-page" | "none";
  html?: "auto-trailing-slash" | "force-trailing-slash" | "drop-trailing-slash" | "none";
  runWorkerFirst?: boolean | readonly string[];
}

const wholeMax = 1024 * 1024;

type Decision =
  | { readonly kind: "file"; readonly file: AssetFile; readonly status: 200 | 404 }
  | { readonly kind: "redirect"; readonly location: string; readonly status: number };

export class Assets {
  readonly #config: AssetsConfig;
  readonly #folder: AssetFolder;
  readonly #workerFirst: (path: string) => boolean;

  constructor(config: AssetsConfig) {
    this.#config = config;
    this.#folder = new AssetFolder(config.directory);
    this.#workerFirst = parseWorkerFirst(config.runWorkerFirst);
  }

  /**
   * What is served before the worker is asked; null: the worker answers. Decides synchronously and at
   * little cost for paths that are no assets. `hasWorker` false: the project is assets only, and
   * everything is answered here.
   */
  serve(method: string, url: string, headers: Packed, hasWorker = true): Promise<Response> | null {
    const pathname = pathOf(url);
    if (hasWorker && this.#workerFirst(pathname)) return null;
    let decision = this.#folder.mayHave(pathname) ? this.#decide(pathname, queryOf(url)) : null;
    if (decision === null) {
      // A browser's navigation gets the application's page; what its code fetches gets the worker.
      const navigates = this.#config.notFound !== undefined && this.#config.notFound !== "none" && isNavigation(headers);
      if (hasWorker && !navigates) return null;
      decision = this.#notFound(pathname);
      if (decision === null) return hasWorker ? null : Promise.resolve(makeResponse(404, "Not Found", "", null));
    }
    return this.#answer(method, decision, headers, pathname);
  }

  /** env.ASSETS.fetch(). The host of the URL does not matter. */
  async fetch(input: Request | URL | string, init?: RequestInit): Promise<Response> {
    const request = asRequest(input, init);
    const pathname = pathOf(request.url);
    const decision = this.#decide(pathname, queryOf(request.url)) ?? this.#notFound(pathname);
    if (decision === null) return makeResponse(404, "Not Found", "", null);
    return this.#answer(request.method, decision, packHeaders(request.headers), pathname);
  }

  #decide(pathname: string, query: string): Decision | null {
    const path = decodePath(pathname);
    if (path === null) return null;
    const rule = this.#folder.redirect(path);
    if (rule !== null && rule.status !== 200) {
      const keep = query !== "" && !rule.location.includes("?") ? query : "";
      return { kind: "redirect", location: rule.location + keep, status: rule.status };
    }
    return this.#byHtmlRules(rule === null ? path : rule.location, query);
  }

  #notFound(pathname: string): Decision | null {
    if (this.#config.notFound === "single-page-application") {
      const file = this.#folder.find("/index.html");
      return file === null ? null : { kind: "file", file, status: 200 };
    }
    if (this.#config.notFound !== "404-page") return null;
    let folder = decodePath(pathname) ?? "/";
    while (folder !== "") {
      folder = folder.slice(0, folder.lastIndexOf("/"));
      const file = this.#folder.find(`${folder}/404.html`);
      if (file !== null) return { kind: "file", file, status: 404 };
    }
    return null;
  }

  #byHtmlRules(path: string, query: string): Decision | null {
    const exact = this.#folder.find(path);
    const html = this.#config.html ?? "auto-trailing-slash";
    const found = (file: AssetFile | null): Decision | null => file === null ? null : { kind: "file", file, status: 200 };
    if (html === "none") return found(exact);
    if (exact !== null && !path.endsWith(".html")) return found(exact);
    // What page is meant: `/a`, `/a/`, `/a.html`, `/a/index` and `/a/index.html` all mean `/a`.
    const base = path.replace(/\/index(\.html)?$|\.html$|\/$/, "");
    const page = base === "" ? null : this.#folder.find(`${base}.html`);
    const index = this.#folder.find(`${base}/index.html`);
    // Where both exist, the form of the path says which.
    const wantsIndex = index !== null && (page === null || /\/(index(\.html)?)?$/.test(path));
    const file = wantsIndex ? index : page;
    if (file === null) return found(exact);
    const canonical = base === "" ? "/"
      : html === "auto-trailing-slash" ? (wantsIndex ? `${base}/` : base)
      : html === "force-trailing-slash" ? `${base}/` : base;
    if (path === canonical) return found(file);
    return { kind: "redirect", location: encodeURI(canonical).replace(/[?#]/g, encodeURIComponent) + query, status: 307 };
  }

  async #answer(method: string, decision: Decision, headers: Packed, pathname: string): Promise<Response> {
    if (method !== "GET" && method !== "HEAD") {
      return makeResponse(405, "Method Not Allowed", "Allow\0GET, HEAD\0", null);
    }
    if (decision.kind === "redirect") {
      return makeResponse(decision.status, "", `Location\0${decision.location}\0`, null);
    }
    const { file, status } = decision;
    const out = headersFromPacked(
      `Content-Type\0${contentTypeOf(file.path)}\0ETag\0${file.etag}\0Cache-Control\0public, max-age=0, must-revalidate\0`);
    for (const [name, value] of this.#folder.headersFor(decodePath(pathname) ?? pathname)) {
      if (value === null) out.delete(name);
      else if (name.toLowerCase() === "set-cookie") out.append(name, value);
      else out.set(name, value);
    }
    if (status === 200 && matches(headersFromPacked(headers).get("if-none-match"), file.etag)) {
      return makeResponse(304, "Not Modified", packHeaders(out), null);
    }
    const text = status === 200 ? "OK" : "Not Found";
    if (method === "HEAD") {
      out.set("Content-Length", String(file.size));
      return makeResponse(status, text, packHeaders(out), null);
    }
    if (file.size <= wholeMax) {
      const bytes = await readFile(file.file);
      return makeResponse(status, text, packHeaders(out), new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    }
    out.set("Content-Length", String(file.size));
    return makeResponse(status, text, packHeaders(out), fileSource(file));
  }
}

function fileSource(file: AssetFile): BodySource {
  // A file that grows meanwhile is sent as far as it was said to be long.
  const open = () => createReadStream(file.file, { end: file.size - 1, highWaterMark: 256 * 1024 });
  return { open: () => Readable.toWeb(open()) as unknown as ReadableStream<Uint8Array> };
}

function matches(asked: string | null, etag: string): boolean {
  return asked !== null && (asked.trim() === "*" || asked.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag));
}

function isNavigation(headers: Packed): boolean {
  return /(?:^|\0)sec-fetch-mode\0navigate\0/i.test(headers);
}

/** The path of an absolute URL, as it is written there. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start < 0) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

function queryOf(url: string): string {
  const at = url.indexOf("?");
  if (at < 0) return "";
  const end = url.indexOf("#", at);
  return end < 0 ? url.slice(at) : url.slice(at, end);
}
