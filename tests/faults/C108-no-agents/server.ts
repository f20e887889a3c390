import { Agent, routeAgentRequest } from "agents";
export class Coder extends Agent {}
export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
