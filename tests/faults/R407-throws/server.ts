import { Agent, routeAgentRequest, type Connection } from "agents";

export class CoderAgent extends Agent {
  constructor(...args: ConstructorParameters<typeof Agent>) { super(...args); this.fail("constructor", this.ctx.id.name); }
  fail(when: string, name: string | undefined) {
    if (name === when && when !== "constructing") throw new Error(`${when} failed`);
  }
  onStart() { this.fail("start", this.name); }
  onConnect() { this.fail("connect", this.name); if (this.name === "default") (this.state as null)!.toString(); }
  onRequest() { this.fail("request", this.name); return new Response("hello"); }
  onMessage(connection: Connection, text: string) { if (text === "boom") this.fail("message", this.name); connection.send(`echo ${text}`); }
}

export default {
  async fetch(request: Request, env: object) {
    if (new URL(request.url).pathname === "/throw") { throw new Error("fetch failed"); }
    if (new URL(request.url).pathname === "/mistake") { new Set(1 as never); }
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
