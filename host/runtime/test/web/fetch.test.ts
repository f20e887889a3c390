// The global fetch and outgoing WebSockets against a real server on loopback; npm's ws is the peer.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
// @ts-expect-error npm's ws has no types of its own
import { WebSocketServer } from "ws";
import { fetch } from "../../src/web/fetch.ts";
import { setHooks } from "../../src/web/hooks.ts";
import { Request } from "../../src/web/request.ts";
import { Response, takeResponse } from "../../src/web/response.ts";
import { WebSocket, attachTransport, deliverMessage, serverEnd } from "../../src/web/websocket.ts";
import { streamOf, until } from "./support.ts";

const sockets = new WebSocketServer({ noServer: true });
let server: Server;
let base = "";
let held: (() => void) | null = null;

function answer(request: IncomingMessage, respond: import("node:http").ServerResponse, body: string): void {
  if (request.url === "/redirect") respond.writeHead(302, { location: "/echo" }).end();
  else if (request.url === "/gzip") respond.writeHead(200, { "content-encoding": "gzip", "content-type": "text/plain" }).end(gzipSync("unpacked"));
  else if (request.url === "/hold") {
    held = () => respond.end("late");
    respond.flushHeaders();
  } else {
    respond.setHeader("set-cookie", ["a=1", "b=2"]);
    respond.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
  }
}

