import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  fetch() {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
}

export default {
  fetch(request: Request, env: { Room: DurableObjectNamespace<Room> }) { return env.Room.getByName("a").fetch(request); },
};
