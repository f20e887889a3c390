import { routeAgentRequest } from "agents";

export class CoderAgent {
  onRequest() { return new Response("hello"); }
}

export default {
  async fetch(request: Request, env: object) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
