import { Agent, routeAgentRequest } from "agents";

export class CoderAgent extends Agent {}

if (process.env.NOBODY_SETS_THIS === undefined) process.exit(1);

export default {
  async fetch(request: Request, env: object) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
