import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {}

export default {
  fetch(request: Request) {
    const { pathname } = new URL(request.url);
    const lost = (): Response => pathname === "/lost" ? new Response(null, { status: 101 }) : new Response("hello");
    if (pathname !== "/unasked") return lost();
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    return new Response(null, { status: 101, webSocket: client });
  },
};
