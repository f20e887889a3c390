import { getAgentByName, Agent } from "agents";

interface Env { Room: DurableObjectNamespace<Room>; ROOM: DurableObjectNamespace<Room>; Rooms: DurableObjectNamespace<Room> }
export class Room extends Agent<Env> { onRequest() { return new Response("hello"); } }

export default {
  async fetch(request: Request, env: Env) {
    if (request.url.endsWith("/helper")) return (await getAgentByName(env.Rooms, "a")).fetch(request);
    return env.ROOM.get(env.ROOM.idFromName("a")).fetch(request);
  },
};