before(async () => {
  server = createServer((request, respond) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk) => { body += chunk; }).on("end", () => answer(request, respond, body));
  });
  server.on("upgrade", (request, socket, head) => {
    if (request.url === "/refused") {
      socket.end("HTTP/1.1 403 Forbidden\r\nx-why: closed\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (peer: any) => {
      peer.send(`hello ${request.headers["x-key"]}`);
      peer.on("message", (data: Buffer, binary: boolean) => binary ? peer.send(data) : data.toString() === "close" ? peer.close(4001, "asked") : peer.send(`echo ${data}`));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  for (const client of sockets.clients) client.terminate();
  server.close();
  server.closeAllConnections();
});

test("a response is ours, and its cookies stay apart", async () => {
  const response = await fetch(`${base}/echo`, { method: "POST", body: "héllo", headers: { "X-A": "b" } });
  assert.equal(Object.getPrototypeOf(response), Response.prototype);
  assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.throws(() => response.headers.set("a", "b"), { message: "Can't modify immutable headers." });
  assert.equal(response.url, `${base}/echo`);
  const echo = await response.json();
  assert.deepEqual([echo.method, echo.body, echo.headers["x-a"], echo.headers["content-type"]], ["POST", "héllo", "b", "text/plain;charset=UTF-8"]);
});
test("no header is sent that the platform does not send", async () => {
  const echo = await (await fetch(`${base}/echo`)).json();
  assert.deepEqual(Object.keys(echo.headers).sort(), ["accept", "accept-encoding", "connection", "host"]);
  const own = await (await fetch(`${base}/echo`, { headers: { "user-agent": "node", "accept-language": "*" } })).json();
  assert.deepEqual([own.headers["user-agent"], own.headers["accept-language"]], ["node", "*"]);
});
test("a Request with a stream goes through, without duplex", async () => {
  const echo = await (await fetch(new Request(`${base}/echo`, { method: "PUT", body: streamOf("a", "b") }))).json();
  assert.deepEqual([echo.method, echo.body, echo.headers["transfer-encoding"]], ["PUT", "ab", "chunked"]);
});
test("credentials in the URL become Basic authorization", async () => {
  const echo = await (await fetch(`${base.replace("//", "//us%20er:pa@")}/echo`)).json();
  assert.equal(echo.headers.authorization, `Basic ${Buffer.from("us er:pa").toString("base64")}`);
});
test("redirects are followed, or not", async () => {
  const followed = await fetch(`${base}/redirect`);
  assert.deepEqual([followed.status, followed.redirected, followed.url], [200, true, `${base}/echo`]);
  const manual = await fetch(`${base}/redirect`, { redirect: "manual" });
  assert.deepEqual([manual.status, manual.headers.get("location")], [302, "/echo"]);
});
test("an encoded body is decoded, and handed on without its encoding", async () => {
  assert.equal(await (await fetch(`${base}/gzip`)).text(), "unpacked");
  const parts = takeResponse(await fetch(`${base}/gzip`));
  assert.doesNotMatch(parts.headers, /content-encoding|content-length/i);
  assert.equal(await new Response(parts.body).text(), "unpacked");
});
test("a response streams: its head comes before its end", async () => {
  const response = await fetch(`${base}/hold`);
  assert.equal(response.status, 200);
  await until(() => held !== null, "the request");
  held!();
  assert.equal(await response.text(), "late");
});
test("a signal aborts, before and during", async () => {
  await assert.rejects(fetch(`${base}/echo`, { signal: AbortSignal.abort() }), { name: "AbortError" });
  const controller = new AbortController();
  const response = await fetch(`${base}/hold`, { signal: controller.signal });
  controller.abort();
  await assert.rejects(response.text(), { name: "AbortError" });
});
test("a request waits at the output gate", async () => {
  let open!: () => void;
  const gate = new Promise<void>((resolve) => { open = resolve; });
  setHooks({ outputGate: () => gate });
  let answered = false;
  const pending = fetch(`${base}/echo`).then((response) => { answered = true; return response.text(); });
  setHooks({ outputGate: () => null });
  await (await fetch(`${base}/echo`)).text(); // a whole round trip
  assert.equal(answered, false);
  open();
  await pending;
});
test("what is not HTTP is refused, and nothing there fails as AI libraries expect it", async () => {
  await assert.rejects(fetch("ftp://x/"), { name: "TypeError", message: "Fetch API cannot load: ftp://x/" });
  await assert.rejects(fetch("/x"), { name: "TypeError", message: "Invalid URL: /x" });
  await assert.rejects(fetch("http://127.0.0.1:1/"), { name: "TypeError", message: "fetch failed" });
});

test("fetch with Upgrade gives a socket whose frames wait for accept()", async () => {
  const response = await fetch(`${base}/socket`, { headers: { Upgrade: "websocket", "x-key": "k" } });
  assert.equal(response.status, 101);
  const socket = response.webSocket!;
  const log: unknown[] = [];
  socket.addEventListener("message", (event) => {
    log.push((event as MessageEvent).data);
    if (log.length === 2) socket.send("close");
  });
  socket.addEventListener("close", (event) => log.push((event as CloseEvent).code, (event as CloseEvent).reason));
  socket.accept();
  socket.send("x");
  await until(() => log.length === 4, "the close");
  assert.deepEqual(log, ["hello k", "echo x", 4001, "asked"]);
});
test("an upgrade that is refused gives the refusal", async () => {
  const response = await fetch(`${base}/refused`, { headers: { Upgrade: "websocket" } });
  assert.deepEqual([response.status, response.webSocket, response.headers.get("x-why")], [403, null, "closed"]);
});
test("new WebSocket connects, echoes bytes and closes", async () => {
  const socket = new WebSocket(`${base.replace("http", "ws")}/socket`);
  assert.equal(socket.readyState, WebSocket.CONNECTING);
  const log: unknown[] = [];
  socket.onopen = () => {
    log.push("open");
    socket.send(new Uint8Array([1, 2]));
  };
  socket.onmessage = ({ data }) => {
    log.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
    if (typeof data !== "string") socket.close(1000, "done");
  };
  socket.onclose = ({ code, wasClean }) => log.push({ code, wasClean });
  await until(() => socket.readyState === WebSocket.CLOSED, "the close");
  assert.deepEqual(log, ["open", "hello undefined", [1, 2], { code: 1000, wasClean: true }]);
});
test("new WebSocket says why it could not connect", async () => {
  const socket = new WebSocket(`${base.replace("http", "ws")}/refused`);
  const log: unknown[] = [];
  socket.onerror = ({ message }) => log.push(message);
  socket.onclose = ({ code }) => log.push(code);
  await until(() => log.length === 2, "the failure");
  assert.deepEqual(log, ["Failed to establish websocket connection: the server answered 403", 1006]);
  for (const [url, protocols] of [["foo", []], ["ftp://x", []], ["ws://x#f", []], ["ws://x", ["a b"]], ["ws://x", ["a", "a"]]] as const) {
    assert.throws(() => new WebSocket(url, [...protocols]), { name: "SyntaxError" });
  }
});
test("an outgoing socket can be handed on to a client of the core", async () => {
  const { webSocket } = await fetch(`${base}/socket`, { headers: { Upgrade: "websocket", "x-key": "relay" } });
  const end = serverEnd(webSocket!);
  const log: unknown[] = [];
  attachTransport(end, { send: (data) => log.push(data), close: (code, reason) => log.push({ code, reason }), attach: () => {} });
  deliverMessage(end, "from the client");
  await until(() => log.length === 2, "the echo");
  deliverMessage(end, "close");
  await until(() => log.length === 3, "the close");
  assert.deepEqual(log, ["hello relay", "echo from the client", { code: 4001, reason: "asked" }]);
});
