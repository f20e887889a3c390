// RFC 6455 over raw sockets. Every case runs against `ws` as well: the same bytes, and the same
// outcome where the RFC decides.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WebSocketServer } from "ws";

import { RawWebSocket, closePayload, frame, kBinary, kClose, kContinuation, kPing, kPong, kText } from "../lib/raw-websocket.mjs";
import { onHearth, start } from "../lib/target.mjs";

const kMessageBytesMax = 32 * 1024 * 1024;

// workerd does not hold clients to the RFC.
const kServers = onHearth ? ["ws", "hearth"] : ["ws"];
let target;
let control;
before(async () => {
  target = await start("raw");
  control = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, maxPayload: kMessageBytesMax });
  control.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await new Promise((resolve) => control.once("listening", resolve));
});
after(async () => {
  for (const socket of control.clients) socket.terminate();
  control.close();
  await target?.stop();
});

/** `act` gets an open connection; run on the control first. */
function onBoth(name, act, { path = "/room/protocol?user=p", skipControl = false } = {}) {
  for (const server of kServers) {
    if (server === "ws" && skipControl) continue;
    test(`${name} (${server})`, async () => {
      const socket = await RawWebSocket.open(server === "ws" ? control.address().port : target.port, path);
      try {
        await act(socket, server);
      } finally {
        socket.destroy();
      }
    });
  }
}

const echoes = (name, frames, expected, options) =>
  onBoth(name, async (socket) => {
    for (const piece of frames) socket.write(piece);
    for (const [opcode, payload] of expected) {
      const next = await socket.next();
      assert.ok(next, "the connection ended");
      assert.equal(next.opcode, opcode);
      assert.ok(next.fin);
      assert.equal(next.rsv, 0);
      assert.ok(next.payload.equals(Buffer.from(payload)), `${next.payload.length} bytes came back`);
    }
  }, options);

/** The server must fail the connection with `code` (RFC 6455 section 7.1.7). */
const fails = (name, frames, code, options = {}) =>
  onBoth(name, async (socket) => {
    for (const piece of frames) socket.write(piece);
    const { close, frames: answers } = await socket.outcome();
    assert.equal(close, code);
    assert.ok(answers.length <= (options.before ?? 0), `${answers.length} answers`);
  }, options);

describe("data frames", () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_001]) {
    const payload = Buffer.alloc(length, "abcdefg");
    echoes(`text of ${length} bytes`, [frame(kText, payload)], [[kText, payload]]);
    echoes(`binary of ${length} bytes`, [frame(kBinary, payload)], [[kBinary, payload]]);
  }
  echoes("several frames in one write keep their order", [Buffer.concat([frame(kText, "1"), frame(kBinary, "2"), frame(kText, "3")])],
    [[kText, "1"], [kBinary, "2"], [kText, "3"]]);
  onBoth("a frame in single bytes", async (socket) => {
    await socket.raw.writeSlowly(frame(kText, "slowly, ä €"));
    assert.equal((await socket.next()).payload.toString(), "slowly, ä €");
  });
  onBoth("a frame sent with the handshake", async (socket, server) => {
    const port = server === "ws" ? control.address().port : target.port;
    const eager = await RawWebSocket.open(port, "/room/protocol?user=p", {}, { after: frame(kText, "eager") });
    assert.equal((await eager.next()).payload.toString(), "eager");
    eager.destroy();
  });
  fails("an unmasked frame is refused", [frame(kText, "bare", { masked: false })], 1002);
  for (const rsv of [1, 2, 4]) fails(`reserved bit ${rsv} without an extension`, [frame(kText, "x", { rsv })], 1002);
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) fails(`reserved opcode ${opcode}`, [frame(opcode, "")], 1002);
  fails("a violation right behind a good message", [Buffer.concat([frame(kText, "good"), frame(3, "")])], 1002, { before: 1 });
});

describe("fragmentation", () => {
  const part = (opcode, text, fin = false) => frame(opcode, text, { fin });
  echoes("three parts make one message", [part(kText, "a"), part(kContinuation, "b"), part(kContinuation, "c", true)], [[kText, "abc"]]);
  echoes("empty parts", [part(kBinary, ""), part(kContinuation, ""), part(kContinuation, "x"), part(kContinuation, "", true)], [[kBinary, "x"]]);
  echoes("a ping between parts is answered at once",
    [part(kText, "a"), frame(kPing, "now"), part(kContinuation, "b", true)], [[kPong, "now"], [kText, "ab"]]);
  echoes("a pong between parts is ignored", [part(kText, "a"), frame(kPong, "?"), part(kContinuation, "b", true)], [[kText, "ab"]]);
  fails("a continuation of nothing", [frame(kContinuation, "x")], 1002);
  fails("a continuation after a whole message", [Buffer.concat([frame(kText, "x"), frame(kContinuation, "y")])], 1002, { before: 1 });
  fails("a new message within another", [part(kText, "a"), frame(kText, "b")], 1002);
  fails("a new binary message within a text", [part(kText, "a"), frame(kBinary, "b")], 1002);
  onBoth("a thousand parts", async (socket) => {
    const parts = [part(kText, "x")];
    for (let i = 0; i < 998; i++) parts.push(part(kContinuation, "y"));
    socket.write(...parts, part(kContinuation, "z", true));
    assert.equal((await socket.next()).payload.length, 1_000);
  });
});

