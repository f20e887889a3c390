import { DurableObject } from "cloudflare:workers";
import unsafe from "workerd:unsafe";

interface Env { ROOM: DurableObjectNamespace<Room> }

/** Notes what its handlers are told. */
export class Room extends DurableObject<Env> {
  #lives: number;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#lives = (ctx.storage.kv.get<number>("lives") ?? 0) + 1;
    ctx.storage.kv.put("lives", this.#lives);
  }

  #note(...what: unknown[]) {
    this.ctx.storage.kv.put("notes", [...this.ctx.storage.kv.get<unknown[]>("notes") ?? [], what]);
  }

  #notes() {
    return { notes: this.ctx.storage.kv.get("notes") ?? [], sockets: this.ctx.getWebSockets().length, ticks: this.ctx.storage.kv.get("ticks") ?? 0, lives: this.#lives };
  }

  override fetch(request: Request) {
    const url = new URL(request.url);
    if (request.headers.get("Upgrade") === null) return Response.json(this.#notes());
    const { 0: client, 1: server } = new WebSocketPair();
    if (url.searchParams.has("plain")) this.#listen(server);
    else this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  #listen(server: WebSocket) {
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(`plain ${data}`));
    server.addEventListener("error", (event) => this.#note("error event", event.error instanceof Error, event.message));
    server.addEventListener("close", ({ code, reason, wasClean }) => this.#note("close event", code, reason, wasClean));
  }

  override async webSocketMessage(ws: WebSocket, message: string) {
    const [verb, argument] = message.split(" ");
    if (verb === "limit") this.ctx.setHibernatableWebSocketEventTimeout(argument === undefined ? undefined : Number(argument));
    if (verb === "tick") await this.#tick();
    ws.send(`${verb}: ${this.ctx.getHibernatableWebSocketEventTimeout()}`);
  }

  /** Two seconds and more. */
  async #tick() {
    for (let ticks = 1; ticks <= 100; ticks++) {
      await scheduler.wait(20);
      this.ctx.storage.kv.put("ticks", ticks);
    }
  }

  override async webSocketClose(ws: WebSocket, code: number, reason: string, wasClean: boolean) {
    this.#note("close", code, reason, wasClean);
    if (reason === "tick") await this.#tick();
  }

  override webSocketError(ws: WebSocket, error: unknown) {
    this.#note("error", error instanceof Error, (error as Error).message, ws.readyState, this.ctx.getWebSockets().length);
  }
}

export default {
  async fetch(request: Request, env: Env) {
    const [, what, name] = new URL(request.url).pathname.split("/");
    const room = env.ROOM.getByName(name!);
    if (what === "evict") return Response.json((await unsafe.evict(room)) ?? null);
    return room.fetch(request);
  },
};
