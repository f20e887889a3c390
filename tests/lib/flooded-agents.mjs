// The agents that tests and the benchmark of overload send more to than they can handle.

/**
 * Source that a worker begins with: Counting takes messages "CLIENT NUMBER …", counts those whose `work()`
 * has ended, and knows whether each client's came in order; Quick echoes.
 */
export const kFloodedAgents = `
import { DurableObject } from "cloudflare:workers";
let seen = 0, disorder = 0;
const last = new Map();
class Accepting extends DurableObject {
  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
}
class Counting extends Accepting {
  async webSocketMessage(ws, message) {
    const [client, number] = message.slice(0, 32).split(" ").map(Number);
    if (number !== (last.get(client) ?? 0) + 1) disorder++;
    last.set(client, number);
    await this.work();
    seen++;
  }
  seen() { return { seen, disorder }; }
}
export class Quick extends Accepting {
  webSocketMessage(ws, message) { ws.send(message); }
}
`;
