import {
  Agent, callable, getAgentByName, getCurrentAgent, routeAgentRequest, type Connection, type ConnectionContext, type StreamingResponse,
} from "agents";

import { ChildAgent } from "./child.ts";

export { ChildAgent };

interface Env {
  TestAgent: DurableObjectNamespace<TestAgent>;
  OTHER_AGENT: DurableObjectNamespace<OtherAgent>;
}
interface State { count: number; notes: string[] }

export class TestAgent extends Agent<Env, State> {
  initialState: State = { count: 0, notes: [] };
  #instance = crypto.randomUUID();

  onStart() {
    this.sql`CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, note TEXT, at REAL)`;
  }

  // ---- state
  validateStateChange(next: State) {
    if (next.count < 0) throw new Error("count may not be negative");
  }
  @callable() add(by: number) { this.setState({ ...this.state, count: this.state.count + by }); return this.state.count; }
  @callable() whole() { return this.state; }
  @callable() whoami() { return { name: this.name, instance: this.#instance, current: getCurrentAgent().agent === this }; }

  // ---- callables
  @callable() fails() { throw new Error("callable failed on purpose"); }
  @callable() async slow(ms: number) { await scheduler.wait(ms); return ms; }
  @callable() values(value: unknown) { return value; }
  notCallable() { return "never"; }
  @callable({ streaming: true })
  async counts(stream: StreamingResponse, to: number) {
    for (let i = 1; i <= to; i++) { stream.send({ i }); await scheduler.wait(1); }
    stream.end("counted");
  }
  @callable({ streaming: true })
  async countsAndFails(stream: StreamingResponse) { stream.send(1); throw new Error("stream failed on purpose"); }

  // ---- sql, schedule, queue
  note(kind: string, note: string) { this.sql`INSERT INTO log (kind, note, at) VALUES (${kind}, ${note}, ${Date.now()})`; }
  @callable() keep(note: string) { this.note("kept", note); }
  @callable() log(kind: string) { return this.sql<{ note: string; at: number }>`SELECT note, at FROM log WHERE kind = ${kind} ORDER BY id`; }
  scheduled(payload: { note: string }) { this.note("scheduled", payload.note); }
  queued(payload: { note: string }) { this.note("queued", payload.note); }
  @callable() async inSeconds(seconds: number, note: string) { return this.schedule(seconds, "scheduled", { note }); }
  @callable() async atDate(ms: number, note: string) { return this.schedule(new Date(ms), "scheduled", { note }); }
  @callable() async byCron(cron: string, note: string) { return this.schedule(cron, "scheduled", { note }); }
  @callable() async every(seconds: number, note: string) { return this.scheduleEvery(seconds, "scheduled", { note }); }
  @callable() async schedules() { return this.listSchedules(); }
  @callable() async cancel(id: string) { return this.cancelSchedule(id); }
  @callable() async enqueue(note: string) { return this.queue("queued", { note }); }

  // ---- connections
  getConnectionTags(_connection: Connection, { request }: ConnectionContext) {
    return new URL(request.url).searchParams.getAll("tag");
  }
  shouldConnectionBeReadonly(_connection: Connection, { request }: ConnectionContext) {
    return new URL(request.url).searchParams.has("readonly");
  }
  onConnect(connection: Connection<{ user: string | null; said: number }>, { request }: ConnectionContext) {
    const url = new URL(request.url);
    if (url.searchParams.has("refuse")) return connection.close(4403, "refused on purpose");
    if (url.searchParams.has("throw")) throw new Error("onConnect failed on purpose");
    connection.setState({ user: url.searchParams.get("user"), said: 0 });
  }
  onMessage(connection: Connection<{ user: string; said: number }>, message: string | ArrayBuffer) {
    if (typeof message !== "string") return connection.send(message);
    const [verb, ...rest] = message.split(" ");
    const text = rest.join(" ");
    switch (verb) {
      case "say": {
        connection.setState({ ...connection.state!, said: connection.state!.said + 1 });
        return connection.send(JSON.stringify({ state: connection.state, id: connection.id, tags: connection.tags, instance: this.#instance }));
      }
      case "broadcast": return this.broadcast(text);
      case "others": return this.broadcast(text, [connection.id]);
      case "tagged": { for (const peer of this.getConnections(rest[0])) peer.send(rest.slice(1).join(" ")); return; }
      case "throw": throw new Error("onMessage failed on purpose");
      default: return connection.send(`echo ${message}`);
    }
  }
  onClose(connection: Connection<{ user: string }>, code: number, reason: string) { this.note("closed", `${connection.state?.user} ${code} ${reason}`); }
  onError(connectionOrError: unknown, error?: unknown) {
    this.note("error", String((error as Error | undefined)?.message ?? (connectionOrError as Error).message));
    throw error ?? connectionOrError;
  }

  // ---- HTTP and RPC
  async onRequest(request: Request) {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/throw")) throw new Error("onRequest failed on purpose");
    if (request.method === "POST") this.setState({ ...this.state, notes: [...this.state.notes, await request.text()] });
    return Response.json({ name: this.name, state: this.state, path: url.pathname });
  }
  async greet(who: string) { return `${this.name} greets ${who}`; }
  @callable() async askOther(name: string) { return (await getAgentByName(this.env.OTHER_AGENT, name)).shout("hello"); }

  // ---- sub-agents
  @callable() async child(name: string, by: number) { return (await this.subAgent(ChildAgent, name)).increment(by); }
  @callable() childNames() { return this.listSubAgents(ChildAgent).map((child) => child.name); }
  @callable() async dropChild(name: string) { await this.deleteSubAgent(ChildAgent, name); return this.hasSubAgent(ChildAgent, name); }
}

export class OtherAgent extends Agent<Env> {
  async shout(text: string) { return `${this.name}: ${text.toUpperCase()}`; }
}

export default {
  async fetch(request: Request, env: Env) {
    const url = new URL(request.url);
    if (url.pathname === "/rpc") {
      const agent = await getAgentByName(env.TestAgent, url.searchParams.get("name")!);
      return Response.json({ greeting: await agent.greet("the worker"), state: await agent.whole() });
    }
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<Env>;
