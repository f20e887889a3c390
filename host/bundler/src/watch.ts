// Watches the folders of a build's files and tells when one of them may have changed. Folders, not
// files: editors replace a file by renaming another over it. Changes within a few milliseconds of each
// other are told once.
import { watch, type FSWatcher } from "node:fs";
import path from "node:path";

const DEBOUNCE_MS = 30;
const FOLDERS_MAX = 4000;

export class Watcher {
  readonly #changed: () => void;
  readonly #folders = new Map<string, FSWatcher>();
  #files = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #ignored: string;
  /** True when not every folder could be watched (the system's limit, or ours). */
  incomplete = false;

  constructor(ignoredFolder: string, changed: () => void) {
    this.#ignored = ignoredFolder;
    this.#changed = changed;
  }

  /** From now on these files count; `any` makes every change in their folders count. */
  update(files: Set<string>): void {
    this.#files = files;
    const folders = new Set<string>();
    for (const file of files) {
      const folder = path.dirname(file);
      if (folder === this.#ignored || folder.startsWith(`${this.#ignored}/`)) continue;
      // What is installed changes by an install, which replaces whole folders: the restart after it
      // is the user's. Packages linked from elsewhere resolve outside of node_modules and are watched.
      if (!folder.includes("/node_modules/")) folders.add(folder);
    }
    for (const [folder, watcher] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders) {
      if (!this.#folders.has(folder)) this.#open(folder);
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #open(folder: string): void {
    if (this.#folders.size >= FOLDERS_MAX) {
      this.incomplete = true;
      return;
    }
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name === null || this.#counts(path.join(folder, name))) this.#tell();
      });
      watcher.on("error", () => {
        watcher.close();
        this.#folders.delete(folder);
        this.#tell();
      });
      this.#folders.set(folder, watcher);
    } catch (error) {
      // A folder that does not exist (yet) is no loss; a refused watch is.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.incomplete = true;
    }
  }

  /** A watched file itself, or with another extension or as a folder: "./tool" may be tool.ts. */
  #counts(file: string): boolean {
    if (this.#files.has(file)) return true;
    const plain = file.replace(/\.[^./]+$/, "");
    return this.#files.has(plain) || this.#files.has(`${plain}.js`) || this.#files.has(`${plain}.mjs`);
  }

  #tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#changed();
    }, DEBOUNCE_MS);
  }
}
