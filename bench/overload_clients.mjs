// Some of the clients of overload.mjs, in a process of their own: it opens COUNT WebSockets to
// PORT/PATH, says so, waits for a word on its standard input, and then sends MESSAGES from each as
// fast as its socket takes them. Lean by hand: ten thousand of them share a machine with the server.
import { randomBytes } from "node:crypto";
import { connect } from "node:net";

const [port, path, first, count, messages, bytes] = process.argv.slice(2).map((word) => (/^\d+$/.test(word) ? Number(word) : word));
const kAtOnce = 100;

/** A text frame of `bytes`, masked with zeros (RFC 6455 section 5.3 asks for a mask, not for a good one). */
function frame(text) {
  const payload = Buffer.alloc(bytes, "x");
  payload.write(text);
  const head = Buffer.alloc(8);
  head.writeUInt8(0x81, 0);
  head.writeUInt8(0x80 | 126, 1);
  head.writeUInt16BE(bytes, 2);
  return Buffer.concat([head, payload]);
}

function open() {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.once("connect", () => socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`));
    socket.once("data", (data) => {
      if (!data.toString("latin1").startsWith("HTTP/1.1 101")) return reject(new Error(data.toString("latin1").split("\r\n")[0]));
      socket.off("error", reject);
      socket.on("error", () => lost++);
      socket.on("close", () => closed++);
      socket.on("data", () => {});
      resolve(socket);
    });
  });
}

let lost = 0, closed = 0;
const sockets = [];
while (sockets.length < count) {
  sockets.push(...await Promise.all(Array.from({ length: Math.min(kAtOnce, count - sockets.length) }, open)));
}
console.log(JSON.stringify({ open: sockets.length }));

process.stdin.once("data", async () => {
  await Promise.all(sockets.map(async (socket, i) => {
    for (let number = 1; number <= messages && !socket.destroyed; number++) {
      if (!socket.write(frame(`${first + i} ${number} `))) await new Promise((resolve) => { socket.once("drain", resolve); socket.once("close", resolve); });
    }
  }));
  console.log(JSON.stringify({ sent: true, closed, lost }));
});
process.stdin.once("end", () => process.exit(0));
