import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {}

function spin() {
  for (;;);
}

export default {
  fetch() {
    spin();
    return new Response("never");
  },
};
