import { Agent, routeAgentRequest, type Connection } from "agents";

export class EchoAgent extends Agent {
  onMessage(connection: Connection, message: string) {
    connection.send(message);
  }
}

export default {
  async fetch(request: Request, env: Cloudflare.Env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
