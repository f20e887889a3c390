// The bundler's process: one bundle job as a JSON line on standard input, one JSON line per build on
// standard output. With `watch` it goes on until standard input ends; without, its exit status says
// whether the build succeeded.
import { createInterface } from "node:readline";

import { Builder } from "./build.ts";
import { BuildCommandRunner } from "./command.ts";
import { JobError, parseJob } from "./job.ts";
import { plainFailure, type BuildReport } from "./report.ts";
import { Watcher } from "./watch.ts";

function print(report: BuildReport): void {
  process.stdout.write(JSON.stringify(report) + "\n");
}

async function run(line: string, ended: Promise<void>): Promise<boolean> {
  const job = parseJob(line);
  const builder = new Builder(job);
  const command = job.build === null ? null : new BuildCommandRunner(job.build, job.root);
  void ended.then(() => command?.stop());
  if (!job.watch) {
    const report = (await command?.run()) ?? (await builder.build()).report;
    await builder.close();
    print(report);
    return report.ok;
  }

  let building = false;
  let again = false;
  let stopped = false;
  const rebuild = async (): Promise<void> => {
    if (building) {
      again = true;
      return;
    }
    building = true;
    do {
      again = false;
      const broken = (await command?.runIfDue()) ?? null;
      if (stopped) return;
      if (broken !== null) {
        print(broken);
        continue;
      }
      const { report, watched } = await builder.build();
      if (stopped) return;
      watcher.update(watched);
      print(report);
    } while (again);
    building = false;
  };
  const watcher = new Watcher(job.outdir, () => void rebuild());
  command?.watch(() => void rebuild());
  await rebuild();
  await ended;
  stopped = true;
  watcher.close();
  await builder.close();
  return true;
}

async function main(): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  const ended = new Promise<void>((resolve) => lines.once("close", resolve));
  const first = await new Promise<string | null>((resolve) => {
    lines.once("line", resolve);
    lines.once("close", () => resolve(null));
  });
  if (first === null) throw new JobError("a bundle job is expected as one JSON line on standard input");
  // Whoever reads has gone: so does the bundler.
  process.stdout.on("error", () => process.exit(1));
  const ok = await run(first, ended);
  lines.close();
  process.stdin.destroy();
  process.exitCode = ok ? 0 : 1;
}

main().catch((error: unknown) => {
  print(plainFailure(error instanceof JobError ? error.message : String((error as Error)?.stack ?? error)));
  process.exitCode = 2;
  process.stdin.destroy();
});
