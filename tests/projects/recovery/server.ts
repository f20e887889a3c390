// GET /CLASS/NAME/METHOD?[arguments as JSON]: calls the method and answers what it returns as JSON, or
// { "error": message }.
import { DurableObject } from "cloudflare:workers";

interface Env {
  NOTES: DurableObjectNamespace<Notes>;
  PLAIN: DurableObjectNamespace<Plain>;
}

export class Notes extends DurableObject<Env> {
  readonly born = crypto.randomUUID();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS notes (n INTEGER PRIMARY KEY, text TEXT)");
  }

  async write(key: string, text: string): Promise<string> {
    await this.ctx.storage.put(key, text);
    this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", text);
    return await this.ctx.storage.getCurrentBookmark();
  }

  /** Many turns, each a write: the log is checkpointed in between. */
  async writeMany(times: number, bytes: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", String(i).padEnd(bytes, "."));
      await scheduler.wait(0);
    }
  }

  async read(): Promise<object> {
    const { storage } = this.ctx;
    return {
      values: Object.fromEntries(await storage.list()),
      notes: storage.sql.exec("SELECT text FROM notes ORDER BY n").toArray().map((row) => row.text),
      alarm: await storage.getAlarm(),
    };
  }

  async count(): Promise<number> {
    return this.ctx.storage.sql.exec("SELECT count(*) AS count FROM notes").one().count as number;
  }

  async bookmark(): Promise<string> {
    return await this.ctx.storage.getCurrentBookmark();
  }

  async bookmarkAt(time: number): Promise<string> {
    return await this.ctx.storage.getBookmarkForTime(time);
  }

  async forget(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }

  async alarmIn(ms: number): Promise<number> {
    await this.ctx.storage.setAlarm(Date.now() + ms);
    return (await this.ctx.storage.getAlarm())!;
  }

  async dropAlarm(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
  }

  async alarm(): Promise<void> {
    await this.ctx.storage.put("rang", "yes");
  }

  async order(bookmark: string): Promise<string> {
    return await this.ctx.storage.onNextSessionRestoreBookmark(bookmark);
  }

  abort(): void {
    this.ctx.abort("to be restored");
  }

  who(): string {
    return this.born;
  }
}

export class Plain extends DurableObject<Env> {
  async bookmark(): Promise<string> {
    return await this.ctx.storage.getCurrentBookmark();
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    const [, kind, name, method] = url.pathname.split("/");
    const namespace = kind === "plain" ? env.PLAIN : env.NOTES;
    const stub = namespace.getByName(name!) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const args = url.search === "" ? [] : JSON.parse(decodeURIComponent(url.search.slice(1)));
    try {
      return Response.json((await stub[method!]!(...args)) ?? null);
    } catch (error) {
      return Response.json({ error: (error as Error).message });
    }
  },
};
