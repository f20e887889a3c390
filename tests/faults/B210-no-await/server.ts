import { Agent, routeAgentRequest } from "agents";
export class Coder extends Agent {}
export default {
  fetch(request, env) {
    return routeAgentRequest(request, env) || new Response("Not found", { status: 404 });
  },
};
