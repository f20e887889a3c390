import { Agent, routeAgentRequest } from "agents";

interface Env { CoderAgent: DurableObjectNamespace<CoderAgent> }
export class CoderAgent extends Agent<Env> {
  onRequest() { return new Response(`hello from ${this.name}`); }
}

export default {
  async fetch(request: Request, env: Env) {
    const { pathname } = new URL(request.url);
    const { CoderAgent: agents } = env;
    if (pathname === "/id") return agents.get(agents.idFromString("a")).fetch(request);
    if (pathname === "/unnamed") return agents.get(agents.newUniqueId()).fetch(request);
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
