import { Agent, routeAgentRequest } from "agents";
import { hi } from "./helper.js";

export class CoderAgent extends Agent {
  onRequest() { return new Response(hi()); }
}

export default {
  async fetch(request: Request, env: object) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
