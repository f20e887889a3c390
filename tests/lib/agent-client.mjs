// The SDK's own client in Node.js, with `ws` beneath it, and an inbox for those who speak the
// protocol by hand.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import WebSocket from "ws";

import { kProjects } from "./paths.mjs";

const fromProjects = createRequire(join(kProjects, "package.json"));
export const importFromProjects = (name) => import(pathToFileURL(fromProjects.resolve(name)).href);

// partysocket warns of a missing DOM event; Node.js has had these for long.
const { AgentClient } = await importFromProjects("agents/client");

/** Connected and identified; closed before the target is stopped. */
export async function connectAgent(target, options) {
  const client = new AgentClient({ host: target.host, protocol: "ws", WebSocket, ...options });
  target.clients.push(client);
  await Promise.race([client.ready, new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${options.agent}/${options.name}: not ready within 10 s`)), 10_000).unref();
  })]);
  return client;
}

/** Messages of a Socket, of which some are the SDK's and some the test's. */
export class Inbox {
  seen = [];

  constructor(socket) { this.socket = socket; }

  /** The next JSON document that `wanted` accepts; everything before it is kept in `seen`. */
  async next(wanted) {
    for (;;) {
      const message = await this.socket.next();
      if (typeof message === "string" && message.startsWith("{")) {
        const document = JSON.parse(message);
        if (wanted(document)) return document;
      }
      this.seen.push(message);
    }
  }

  async text(wanted) {
    for (;;) {
      const message = await this.socket.next();
      if (message === wanted) return message;
      this.seen.push(message);
    }
  }

  async binary() {
    for (;;) {
      const message = await this.socket.next();
      if (typeof message !== "string") return message;
      this.seen.push(message);
    }
  }
}
