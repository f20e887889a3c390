import { WorkerEntrypoint } from "cloudflare:workers";
import { routeAgentRequest } from "agents";
export class Coder extends WorkerEntrypoint {}
export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
