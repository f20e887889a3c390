import { Agent, callable, routeAgentRequest } from "agents";

export class Counter extends Agent<Cloudflare.Env, { count: number }> {
  initialState = { count: 0 };
  @callable() add(by: number) { this.setState({ count: this.state.count + by }); return this.state.count; }
  @callable() pid() { return process.pid; }
}

export default {
  async fetch(request: Request, env: Cloudflare.Env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
