// A client of the fault run: the real PartySocket's reconnecting socket over `ws`, as the SDK's
// clients have it. It numbers its messages and keeps its own books.
import { performance } from "node:perf_hooks";
import WebSocket from "ws";

import { importFromProjects } from "../lib/agent-client.mjs";
import { until } from "../lib/process.mjs";

// Its CommonJS form, which is what resolves here.
const { default: { default: ReconnectingWebSocket } } = await importFromProjects("partysocket/ws");

/** Shorter pauses between two answers are the machine's, and not looked at. */
const kGapMs = 50;
const kPatienceMs = 30_000;

export class Client {
  sent = 0;
  acknowledged = new Set();
  gaps = []; // {from, to}
  closes = 0;
  opens = 0;
  /** What was sent on the first connection, in order: numbers, and words that make trouble. */
  texts = [];
  #open = false;
  #last = performance.now();

  constructor(url, agent, name) {
    this.agent = agent;
    this.name = name;
    this.socket = new ReconnectingWebSocket(`${url}/agent/${agent}?client=${name}`, [], { WebSocket });
    this.socket.addEventListener("open", () => { this.#open = true; this.opens++; });
    // A broken connection is told as an error, a close, or both.
    for (const end of ["close", "error"]) {
      this.socket.addEventListener(end, () => {
        if (this.#open) this.closes++;
        this.#open = false;
      });
    }
    this.socket.addEventListener("message", ({ data }) => this.#answered(String(data)));
  }

  /** Connected, and the agent has said in its log which connection this is. */
  static async connect(target, agent, name) {
    const client = new Client(target.ws, agent, name);
    client.#put("hello");
    await until(() => client.acknowledged.has("hello"), `${name}'s first answer`, kPatienceMs);
    return client;
  }

  #put(text) {
    this.texts.push(text);
    this.socket.send(text);
  }

  /** "loop", "allocate", "fill": the handler never ends by itself. */
  trouble(word) { this.#put(word); }

  send() { this.#put(String(++this.sent)); }

  #answered(text) {
    const word = text.split(" ")[0];
    this.acknowledged.add(word === "hello" ? word : Number(word));
    const now = performance.now();
    if (now - this.#last > kGapMs) this.gaps.push({ from: this.#last, to: now });
    this.#last = now;
  }

  close() { this.socket.close(); }
}
