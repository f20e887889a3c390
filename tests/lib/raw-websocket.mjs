// WebSocket frames by hand (RFC 6455 section 5), right ones and wrong ones.
import { createHash, randomBytes } from "node:crypto";

import { RawSocket } from "./raw-socket.mjs";

export const kText = 1, kBinary = 2, kContinuation = 0, kClose = 8, kPing = 9, kPong = 10;
const kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** One frame from a client. `length`: what the header claims, if not the truth. `form`: 7, 16 or 64 bits. */
export function frame(opcode, payload = "", { fin = true, rsv = 0, masked = true, length, form } = {}) {
  const data = Buffer.from(payload);
  const claimed = length ?? data.length;
  const bits = form ?? (claimed < 126 ? 7 : claimed < 65_536 ? 16 : 64);
  const head = Buffer.alloc(2 + (bits === 7 ? 0 : bits / 8));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (bits === 7 ? claimed : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(claimed, 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt(claimed), 2);
  if (!masked) return Buffer.concat([head, data]);
  const key = randomBytes(4);
  const hidden = Buffer.alloc(data.length);
  for (let i = 0; i < data.length; i++) hidden[i] = data[i] ^ key[i & 3];
  return Buffer.concat([head, key, hidden]);
}

export function closePayload(code, reason = "") {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return Buffer.concat([payload, Buffer.from(reason)]);
}

export class RawWebSocket {
  /** Asks for an upgrade with these headers in place of, or beside, the usual ones. */
  static async ask(port, path, headers = {}, { method = "GET", version = "HTTP/1.1", after = "" } = {}) {
    const raw = await RawSocket.open(port);
    const key = randomBytes(16).toString("base64");
    const all = {
      Host: `127.0.0.1:${port}`, Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, ...headers,
    };
    const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`);
    raw.write(Buffer.concat([Buffer.from(`${method} ${path} ${version}\r\n${lines.join("")}\r\n`), Buffer.from(after)]));
    const response = await raw.response();
    return { raw, response, key };
  }

  static async open(port, path, headers = {}, options = {}) {
    const { raw, response, key } = await RawWebSocket.ask(port, path, headers, options);
    if (response?.status !== 101) throw new Error(`no upgrade: ${response?.status} ${response?.body}`);
    const accept = createHash("sha1").update(key + kGuid).digest("base64");
    if (response.headers.get("sec-websocket-accept") !== accept) throw new Error("Sec-WebSocket-Accept is not that of section 4.2.2");
    return new RawWebSocket(raw, response);
  }

  constructor(raw, response) {
    this.raw = raw;
    this.response = response;
  }

  get extensions() { return this.response.headers.get("sec-websocket-extensions") ?? ""; }

  write(...frames) { this.raw.write(Buffer.concat(frames)); }

  /** The server's next frame, or null when it closed the connection. */
  async next(timeoutMs) {
    const found = await this.raw.until(parseFrame, "a frame", timeoutMs);
    if (found) this.raw.received = this.raw.received.subarray(found.bytes);
    return found;
  }

  /** Everything until the server closes: data and control frames, and the close code (0: without one). */
  async outcome(timeoutMs = 5_000) {
    const seen = { frames: [], close: null };
    for (;;) {
      const next = await this.next(timeoutMs);
      if (next === null) return seen;
      if (next.masked) throw new Error("a server's frame is masked");
      if (next.opcode === kClose) {
        seen.close = next.payload.length >= 2 ? next.payload.readUInt16BE() : 0;
        seen.reason = next.payload.subarray(2).toString("utf8");
      } else {
        seen.frames.push(next);
      }
    }
  }

  destroy() { this.raw.destroy(); }
}

function parseFrame(bytes) {
  if (bytes.length < 2) return undefined;
  let length = bytes[1] & 0x7f;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    length = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (bytes.length < at + length) return undefined;
  return {
    fin: (bytes[0] & 0x80) !== 0, rsv: (bytes[0] >> 4) & 7, opcode: bytes[0] & 15, masked: (bytes[1] & 0x80) !== 0,
    payload: bytes.subarray(at, at + length), bytes: at + length,
  };
}
