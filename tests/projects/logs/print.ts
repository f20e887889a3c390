import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { stderr, stdout } from "node:process";

/** What goes past the console. */
export async function print(env: { DEPLOY_PASSWORD: string }, verb: string, text: string): Promise<void> {
  const password = env.DEPLOY_PASSWORD ?? "";
  const halves = [password.slice(0, password.length >> 1), password.slice(password.length >> 1)];
  switch (verb) {
    case "line": stdout.write(`${text}\n`); return;
    case "complain": stderr.write(Buffer.from(`${text}\n`)); return;
    case "part": process.stdout.write(text); return;
    case "dots": for (let i = 0; i < Number(text); i++) process.stdout.write("."); process.stdout.end("ended\n"); return;
    case "child": spawnSync("sh", ["-c", text], { stdio: ["ignore", "inherit", "inherit"] }); return;
    case "streams": spawnSync("sh", ["-c", text], { stdio: ["ignore", process.stdout, process.stderr] }); return;
    case "halves": for (const each of halves) process.stdout.write(each); process.stdout.write(` ${text}\n`); return;
    case "native": for (const each of halves) writeSync(1, each); writeSync(2, `${password}\n`); writeSync(1, ` ${text}\n`); return;
    case "slowly":
      for (const each of halves) {
        process.stderr.write(each);
        writeSync(2, each);
        await new Promise((resolve) => setTimeout(resolve, 800));
      }
      process.stderr.write(` ${text}\n`);
      writeSync(2, ` ${text}, natively\n`);
      return;
    default: throw new Error(`print ${verb} on purpose`);
  }
}
