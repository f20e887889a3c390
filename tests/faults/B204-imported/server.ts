import { routeAgentRequest } from "agents";
import { Coder } from "./coder";
export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
console.debug(Coder.name);
