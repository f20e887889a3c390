import { Agent, routeAgentRequest } from "agents";

export class CoderAgent extends Agent {}

await new Promise(() => {});

export default {
  async fetch(request: Request, env: object) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
