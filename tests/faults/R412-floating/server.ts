import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  fetch() { void this.later(); return new Response("hello"); }
  private async later() { await Promise.resolve(); throw new Error("nobody awaits this"); }
}

export default {
  fetch(request: Request, env: { Room: DurableObjectNamespace<Room> }) { return env.Room.getByName("a").fetch(request); },
};
