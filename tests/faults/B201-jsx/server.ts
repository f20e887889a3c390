import { Agent, routeAgentRequest } from "agents";

export class CoderAgent extends Agent {
  onRequest() { return new Response(String(<div>hi</div>)); }
}

export default {
  async fetch(request: Request, env: object) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
