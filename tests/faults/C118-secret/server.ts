import { Agent, routeAgentRequest } from "agents";
export class Coder extends Agent {
  onRequest() { return fetch("http://127.0.0.1:1", { headers: { key: this.env.API_KEY } }); }
}
export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
