import { Agent, routeAgentRequest } from "agents";
export class Coder extends Agent {}
export default {
  async fetch(request, env) {
    if (request.url.endsWith("/direct")) return env.Codre.get(env.Codre.idFromName("a")).fetch(request);
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
