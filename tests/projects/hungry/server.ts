// An agent that takes memory or the CPU when it is told to: some, or without end.
import { DurableObject } from "cloudflare:workers";

interface Env {
  HUNGRY: DurableObjectNamespace<Hungry>;
}

/** Held by the host, not by the agent: an agent that sleeps gives nothing back. */
const held: unknown[] = [];
const kMegabyte = 1 << 20;

/** Uses so much of the CPU, however long that takes. */
function compute(ms: number): void {
  const usedUs = (): number => {
    const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
    return user + system;
  };
  for (const before = usedUs(); usedUs() - before < ms * 1_000;) for (let i = 0; i < 10_000; i++) Math.sqrt(i);
}

export class Hungry extends DurableObject<Env> {
  #burning = false;

  async fetch(): Promise<Response> {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server!);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(ws: WebSocket, message: string): Promise<void> {
    const [verb, argument] = message.split(" ");
    if (verb === "take") held.push(Buffer.alloc(Number(argument) * kMegabyte, 1));
    // Outside of JavaScript's heap, with the event loop turning.
    if (verb === "buffers") {
      for (;;) {
        held.push(Buffer.alloc(16 * kMegabyte, 1));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    // In JavaScript's heap, in one go.
    if (verb === "objects") for (;;) held.push(Array.from({ length: 10_000 }, (_, i) => ({ i })));
    // The CPU, with the event loop turning, until there is a word on another of its sockets; or in one go.
    if (verb === "burn") {
      for (this.#burning = true; this.#burning;) {
        compute(5);
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    if (verb === "rest") this.#burning = false;
    if (verb === "compute") compute(Number(argument));
    ws.send(verb === "pid" ? String(process.pid) : message);
  }
}

export default {
  fetch(request: Request, env: Env): Promise<Response> {
    return env.HUNGRY.get(env.HUNGRY.idFromName(new URL(request.url).pathname.slice(1))).fetch(request);
  },
};
