import { Agent, routeAgentRequest } from "agents";

export class CoderAgent extends Agent {
  onRequest() { return new Response("hello"); }
}

export default {
  async fetch(request: Request, env: object) {
    if (new URL(request.url).pathname.startsWith("/own/")) return new Response("Invalid request", { status: 400 });
    return (await routeAgentRequest(request, env, { prefix: "api/v1" })) || new Response("Not found", { status: 404 });
  },
};
