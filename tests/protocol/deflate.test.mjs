// permessage-deflate (RFC 7692) over raw sockets, with `ws` as the control.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";
import { WebSocketServer } from "ws";

import { RawWebSocket, frame, kBinary, kContinuation, kPing, kPong, kText } from "../lib/raw-websocket.mjs";
import { onHearth, start } from "../lib/target.mjs";

const kTail = Buffer.from([0, 0, 0xff, 0xff]);
const kMessageBytesMax = 32 * 1024 * 1024;
const kPath = "/room/deflate?user=p";

// workerd does not hold clients to the RFC.
const kServers = onHearth ? ["ws", "hearth"] : ["ws"];
let target;
let control;
before(async () => {
  target = await start("raw");
  control = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: { threshold: 0 }, maxPayload: kMessageBytesMax });
  control.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => socket.send(data, { binary, compress: true }));
  });
  await new Promise((resolve) => control.once("listening", resolve));
});
after(async () => {
  for (const socket of control.clients) socket.terminate();
  control.close();
  await target?.stop();
});

function onBoth(name, offer, act) {
  for (const server of kServers) {
    test(`${name} (${server})`, async () => {
      const port = server === "ws" ? control.address().port : target.port;
      const socket = await RawWebSocket.open(port, kPath, { "Sec-WebSocket-Extensions": offer });
      try {
        await act(socket, server);
      } finally {
        socket.destroy();
      }
    });
  }
}

/** One message as section 7.2.1 makes it: deflated, flushed, without the tail. */
function compress(data, options = {}) {
  const whole = deflateRawSync(Buffer.from(data), { finishFlush: constants.Z_SYNC_FLUSH, ...options });
  return whole.subarray(0, whole.length - 4);
}

const expand = (payload) => inflateRawSync(Buffer.concat([payload, kTail]), { finishFlush: constants.Z_SYNC_FLUSH });

/** What the server sent, plain or compressed: a server may send a message as it is. */
const content = (answer, inflate = expand) => (answer.rsv === 4 ? inflate(answer.payload) : answer.payload);

/** A deflater or inflater that keeps its window from one message to the next. */
function streaming(make, transformed) {
  const stream = make();
  return (data) => new Promise((resolve, reject) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part)).once("error", reject);
    stream.write(data);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.removeAllListeners("data").removeListener("error", reject);
      resolve(transformed(Buffer.concat(parts)));
    });
  });
}
const deflater = (options) => streaming(() => createDeflateRaw(options), (bytes) => bytes.subarray(0, bytes.length - 4));
const inflater = (options) => { const run = streaming(() => createInflateRaw(options), (bytes) => bytes); return (payload) => run(Buffer.concat([payload, kTail])); };

describe("negotiation", () => {
  onBoth("an offer without parameters is taken", "permessage-deflate", async (socket) => assert.match(socket.extensions, /^permessage-deflate\b/));
  onBoth("a client's no_context_takeover of the server is honoured", "permessage-deflate; server_no_context_takeover", async (socket) =>
    assert.match(socket.extensions, /server_no_context_takeover/));
  onBoth("a smaller window of the server is honoured", "permessage-deflate; server_max_window_bits=10", async (socket) =>
    assert.match(socket.extensions, /server_max_window_bits=10/));
  onBoth("another extension beside it is left out", "x-other, permessage-deflate", async (socket) => {
    assert.match(socket.extensions, /^permessage-deflate\b/);
    assert.doesNotMatch(socket.extensions, /x-other/);
  });
  if (!onHearth) return;
  for (const bad of ["permessage-deflate; bogus", "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits", "permessage-deflate; client_max_window_bits=99",
    "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; server_no_context_takeover; server_no_context_takeover"]) {
    test(`declined, not failed: ${bad}`, async () => {
      const socket = await RawWebSocket.open(target.port, kPath, { "Sec-WebSocket-Extensions": bad });
      assert.equal(socket.extensions, "");
      socket.destroy();
    });
  }
  test("the second offer is taken when the first cannot be", async () => {
    const socket = await RawWebSocket.open(target.port, kPath, { "Sec-WebSocket-Extensions": "permessage-deflate; bogus, permessage-deflate" });
    assert.match(socket.extensions, /^permessage-deflate\b/);
    socket.destroy();
  });
});

