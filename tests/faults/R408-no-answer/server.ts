import { Agent, routeAgentRequest } from "agents";

export class CoderAgent extends Agent {
  onRequest() { return new Promise<Response>(() => {}); }
}

export default {
  async fetch(request: Request, env: object) {
    if (new URL(request.url).pathname === "/hang") return new Promise<Response>(() => {});
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
