import { DurableObject } from "cloudflare:workers";

interface Env { GATES: DurableObjectNamespace<Gates>; DOOR: DurableObjectNamespace<Door> }

/** What others wait at, until a test opens it. */
export class Door extends DurableObject<Env> {
  #waiting: (() => void)[] = [];
  #open = false;

  async pass() {
    if (!this.#open) await new Promise<void>((resolve) => { this.#waiting.push(resolve); });
    return "passed";
  }
  waiting() { return this.#waiting.length; }
  open() {
    this.#open = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
    return "open";
  }
  /** Keeps the highest number that it was told. */
  told(n: number) { this.ctx.storage.kv.put("told", Math.max(n, this.heard())); return n; }
  heard() { return this.ctx.storage.kv.get<number>("told") ?? 0; }
}

export class Gates extends DurableObject<Env> {
  #log: string[] = [];
  #ready = "not yet";

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    void ctx.blockConcurrencyWhile(async () => {
      await env.DOOR.getByName("always").told(1);
      this.#ready = "ready";
    });
  }

  get #kv() { return this.ctx.storage.kv; }
  get #door() { return this.env.DOOR.getByName(`of ${this.ctx.id.name}`); }

  log() { return this.#log; }
  ready() { return this.#ready; }
  note(text: string) { this.#log.push(text); return text; }
  read(key: string) { return this.#kv.get(key) ?? null; }

  async add(options?: { allowConcurrency?: boolean; allowUnconfirmed?: boolean }) {
    const n = (await this.ctx.storage.get<number>("n", options)) ?? 0;
    await this.ctx.storage.put("n", n + 1, options);
    return n + 1;
  }

  async addAcross() {
    const n = this.#kv.get<number>("n") ?? 0;
    await this.#door.pass();
    this.#kv.put("n", n + 1);
    return n + 1;
  }

  async outside() {
    this.#log.push("before");
    await this.#door.pass();
    this.#log.push("after");
    return this.#log;
  }

  async blocked() {
    await this.ctx.blockConcurrencyWhile(() => this.outside());
    return this.#log;
  }

  async blockedAndFails() {
    this.note("memory");
    this.#kv.put("before", "kept");
    await this.ctx.storage.sync();
    await this.ctx.blockConcurrencyWhile(async () => { throw new Error("failed on purpose"); });
  }

  twoAndDie() {
    this.#kv.put("first", 1);
    this.#kv.put("second", 2);
    process.kill(process.pid, "SIGKILL");
    for (;;); // no turn ends before the signal has come
  }

  twoAndThrow() {
    this.note("memory");
    this.#kv.put("first", 1);
    throw new Error("thrown on purpose");
  }

  twoAndAbort() {
    this.#kv.put("first", 1);
    this.ctx.abort("aborted on purpose");
  }

  sync() {
    this.#kv.put("a", "before");
    let error = "";
    try {
      this.ctx.storage.transactionSync(() => {
        this.#kv.put("a", "inside");
        this.#kv.put("b", "inside");
        throw new Error("undo");
      });
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    return { error, a: this.read("a"), b: this.read("b") };
  }

  async transaction() {
    this.#kv.put("a", "before");
    const error = await this.ctx.storage.transaction(async (txn) => {
      await txn.put("a", "inside");
      await this.#door.pass();
      throw new Error("undo");
    }).catch((thrown: Error) => thrown.message);
    return { error, a: this.read("a") };
  }

  /** Tells the door what it has just written. */
  async tell() {
    const n = await this.add();
    await this.#door.told(n);
    return n;
  }

  async synced() {
    this.#kv.put("n", 1);
    await this.ctx.storage.sync();
    return this.read("n");
  }

  async soon() {
    await this.ctx.storage.setAlarm(Date.now());
    this.#kv.put("of the alarm's turn", 1);
    this.note("turn over");
    return this.#log;
  }

  override async alarm() {
    this.note(`alarm sees ${this.read("of the alarm's turn")}, and as its own ${await this.ctx.storage.getAlarm()}`);
    await this.#door.pass();
    this.note("alarm over");
  }
}

export default {
  async fetch(request: Request, env: Env) {
    const { pathname, searchParams } = new URL(request.url);
    const [, kind, name = "", method = ""] = pathname.split("/").map(decodeURIComponent);
    const namespace = kind === "gates" ? env.GATES : kind === "door" ? env.DOOR : null;
    if (namespace === null) return new Response("Not found", { status: 404 });
    const stub = namespace.getByName(name) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const args = JSON.parse(searchParams.get("args") ?? "[]") as unknown[];
    return stub[method]!(...args).then((value) => Response.json({ value }), (error: Error) => Response.json({ error: error.message }));
  },
};
