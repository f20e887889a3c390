import { Agent, routeAgentRequest, type Connection } from "agents";

function unreadable(property: string) {
  return Object.defineProperty(new Error("never seen"), property, { get() { throw new Error("a trap"); } });
}

export class CoderAgent extends Agent {
  onMessage(connection: Connection, text: string) {
    if (text === "text") throw "no luck";
    if (text === "null") throw null;
    if (text === "message") throw unreadable("message");
    if (text === "stack") throw unreadable("stack");
    if (text === "proxy") throw new Proxy({}, { getPrototypeOf() { throw new Error("a trap"); } });
    connection.send(`echo ${text}`);
  }
  onError(...given: unknown[]) { throw given.at(-1); }
}

export default {
  async fetch(request: Request, env: object) {
    if (new URL(request.url).pathname === "/nothing") return Promise.reject();
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