describe("control frames", () => {
  echoes("ping and pong carry the same 125 bytes", [frame(kPing, "p".repeat(125))], [[kPong, "p".repeat(125)]]);
  echoes("an empty ping", [frame(kPing)], [[kPong, ""]]);
  echoes("pings are answered in order", [frame(kPing, "1"), frame(kPing, "2")], [[kPong, "1"], [kPong, "2"]]);
  echoes("an unasked pong is ignored", [frame(kPong, "hm"), frame(kText, "on")], [[kText, "on"]]);
  for (const [name, opcode] of [["ping", kPing], ["pong", kPong], ["close", kClose]]) {
    fails(`a ${name} of 126 bytes`, [frame(opcode, "x".repeat(126))], 1002);
    fails(`a fragmented ${name}`, [frame(opcode, "", { fin: false })], 1002);
  }
});

describe("UTF-8", () => {
  echoes("every length of sequence", [frame(kText, "a é € 😀")], [[kText, "a é € 😀"]]);
  const euro = Buffer.from("€");
  echoes("a character split over fragments",
    [frame(kText, euro.subarray(0, 1), { fin: false }), frame(kContinuation, euro.subarray(1, 2), { fin: false }), frame(kContinuation, euro.subarray(2))],
    [[kText, "€"]]);
  echoes("the highest code point and the noncharacters", [frame(kText, "\u{10FFFF}\u{FFFE}\u{FFFF}")], [[kText, "\u{10FFFF}\u{FFFE}\u{FFFF}"]]);
  const bad = {
    "a lone continuation byte": [0x80], "a cut sequence": [0xe2, 0x82], "an overlong slash": [0xc0, 0xaf], "an overlong three-byte": [0xe0, 0x80, 0xaf],
    "a surrogate": [0xed, 0xa0, 0x80], "beyond U+10FFFF": [0xf4, 0x90, 0x80, 0x80], "a five-byte sequence": [0xf8, 0x88, 0x80, 0x80, 0x80],
    "0xff": [0x61, 0xff], "a broken second byte": [0xc3, 0x28],
  };
  for (const [name, bytes] of Object.entries(bad)) fails(name, [frame(kText, Buffer.from(bytes))], 1007);
  fails("an invalid byte in a later fragment", [frame(kText, "good", { fin: false }), frame(kContinuation, Buffer.from([0x80]))], 1007);
  fails("a character cut off by the end of the message", [frame(kText, euro.subarray(0, 2), { fin: false }), frame(kContinuation, "x")], 1007);
  echoes("any byte in a binary message", [frame(kBinary, Buffer.from([0xff, 0x80]))], [[kBinary, Buffer.from([0xff, 0x80])]]);
});

describe("closing", () => {
  const closing = (name, payload, code, options) =>
    onBoth(name, async (socket) => {
      socket.write(frame(kClose, payload));
      const outcome = await socket.outcome(); // it must end the connection too
      assert.equal(outcome.close, code);
      assert.deepEqual(outcome.frames, []);
    }, options);
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) closing(`code ${code} is answered with it`, closePayload(code, "bye"), code);
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) closing(`code ${code} is refused`, closePayload(code), 1002);
  onBoth("without a code", async (socket) => {
    socket.write(frame(kClose));
    const { close } = await socket.outcome();
    assert.ok(close === 0 || close === 1000, `answered ${close}`);
  });
  closing("a payload of one byte", Buffer.from([3]), 1002);
  closing("a reason that is not UTF-8", Buffer.concat([closePayload(1000), Buffer.from([0xff])]), 1007);
  closing("a reason of 123 bytes", closePayload(1000, "r".repeat(123)), 1000);
  onBoth("what comes after a close is not answered", async (socket) => {
    socket.write(frame(kClose, closePayload(1000)), frame(kText, "late"), frame(kPing, "late"));
    const { close, frames } = await socket.outcome();
    assert.equal(close, 1000);
    assert.deepEqual(frames, []);
  });
  onBoth("in the middle of a fragmented message", async (socket) => {
    socket.write(frame(kText, "never", { fin: false }), frame(kClose, closePayload(1000)));
    assert.equal((await socket.outcome()).close, 1000);
  });
  if (onHearth) {
    test("started by the server waits for the client's answer, then ends the connection", async () => {
      const socket = await RawWebSocket.open(target.port, "/room/protocol?user=p");
      socket.write(frame(kText, "close 4242 because so"));
      const close = await socket.next();
      assert.equal(close.opcode, kClose);
      assert.ok(close.payload.equals(closePayload(4242, "because so")));
      socket.write(frame(kClose, closePayload(4242)));
      await socket.raw.end(2_000);
    });
    test("started by the server ends after a while even if the client says nothing", async () => {
      const socket = await RawWebSocket.open(target.port, "/room/protocol?user=p");
      socket.write(frame(kText, "close 4242 silence"));
      assert.equal((await socket.next()).opcode, kClose);
      await socket.raw.end(8_000);
    });
  }
});

describe("size", () => {
  onBoth("a message of 32 MiB", async (socket) => {
    const payload = Buffer.alloc(kMessageBytesMax, 7);
    socket.write(frame(kBinary, payload));
    assert.ok((await socket.next(20_000)).payload.equals(payload));
  });
  fails("a header that claims one byte more", [frame(kBinary, "", { length: kMessageBytesMax + 1 })], 1009);
  fails("fragments that sum to more", [
    frame(kBinary, Buffer.alloc(kMessageBytesMax - 10), { fin: false }), frame(kContinuation, Buffer.alloc(11)),
  ], 1009);
  onBoth("a length with the highest bit set", async (socket) => {
    socket.write(frame(kBinary, "", { length: 2n ** 63n, form: 64 }));
    const { close } = await socket.outcome();
    assert.ok([1002, 1009].includes(close), `closed with ${close}`);
  });
});
