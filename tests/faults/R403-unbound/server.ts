import { getAgentByName, Agent } from "agents";

interface Env { Room: DurableObjectNamespace<Room>; ROOM: DurableObjectNamespace<Room>; Rooms: DurableObjectNamespace<Room>; API_KEY: string }
export class Room extends Agent<Env> { onRequest() { return new Response("hello"); } }

export default {
  async fetch(request: Request, env: Env) {
    if (request.url.endsWith("/helper")) return (await getAgentByName(env.Rooms, "a")).fetch(request);
    if (request.url.endsWith("/key")) return new Response(env.API_KEY.trim());
    return env.ROOM.get(env.ROOM.idFromName("a")).fetch(request);
  },
};
