// Bytes over TCP, with nothing between the test and the server.
import { connect } from "node:net";

const kPatienceMs = 5_000;

export class RawSocket {
  received = Buffer.alloc(0);
  ended = false;
  #wake = () => {};

  static open(port) {
    return new Promise((resolve, reject) => {
      const raw = new RawSocket();
      raw.socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(raw));
      raw.socket.once("error", reject);
      raw.socket.on("error", () => { raw.ended = true; raw.#wake(); });
      raw.socket.on("data", (data) => { raw.received = Buffer.concat([raw.received, data]); raw.#wake(); });
      raw.socket.on("close", () => { raw.ended = true; raw.#wake(); });
    });
  }

  write(data) { this.socket.write(data); }

  /** In pieces of `size` bytes, each a packet of its own as far as the kernel lets it. */
  async writeSlowly(data, size = 1) {
    const bytes = Buffer.from(data);
    for (let at = 0; at < bytes.length; at += size) {
      if (this.ended) return;
      await new Promise((resolve) => this.socket.write(bytes.subarray(at, at + size), resolve));
    }
  }

  destroy() { this.socket.destroy(); }

  /** Until `take(received)` gives something; null at the connection's end. Fails when neither comes. */
  async until(take, what, timeoutMs = kPatienceMs) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = take(this.received);
      if (found !== undefined && found !== null && found !== false) return found;
      if (this.ended) return null;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${what}: not within ${timeoutMs} ms; received: ${JSON.stringify(this.received.subarray(0, 400).toString("latin1"))}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => { clearTimeout(timer); resolve(); };
      });
    }
  }

  /** The next whole HTTP response, taken off what was received; null when the connection ended first. */
  async response({ head = false, timeoutMs } = {}) {
    const found = await this.until((bytes) => parseResponse(bytes, head, this.ended), "an HTTP response", timeoutMs);
    if (found) this.received = this.received.subarray(found.bytes);
    return found;
  }

  /** Waits for the server to close; what it still sends is kept in `received`. */
  async end(timeoutMs = kPatienceMs) {
    await this.until(() => false, "the end of the connection", timeoutMs);
  }
}

/** Undefined while it is not whole. `head`: the answer to a HEAD request has no body. */
function parseResponse(bytes, head, ended) {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const lines = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const [, version, status, text] = /^(HTTP\/1\.[01]) (\d{3}) ?(.*)$/.exec(lines[0]) ?? [];
  if (!version) throw new Error(`not a status line: ${JSON.stringify(lines[0])}`);
  const headers = new Map();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  const answer = { version, status: Number(status), text, headers, body: Buffer.alloc(0), bytes: end + 4 };
  if (head || answer.status < 200 || answer.status === 204 || answer.status === 304) return answer;
  if (headers.get("transfer-encoding") === "chunked") return chunked(bytes, answer);
  if (headers.has("content-length")) {
    const length = Number(headers.get("content-length"));
    if (bytes.length < answer.bytes + length) return undefined;
    return { ...answer, body: bytes.subarray(answer.bytes, answer.bytes + length), bytes: answer.bytes + length };
  }
  return ended ? { ...answer, body: bytes.subarray(answer.bytes), bytes: bytes.length } : undefined;
}

function chunked(bytes, answer) {
  const parts = [];
  let at = answer.bytes;
  for (;;) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    if (bytes.length < line + 2 + size + 2) return undefined;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
    if (size === 0) return { ...answer, body: Buffer.concat(parts), bytes: at };
  }
}