describe("messages", () => {
  const plain = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";
  const echo = (name, offer, opcode, make, expected) => onBoth(name, offer, async (socket) => {
    socket.write(...make());
    const answer = await socket.next();
    assert.ok(answer, "the connection ended");
    assert.equal(answer.opcode, opcode);
    assert.ok(content(answer).equals(Buffer.from(expected)));
  });
  const text = "agents ".repeat(500);
  echo("compressed text", plain, kText, () => [frame(kText, compress(text), { rsv: 4 })], text);
  echo("compressed binary", plain, kBinary, () => [frame(kBinary, compress(text), { rsv: 4 })], text);
  echo("an uncompressed message beside them", plain, kText, () => [frame(kText, "as it is")], "as it is");
  echo("an empty message", plain, kText, () => [frame(kText, Buffer.from([0]), { rsv: 4 })], "");
  echo("stored blocks (section 7.2.3.3)", plain, kText, () => [frame(kText, compress("Hello", { level: 0 }), { rsv: 4 })], "Hello");
  echo("a final block (section 7.2.3.4)", plain, kText, () => [frame(kText, Buffer.concat([deflateRawSync("Hello"), Buffer.from([0])]), { rsv: 4 })], "Hello");
  echo("the RFC's own example (section 7.2.3.1)", plain, kText, () => [frame(kText, Buffer.from("f248cdc9c90700", "hex"), { rsv: 4 })], "Hello");
  echo("in fragments, with the bit on the first alone", plain, kText, () => {
    const whole = compress(text);
    return [frame(kText, whole.subarray(0, 9), { rsv: 4, fin: false }), frame(kContinuation, whole.subarray(9, 10), { fin: false }), frame(kContinuation, whole.subarray(10))];
  }, text);
  onBoth("a ping between compressed fragments", plain, async (socket) => {
    const whole = compress(text);
    socket.write(frame(kText, whole.subarray(0, 5), { rsv: 4, fin: false }), frame(kPing, "?"), frame(kContinuation, whole.subarray(5)));
    assert.equal((await socket.next()).opcode, kPong);
    assert.equal(content(await socket.next()).toString(), text);
  });
  for (const offer of ["permessage-deflate", "permessage-deflate; server_max_window_bits=9"]) {
    onBoth(`a window kept over messages: ${offer}`, offer, async (socket) => {
      const bits = { windowBits: Number(/server_max_window_bits=(\d+)/.exec(socket.extensions)?.[1] ?? 15) };
      const keepsClient = !/client_no_context_takeover/.test(socket.extensions);
      const keepsServer = !/server_no_context_takeover/.test(socket.extensions);
      const clientBits = Number(/client_max_window_bits=(\d+)/.exec(socket.extensions)?.[1] ?? 15);
      const deflate = keepsClient ? deflater({ windowBits: clientBits }) : async (data) => compress(data);
      const inflate = keepsServer ? inflater(bits) : async (payload) => expand(payload);
      for (let i = 0; i < 20; i++) {
        const message = `message ${i}: ${text.slice(0, 100 + i)}`;
        socket.write(frame(kText, await deflate(Buffer.from(message)), { rsv: 4 }));
        const answer = await socket.next();
        const back = answer.rsv === 4 ? await inflate(answer.payload) : answer.payload;
        assert.equal(back.toString(), message);
      }
    });
  }
});

describe("violations", () => {
  const fails = (name, frames, code) => onBoth(name, "permessage-deflate", async (socket) => {
    socket.write(...frames());
    assert.equal((await socket.outcome(20_000)).close, code);
  });
  fails("the bit on a continuation", () => [frame(kText, compress("a"), { rsv: 4, fin: false }), frame(kContinuation, "", { rsv: 4 })], 1002);
  fails("the bit on a ping", () => [frame(kPing, "", { rsv: 4 })], 1002);
  fails("data that is not deflate", () => [frame(kText, Buffer.from([0xff, 0xff, 0xff]), { rsv: 4 })], 1007);
  fails("text that is not UTF-8 beneath", () => [frame(kText, compress(Buffer.from([0xc3, 0x28])), { rsv: 4 })], 1007);
  fails("a message that grows past the limit", () => [frame(kBinary, compress(Buffer.alloc(kMessageBytesMax + 1)), { rsv: 4 })], 1009);
  fails("a gigabyte of zeros in a megabyte", () => [frame(kBinary, compress(Buffer.alloc(1024 ** 3)), { rsv: 4 })], 1009);
});
