// Clients for the tests: plain HTTP without a pool, so that no connection outlives its request, and
// `ws` with its messages as a queue.
import { request as httpRequest } from "node:http";
import WebSocket from "ws";

const kPatienceMs = 10_000;

/** One request on a connection of its own: {status, headers, rawHeaders, body: Buffer, text, json()}. */
export function http(url, { method = "GET", headers = {}, body, timeoutMs = kPatienceMs } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false, timeout: timeoutMs });
    request.on("timeout", () => request.destroy(new Error(`${method} ${url}: no answer within ${timeoutMs} ms`)));
    request.on("error", reject);
    request.on("response", (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const whole = Buffer.concat(parts);
        resolve({
          status: response.statusCode, statusText: response.statusMessage, headers: response.headers, rawHeaders: response.rawHeaders,
          body: whole, text: whole.toString("utf8"), json: () => JSON.parse(whole.toString("utf8")),
        });
      });
    });
    request.end(body);
  });
}

/** A WebSocket whose messages and end are awaited in order. */
export class Socket {
  #queue = [];
  #waiting = [];
  closed;
  open = true;

  static async connect(url, protocols = [], options = {}) {
    const socket = new Socket(new WebSocket(url, protocols, { perMessageDeflate: false, handshakeTimeout: kPatienceMs, ...options }));
    await new Promise((resolve, reject) => {
      socket.ws.once("open", resolve);
      socket.ws.once("error", reject);
    });
    return socket;
  }

  constructor(ws) {
    this.ws = ws;
    ws.on("error", () => {});
    ws.on("message", (data, binary) => this.#arrived(binary ? data : data.toString("utf8")));
    this.closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => {
        this.open = false;
        const end = { code, reason: reason.toString("utf8") };
        for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error(`closed with ${code} ${end.reason} while a message was awaited`));
        resolve(end);
      });
    });
  }

  send(data) { this.ws.send(data); }

  /** The next message; text as a string, binary as a Buffer. */
  next(timeoutMs = kPatienceMs) {
    if (this.#queue.length > 0) return Promise.resolve(this.#queue.shift());
    if (!this.open) return Promise.reject(new Error("the socket is closed"));
    return new Promise((resolve, reject) => {
      const entry = { resolve: (value) => { clearTimeout(timer); resolve(value); }, reject: (error) => { clearTimeout(timer); reject(error); } };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(new Error(`no message within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.push(entry);
    });
  }

  async ask(data, timeoutMs) {
    this.send(data);
    return this.next(timeoutMs);
  }

  /** Messages that have arrived and nobody has taken. */
  pending() { return this.#queue.length; }

  async close(code = 1000, reason = "") {
    this.ws.close(code, reason);
    return this.closed;
  }

  #arrived(data) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(data); else this.#queue.push(data);
  }
}
