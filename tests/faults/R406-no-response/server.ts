import { Agent, routeAgentRequest } from "agents";

export class CoderAgent extends Agent {
  onRequest() { return undefined as never; }
}

export default {
  async fetch(request: Request, env: object) {
    if (new URL(request.url).pathname === "/text") return "hello" as never;
    if (new URL(request.url).pathname !== "/nothing") return routeAgentRequest(request, env);
  },
};
