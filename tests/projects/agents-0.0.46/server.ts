import { Agent, getAgentByName, routeAgentRequest, unstable_callable as callable, type Connection, type StreamingResponse } from "agents";

interface Env { coderagent: DurableObjectNamespace<CoderAgent> }

/** As people wrote it in the spring of 2025. */
export class CoderAgent extends Agent<Env, { count: number }> {
  initialState = { count: 0 };

  onStart() { this.sql`CREATE TABLE IF NOT EXISTS log (note TEXT)`; }
  onMessage(connection: Connection<{ said: number }>, message: string) {
    connection.setState({ said: (connection.state?.said ?? 0) + 1 });
    if (message === "all") return this.broadcast("for all");
    connection.send(`echo ${message} ${connection.state!.said}`);
  }
  onRequest() { return new Response(`hello from ${this.name}`); }
  @callable() add(by: number) { this.setState({ count: this.state.count + by }); return this.state.count; }
  @callable() fails() { throw new Error("callable failed on purpose"); }
  @callable({ streaming: true }) async counts(stream: StreamingResponse, to: number) {
    for (let i = 1; i <= to; i++) stream.send(i);
    stream.end("counted");
  }
  @callable() async later(note: string) { return this.schedule(1, "keep", note); }
  @callable() log() { return this.sql<{ note: string }>`SELECT note FROM log`.map((row) => row.note); }
  keep(note: string) { this.sql`INSERT INTO log VALUES (${note})`; }
}

export default {
  async fetch(request: Request, env: Env) {
    if (new URL(request.url).pathname === "/add") return Response.json(await (await getAgentByName(env.coderagent, "default")).add(10));
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<Env>;
