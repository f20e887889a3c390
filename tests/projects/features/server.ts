import { Agent, callable, routeAgentEmail, routeAgentRequest, type AgentContext, type FiberRecoveryContext } from "agents";
import { createAddressBasedEmailResolver, type AgentEmail } from "agents/email";
import { subscribe } from "agents/observability";
import { scheduleSchema } from "agents/schedule";
import { Sessions } from "agents/sessions";
import { Streams } from "agents/streams";
import type { TaskHandlers, TaskStep } from "agents/tasks";

interface Env { FeatureAgent: DurableObjectNamespace<FeatureAgent> }

const seen: string[] = [];
subscribe("state", (event) => { seen.push(event.type); });
subscribe("schedule", (event) => { seen.push(event.type); });

export class FeatureAgent extends Agent<Env, { n: number }> {
  static options = { keepAliveIntervalMs: 1_000 };
  initialState = { n: 0 };
  readonly streams = new Streams();
  readonly sessions = new Sessions();
  readonly session = this.sessions.session();

  override readonly taskDefinitions = {
    "sum@v1": async (input: { parts: number[] }, step: TaskStep) => {
      let total = 0;
      for (const [index, part] of input.parts.entries()) {
        total += await step.do(`add:${index}`, () => { this.note("step", String(index)); return part; });
      }
      await step.sleep("pause", "1 second");
      return { total };
    },
    "flaky@v1": async (_input: object, step: TaskStep) =>
      step.do("try", { retries: { limit: 3, delay: 10 } }, ({ attempt }) => {
        if (attempt < 2) throw new Error("failed on purpose");
        return { attempt };
      }),
  } satisfies TaskHandlers;

  constructor(ctx: AgentContext, env: Env) {
    super(ctx, env);
    this.lifecycle.use(this.streams).use(this.sessions);
  }

  onStart() { this.sql`CREATE TABLE IF NOT EXISTS notes (kind TEXT, note TEXT)`; }
  note(kind: string, note: string) { this.sql`INSERT INTO notes VALUES (${kind}, ${note})`; }
  @callable() notes(kind: string) { return this.sql<{ note: string }>`SELECT note FROM notes WHERE kind = ${kind}`.map(({ note }) => note); }

  // ---- tasks
  @callable() async runTask(name: "sum@v1" | "flaky@v1", input: { parts: number[] }, key?: string) {
    return this.tasks.run(name, input, key ? { idempotencyKey: key } : {});
  }
  @callable() async task(id: string) { return this.tasks.get(id); }

  // ---- fibers
  @callable() async fiber() { return this.runFiber("quick", async (ctx) => { ctx.stash({ at: 1 }); return "done"; }); }
  @callable() startSlowFiber() {
    void this.runFiber("slow", async (ctx) => { ctx.stash({ step: 7 }); await scheduler.wait(60_000); }).catch(() => {});
    return true;
  }
  async onFiberRecovered(ctx: FiberRecoveryContext) { this.note("recovered", `${ctx.name} ${JSON.stringify(ctx.snapshot)}`); }
  @callable() async held() { return this.keepAliveWhile(async () => { await scheduler.wait(20); return "kept"; }); }

  // ---- streams and sessions
  @callable() async produce(id: string) {
    const stream = await this.streams.open(id);
    for (const part of ["a", "b", "c"]) stream.append(part);
    stream.close();
  }
  @callable() async consume(id: string, from: number) {
    const parts = [];
    for await (const { chunk } of this.streams.read(id, { from })) parts.push(chunk);
    return { parts, status: (await this.streams.status(id))?.state };
  }
  @callable() async say(text: string) {
    await this.session.appendMessage({ id: crypto.randomUUID(), role: "user", parts: [{ type: "text", text }] });
    const texts = [];
    for await (const message of this.session.history()) texts.push((message.parts[0] as { text: string }).text);
    return texts;
  }

  // ---- the rest
  @callable() async tried() {
    let attempts = 0;
    await this.retry(async () => { if (++attempts < 3) throw new Error("not yet"); }, { maxAttempts: 5, baseDelayMs: 1, maxDelayMs: 5 });
    return attempts;
  }
  @callable() events() { this.setState({ n: this.state.n + 1 }); return seen; }
  @callable() schema() { return scheduleSchema.safeParse({ description: "d", when: { type: "no-schedule" } }).success; }
  @callable() async startWorkflow() { return this.runWorkflow("NOT_THERE" as never, {}); }
  @callable() async gone() { setTimeout(() => void this.destroy(), 10); return this.notes("step").length; }
  async onEmail(email: AgentEmail) {
    this.note("email", `${email.from} ${new TextDecoder().decode(await email.getRaw()).split("\r\n")[0]}`);
    await email.forward("elsewhere@example.com");
  }
  @callable() async work(name: string) { return (await this.dynamicAgents.get(Worker, name)).greet("parent"); }
  @callable() async abortWork(name: string) { this.dynamicAgents.abort(Worker, name, new Error("cancelled on purpose")); }
}

/** Reached through its parent, and by clients under /sub/. */
export class Worker extends Agent<Env, { visits: number }> {
  initialState = { visits: 0 };
  greet(who: string) { this.setState({ visits: this.state.visits + 1 }); return `${this.name} greets ${who}, visit ${this.state.visits}`; }
  @callable() hello() { return this.greet("client"); }
  @callable() async later(seconds: number) { return (await this.schedule(seconds, "visit", {})).id.length > 0; }
  visit() { this.setState({ visits: this.state.visits + 100 }); }
  @callable() visits() { return this.state.visits; }
}

/** An email as the platform hands it to the worker, as far as the SDK asks. */
function email(to: string, raw: string, forwarded: string[]): ForwardableEmailMessage {
  const bytes = new TextEncoder().encode(raw);
  return {
    from: "someone@example.com", to, headers: new Headers({ Subject: "hello" }), raw: new Response(bytes).body!, rawSize: bytes.length,
    setReject() {}, forward: async (address: string) => { forwarded.push(address); }, reply: async () => {},
  } as unknown as ForwardableEmailMessage;
}

export default {
  async fetch(request: Request, env: Env) {
    const url = new URL(request.url);
    if (url.pathname === "/email") {
      const forwarded: string[] = [];
      await routeAgentEmail(email(url.searchParams.get("to")!, "Subject: hello\r\n\r\ntext", forwarded), env, { resolver: createAddressBasedEmailResolver("FeatureAgent") });
      return Response.json(forwarded);
    }
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<Env>;
