import { routeAgentRequest } from "agents";
export const Coder = {};
export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
