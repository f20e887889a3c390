import { DurableObject } from "cloudflare:workers";

interface Env {
  RECORDER: DurableObjectNamespace<Recorder>;
  /** What this agent does wrong once, with the message that has this number: the run is to find it. */
  SABOTAGE?: "" | "lose" | "twice" | "reorder" | "forget" | "close";
}

const SABOTAGED = 30;
const SABOTAGED_CLIENT = "c1";

const VERSION = 0; // tests/chaos changes it to cause a reload, or to have something to deploy

/** Of the process, not of the agent: nothing gives it back. */
const held: unknown[] = [];
const megabytes = (count: number): Uint8Array => new Uint8Array(count << 20).fill(1);

/** Writes down who sent which number, in the order in which it was told, and acknowledges it. */
export class Recorder extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS seen (at INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT, number INTEGER)");
  }

  async fetch(request: Request): Promise<Response> {
    if (request.headers.get("Upgrade") !== "websocket") {
      return Response.json(this.ctx.storage.sql.exec("SELECT client, number FROM seen ORDER BY at").raw().toArray());
    }
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    server.serializeAttachment(new URL(request.url).searchParams.get("client"));
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(ws: WebSocket, message: string): Promise<void> {
    // With its connection in the log, so that reports can be told apart by client.
    if (message === "hello") {
      console.log(`client ${ws.deserializeAttachment()}`);
      return ws.send("hello");
    }
    if (message === "loop") for (;;) { /* until the watchdog comes */ }
    // Outside of JavaScript's heap, with the event loop turning; and within it, in one go.
    if (message === "allocate") for (;;) { held.push(megabytes(8)); await scheduler.wait(10); }
    if (message === "fill") for (;;) held.push(Array.from({ length: 10_000 }, (_, i) => ({ i })));
    const number = Number(message);
    if (this.env.SABOTAGE && ws.deserializeAttachment() === SABOTAGED_CLIENT) return this.#sabotage(ws, number);
    this.#write(ws, number);
    if (number % 3 === 0) await scheduler.wait(number % 7); // some are at work for a while
    ws.send(`${number} ${VERSION}`);
  }

  #write(ws: WebSocket, number: number): void {
    this.ctx.storage.sql.exec("INSERT INTO seen (client, number) VALUES (?, ?)", ws.deserializeAttachment(), number);
  }

  #sabotage(ws: WebSocket, number: number): void {
    const how = this.env.SABOTAGE;
    if (number === SABOTAGED && how === "lose") return;
    if (number === SABOTAGED && how === "close") return ws.close(1011, "sabotage");
    if (number === SABOTAGED && how === "twice") this.#write(ws, number);
    const left = number === SABOTAGED && (how === "forget" || how === "reorder");
    if (!left) this.#write(ws, number);
    if (number === SABOTAGED + 1 && how === "reorder") this.#write(ws, SABOTAGED);
    ws.send(`${number} ${VERSION}`);
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, , name] = new URL(request.url).pathname.split("/");
    if (name === undefined) return new Response("well");
    return env.RECORDER.getByName(name!).fetch(request);
  },
};
