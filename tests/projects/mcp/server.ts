import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { Agent, callable, routeAgentRequest } from "agents";
import { McpAgent } from "agents/mcp";
import { z } from "zod";

interface Env { MCP_OBJECT: DurableObjectNamespace; Caller: DurableObjectNamespace }

/** An MCP server with a state per session. */
export class Tools extends McpAgent<Env, { total: number }> {
  server = new McpServer({ name: "tools", version: "1.0.0" });
  initialState = { total: 0 };

  async init() {
    this.server.registerTool("add", { description: "Adds to the session's total", inputSchema: { n: z.number() } }, async ({ n }) => {
      this.setState({ total: this.state.total + n });
      return { content: [{ type: "text", text: String(this.state.total) }] };
    });
    this.server.registerTool("fail", { description: "Fails" }, async () => { throw new Error("the tool failed on purpose"); });
    this.server.registerResource("total", "state://total", {}, async (uri) => ({ contents: [{ uri: uri.href, text: String(this.state.total) }] }));
    this.server.registerPrompt("greet", { argsSchema: { who: z.string() } }, ({ who }) => ({ messages: [{ role: "user", content: { type: "text", text: `Greet ${who}` } }] }));
  }
}

/** An agent that is itself a client of an MCP server. */
export class Caller extends Agent<Env> {
  @callable() async connectTo(url: string) { return (await this.addMcpServer("tools", url)).state; }
  @callable() tools() { return this.mcp.listTools().map((tool) => tool.name).sort(); }
  @callable() async call(n: number) {
    const { serverId } = this.mcp.listTools().find((tool) => tool.name === "add")!;
    return this.mcp.callTool({ serverId, name: "add", arguments: { n } });
  }
}

const streamable = Tools.serve("/mcp");
const events = Tools.serveSSE("/sse");

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/sse")) return events.fetch(request, env, ctx);
    if (pathname.startsWith("/mcp")) return streamable.fetch(request, env, ctx);
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
