import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {}

export default {
  fetch(_: Request, env: { KEY: string }) { return env.KEY === "" ? new Response("no key") : new Response("who are you?", { status: 401 }); },
};
