import { routeAgentRequest } from "agents";
import { CoderAgent, type Env } from "./coder-agent";

export { CoderAgent };

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
