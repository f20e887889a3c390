// Temporary projects for the bundler's tests, and the ways to build and run them.
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { Builder } from "../src/build.ts";
import { parseJob } from "../src/job.ts";
import type { BuildReport } from "../src/report.ts";

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const CHECKOUT = path.resolve(HERE, "../../..");
const MAIN = path.resolve(HERE, "../src/main.ts");

type Contents = string | Uint8Array;

export class TestProject {
  readonly root: string;

  constructor(context: TestContext, files: Record<string, Contents>) {
    this.root = realpathSync(mkdtempSync(path.join(tmpdir(), "hearth-bundler-")));
    context.after(() => rmSync(this.root, { recursive: true, force: true }));
    for (const [name, content] of Object.entries(files)) this.write(name, content);
  }

  write(name: string, content: Contents): void {
    const file = path.join(this.root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  get outdir(): string {
    return path.join(this.root, ".hearth/bundle");
  }

  /** Makes the packages of the test projects importable: the SDK with its peers. */
  linkPackages(): void {
    const packages = path.join(CHECKOUT, "tests/projects/node_modules");
    if (!existsSync(packages)) throw new Error(`${packages} is missing: run ./dev test ts, or npm ci in tests/projects`);
    symlinkSync(packages, path.join(this.root, "node_modules"));
  }

  job(overrides: Record<string, unknown> = {}): string {
    return JSON.stringify({ root: this.root, main: "src/index.ts", outdir: this.outdir, ...overrides });
  }

  async build(overrides: Record<string, unknown> = {}): Promise<BuildReport> {
    const builder = new Builder(parseJob(this.job(overrides)));
    try {
      return (await builder.build()).report;
    } finally {
      await builder.close();
    }
  }

  /** Builds, expects success and imports what came out. */
  async load(overrides: Record<string, unknown> = {}): Promise<Record<string, any>> {
    const report = await this.build(overrides);
    if (!report.ok) throw new Error(`the build failed: ${JSON.stringify(report.errors, null, 1)}`);
    return await import(pathToFileURL(report.bundle!).href) as Record<string, any>;
  }
}

/** The bundler as the core runs it: a process, a line in, lines out. */
export class BundlerProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly exited: Promise<number | null>;

  constructor(context: TestContext, job: string) {
    this.#child = spawn(process.execPath, [MAIN], { stdio: ["pipe", "pipe", "inherit"] });
    context.after(() => this.#child.kill("SIGKILL"));
    this.exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
    this.#child.stdin!.write(job + "\n");
  }

  async next(): Promise<BuildReport> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the bundler ended without another line");
    return JSON.parse(value as string) as BuildReport;
  }

  end(): void {
    this.#child.stdin!.end();
  }
}

/** Stands in for the host's table of platform modules. */
export function providePlatform(modules: Record<string, Record<string, unknown>>): void {
  (globalThis as Record<symbol, unknown>)[Symbol.for("hearth.modules")] = modules;
}
