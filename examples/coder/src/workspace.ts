// The folder that the agent works in. Every path that a model names goes through `resolve`, which
// follows symbolic links and refuses whatever ends outside.
import { cp, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { createTwoFilesPatch } from "diff";

const kFileBytesMax = 512 * 1024;
const kEntriesMax = 500;
const kMatchesMax = 200;
const kSkipped = new Set(["node_modules", ".git"]);

export interface Change {
  path: string;
  /** A unified diff of what was there and what is there now. */
  diff: string;
}

export class Workspace {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** Opens the folder; a missing one is made as a copy of `sample`. */
  static async open(folder: string, sample: string): Promise<Workspace> {
    const root = resolve(folder);
    if (!(await exists(root))) {
      // The copy appears whole or not at all: a copy that was cut short is never taken for a workspace.
      const partial = `${root}.partial-${process.pid}`;
      await rm(partial, { recursive: true, force: true });
      await cp(resolve(sample), partial, { recursive: true });
      await rename(partial, root).catch(async (error: unknown) => {
        await rm(partial, { recursive: true, force: true });
        if (!(await exists(root))) throw error;
      });
    }
    return new Workspace(await realpath(root));
  }

  async list(folder = "."): Promise<string[]> {
    const start = await this.#resolve(folder);
    const found: string[] = [];
    const visit = async (path: string): Promise<void> => {
      const entries = await readdir(path, { withFileTypes: true });
      entries.sort((a, b) => a.name.localeCompare(b.name));
      for (const entry of entries) {
        if (found.length >= kEntriesMax) return;
        if (kSkipped.has(entry.name)) continue;
        const full = join(path, entry.name);
        if (entry.isDirectory()) await visit(full);
        else found.push(relative(this.root, full));
      }
    };
    await visit(start);
    if (found.length >= kEntriesMax) found.push(`… more than ${kEntriesMax} files; list a subfolder`);
    return found;
  }

  /** Lines that hold `text` (case-insensitive), as `path:line: content`. */
  async search(text: string, folder = "."): Promise<string[]> {
    const wanted = text.toLowerCase();
    const matches: string[] = [];
    for (const path of await this.list(folder)) {
      if (path.startsWith("…")) continue;
      const full = await this.#resolve(path).catch(() => null);
      if (full === null) continue;
      if ((await stat(full)).size > kFileBytesMax) continue;
      const content = await readFile(full, "utf8");
      if (content.includes("\0")) continue;
      for (const [index, line] of content.split("\n").entries()) {
        if (!line.toLowerCase().includes(wanted)) continue;
        matches.push(`${path}:${index + 1}: ${line.slice(0, 240)}`);
        if (matches.length >= kMatchesMax) return [...matches, `… more than ${kMatchesMax} matches`];
      }
    }
    return matches;
  }

  async read(path: string): Promise<string> {
    const full = await this.#resolve(path);
    const { size } = await stat(full);
    if (size > kFileBytesMax) throw new Error(`${path} has ${size} bytes; the limit is ${kFileBytesMax}`);
    return readFile(full, "utf8");
  }

  async write(path: string, content: string): Promise<Change> {
    if (Buffer.byteLength(content) > kFileBytesMax) {
      throw new Error(`the content is larger than ${kFileBytesMax} bytes`);
    }
    const full = await this.#resolve(path);
    const before = (await exists(full)) ? await this.read(path) : "";
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, content);
    return { path, diff: createTwoFilesPatch(path, path, before, content, undefined, undefined, { context: 3 }) };
  }

  /** Replaces `find`, which must occur exactly once, by `replace`. */
  async patch(path: string, find: string, replace: string): Promise<Change> {
    if (find === "") throw new Error("`find` is empty; use write_file to make a new file");
    const before = await this.read(path);
    const first = before.indexOf(find);
    if (first < 0) throw new Error(`\`find\` does not occur in ${path}; read the file and copy the text exactly`);
    if (before.indexOf(find, first + 1) >= 0) {
      throw new Error(`\`find\` occurs more than once in ${path}; include more of the lines around it`);
    }
    return this.write(path, before.slice(0, first) + replace + before.slice(first + find.length));
  }

  async #resolve(path: string): Promise<string> {
    const full = resolve(this.root, path);
    // What does not exist yet is judged by the deepest folder above it that does.
    let existing = full;
    while (!(await exists(existing))) existing = dirname(existing);
    const real = await realpath(existing);
    if (real !== this.root && !real.startsWith(this.root + sep)) {
      throw new Error(`${path} is outside of the workspace`);
    }
    return real + full.slice(existing.length);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}
