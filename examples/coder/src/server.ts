import { routeAgentRequest } from "agents";
import { CoderAgent } from "./coder-agent.ts";
import { answerOffline } from "./offline-model.ts";

export { CoderAgent };

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    // The offline model speaks the OpenAI protocol, so anything else may try it too.
    if (new URL(request.url).pathname.startsWith("/offline/v1/")) return answerOffline(request);
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
