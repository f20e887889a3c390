// The folder of assets as it is now: which file a path names. Nothing outside of the folder can be
// named: paths are taken apart into segments, and what a symbolic link leads to must be inside too.
// A look costs one stat at most every 200 ms for paths whose first segment is nowhere in the folder,
// which is what nearly every request for an agent is.
import { readFileSync, readdirSync, realpathSync, statSync, type Stats } from "node:fs";
import { join, sep } from "node:path";
import { parseHeaders, parseIgnore, parseRedirects, type HeaderChange, type Redirect } from "./assets_rules.ts";

const freshMs = 200;

export interface AssetFile { readonly file: string; readonly path: string; readonly size: number; readonly etag: string; readonly modified: Date }

interface Folder {
  readonly stamp: string;
  readonly root: string;
  /** First segments that lead anywhere: files, folders, and names of .html files without it. */
  readonly heads: ReadonlySet<string>;
  readonly ignored: (path: string) => boolean;
  readonly redirects: ((path: string) => Redirect | null) | null;
  readonly headers: ((path: string) => HeaderChange[]) | null;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch {
    return null; // absent, a loop of links, or not to be read
  }
}

/** A URL's path as segments of a file's; null for one that could mean something else than it says. */
export function decodePath(pathname: string): string | null {
  let decoded: string;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    return null;
  }
  if (!decoded.startsWith("/") || /[\0\\]/.test(decoded)) return null;
  const segments = decoded.split("/").slice(1);
  const inner = segments.slice(0, -1);
  if (inner.some((segment) => segment === "")) return null;
  return segments.some((segment) => segment === "." || segment === "..") ? null : decoded;
}

export class AssetFolder {
  readonly #directory: string;
  #folder: Folder | null = null;
  #checkedAt = -Infinity;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The folder as of at most 200 ms ago; null when there is none. */
  #current(): Folder | null {
    const now = performance.now();
    if (now - this.#checkedAt < freshMs) return this.#folder;
    this.#checkedAt = now;
    const stamps = ["", ".assetsignore", "_redirects", "_headers"].map((name) => statOf(join(this.#directory, name))?.mtimeMs ?? 0);
    const stamp = stamps.join(" ");
    if (this.#folder?.stamp !== stamp) this.#folder = stamps[0] === 0 ? null : this.#read(stamp);
    return this.#folder;
  }

  #read(stamp: string): Folder | null {
    try {
      const root = realpathSync(this.#directory);
      const heads = new Set<string>([""]);
      for (const name of readdirSync(root)) {
        heads.add(name);
        if (name.endsWith(".html")) heads.add(name.slice(0, -5));
      }
      if (heads.has("index.html")) heads.add("index");
      return {
        stamp, root, heads,
        ignored: parseIgnore(readText(join(root, ".assetsignore"))),
        redirects: parseRedirects(readText(join(root, "_redirects"))),
        headers: parseHeaders(readText(join(root, "_headers"))),
      };
    } catch {
      return null; // it went away between two looks
    }
  }

  /** Whether anything could be at a path: its first segment exists, or there are redirects. */
  mayHave(pathname: string): boolean {
    const folder = this.#current();
    if (folder === null) return false;
    if (folder.redirects !== null || pathname.includes("%")) return true;
    const end = pathname.indexOf("/", 1);
    return folder.heads.has(end < 0 ? pathname.slice(1) : pathname.slice(1, end));
  }

  redirect(path: string): Redirect | null {
    return this.#current()?.redirects?.(path) ?? null;
  }

  headersFor(path: string): HeaderChange[] {
    return this.#current()?.headers?.(path) ?? [];
  }

  /** The file of exactly this (decoded) path. */
  find(path: string): AssetFile | null {
    const folder = this.#current();
    if (folder === null || path.endsWith("/") || folder.ignored(path)) return null;
    const file = join(folder.root, path);
    const stats = statOf(file);
    if (stats === null || !stats.isFile()) return null;
    let real: string;
    try {
      real = realpathSync(file);
    } catch {
      return null;
    }
    if (!real.startsWith(folder.root + sep)) return null;
    const etag = `"${stats.size.toString(16)}-${Math.floor(stats.mtimeMs * 1000).toString(16)}"`;
    return { file: real, path, size: stats.size, etag, modified: stats.mtime };
  }
}
