import { env } from "node:process";
import { Agent, routeAgentRequest } from "agents";
export class Coder extends Agent {
  key = this.env.API_KEY ?? `none ${this.env.MODEL}`; // this.env.COMMENTED
  home = env.HOME;
  pattern = /[/"'] env.PATTERN/;
}
export default {
  async fetch(request, env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
