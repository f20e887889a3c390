// HTTP/1.1 over raw sockets: what RFC 9112 asks, and what keeps a server from being smuggled past.
// workerd is the control of what must work; how strictly the rest is refused is hearth's own promise.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { RawSocket } from "../lib/raw-socket.mjs";
import { RawWebSocket } from "../lib/raw-websocket.mjs";
import { hearthOnly, start } from "../lib/target.mjs";

let target;
let host;
before(async () => {
  target = await start("raw", { expectErrors: [/on purpose/] });
  host = target.host;
});
after(() => target?.stop());

const withSocket = (act) => async () => {
  const raw = await RawSocket.open(target.port);
  try {
    await act(raw);
  } finally {
    raw.destroy();
  }
};

const get = (path, extra = "", version = "HTTP/1.1") => `GET ${path} ${version}\r\nHost: ${host}\r\n${extra}\r\n`;
const post = (path, headers, body = "") => `POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n${body}`;

describe("connections", () => {
  test("serve one request after another", withSocket(async (raw) => {
    for (let i = 0; i < 3; i++) {
      raw.write(get("/"));
      const answer = await raw.response();
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), "hello from the worker");
    }
    assert.equal(raw.ended, false);
  }));

  test("answer pipelined requests in their order", withSocket(async (raw) => {
    raw.write(Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? get(`/request?n=${i}`) : post("/echo", "Content-Length: 2\r\n", String(i).padStart(2)))).join(""));
    for (let i = 0; i < 20; i++) {
      const { status, body } = await raw.response();
      assert.equal(status, 200);
      if (i % 3 === 0) assert.match(JSON.parse(body).url, new RegExp(`n=${i}$`)); else assert.equal(body.toString(), String(i).padStart(2));
    }
  }));

  test("a slow answer holds back the faster ones after it", withSocket(async (raw) => {
    raw.write(get("/events") + get("/"));
    assert.match((await raw.response()).body.toString(), /data: 2/);
    assert.equal((await raw.response()).body.toString(), "hello from the worker");
  }));

  test("close when the client asks for it", withSocket(async (raw) => {
    raw.write(get("/", "Connection: close\r\n"));
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("connection") ?? "close", /close/);
    await raw.end();
  }));

  test("close after an HTTP/1.0 request", withSocket(async (raw) => {
    raw.write(get("/", "", "HTTP/1.0"));
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), "hello from the worker");
    await raw.end();
  }));

  test("take a request in single bytes", withSocket(async (raw) => {
    await raw.writeSlowly(post("/echo", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    assert.equal((await raw.response()).body.toString(), "abcde");
  }));

  test("let a blank line before a request pass", withSocket(async (raw) => {
    raw.write(`\r\n${get("/")}`);
    assert.equal((await raw.response()).status, 200);
  }));
});

describe("answers", () => {
  test("carry Date and a length", hearthOnly, withSocket(async (raw) => {
    raw.write(get("/"));
    const { headers } = await raw.response();
    assert.ok(Math.abs(Date.parse(headers.get("date")) - Date.now()) < 5_000);
    assert.equal(headers.get("content-length"), "21");
  }));

  test("to HEAD have no body, and the connection goes on", withSocket(async (raw) => {
    raw.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\n\r\n${get("/")}`);
    assert.equal((await raw.response({ head: true })).status, 200);
    assert.equal((await raw.response()).body.toString(), "hello from the worker");
  }));

  for (const code of [204, 304]) {
    test(`with ${code} have no body`, withSocket(async (raw) => {
      raw.write(get(`/status?code=${code}&empty=1`) + get("/"));
      const answer = await raw.response();
      assert.equal(answer.status, code);
      assert.equal(answer.headers.get("transfer-encoding"), undefined);
      assert.equal((await raw.response()).body.toString(), "hello from the worker");
    }));
  }

  test("that are streamed come in chunks as they are made", withSocket(async (raw) => {
    raw.write(get("/events"));
    const first = await raw.until((bytes) => bytes.includes("data: 0") && bytes.toString(), "the first event");
    assert.ok(!first.includes("data: 2"), "the first event does not wait for the last");
    assert.equal((await raw.response()).body.toString(), "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  }));

  test("of a fixed length carry it", withSocket(async (raw) => {
    raw.write(get("/fixed?bytes=100000"));
    const answer = await raw.response();
    assert.equal(answer.headers.get("content-length"), "100000");
    assert.equal(answer.body.length, 100_000);
  }));

  test("whose stream fails are cut, not ended as if whole", hearthOnly, withSocket(async (raw) => {
    raw.write(get("/cut"));
    await raw.end();
    assert.match(raw.received.toString(), /the beginning/);
    assert.doesNotMatch(raw.received.toString(), /\r\n0\r\n\r\n$/);
  }));
});

describe("bodies", () => {
  test("of a known length", withSocket(async (raw) => {
    raw.write(post("/echo", "Content-Length: 5\r\n", "hello"));
    assert.equal((await raw.response()).body.toString(), "hello");
  }));

  test("of length 0 are empty", withSocket(async (raw) => {
    raw.write(post("/whole", "Content-Length: 0\r\n"));
    assert.equal(JSON.parse((await raw.response()).body).bytes, 0);
  }));

  test("in chunks, with extensions and trailers", withSocket(async (raw) => {
    raw.write(post("/echo", "Transfer-Encoding: chunked\r\nTrailer: X-After\r\n", "5;name=value\r\nhello\r\n6;q=\"x\"\r\n world\r\n0\r\nX-After: 1\r\n\r\n") + get("/"));
    assert.equal((await raw.response()).body.toString(), "hello world");
    assert.equal((await raw.response()).status, 200);
  }));

  test("with chunk sizes in capital and leading-zero hexadecimal", withSocket(async (raw) => {
    raw.write(post("/echo", "Transfer-Encoding: chunked\r\n", "00A\r\n0123456789\r\n0\r\n\r\n"));
    assert.equal((await raw.response()).body.toString(), "0123456789");
  }));

  test("that nobody reads do not spoil the next request", withSocket(async (raw) => {
    raw.write(post("/nowhere", "Content-Length: 100000\r\n", "x".repeat(100_000)) + get("/"));
    assert.equal((await raw.response()).status, 404);
    const next = await raw.response();
    assert.ok(next === null || next.status === 200, "closed, or in step");
  }));

  test("are asked for by 100 (Continue) when the client waits", hearthOnly, withSocket(async (raw) => {
    raw.write(post("/echo", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
    assert.equal((await raw.response()).status, 100);
    raw.write("body");
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), "body");
  }));

  test("of another expectation are refused with 417", hearthOnly, withSocket(async (raw) => {
    raw.write(post("/echo", "Content-Length: 4\r\nExpect: the-moon\r\n"));
    assert.equal((await raw.response()).status, 417);
  }));
});

describe("the target", () => {
  test("in absolute form wins over Host", hearthOnly, withSocket(async (raw) => {
    raw.write(`GET http://${host}/request?abs=1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.body).url, `http://${host}/request?abs=1`);
  }));

  test("keeps its escapes", withSocket(async (raw) => {
    raw.write(get("/request?a=%2F%20&b=%zz"));
    assert.ok(JSON.parse((await raw.response()).body).url.endsWith("/request?a=%2F%20&b=%zz"));
  }));
});

/** Refused with `status`, and the connection closed: whatever follows must not be taken for a request. */
const refused = (name, text, status, options = {}) =>
  test(name, hearthOnly, withSocket(async (raw) => {
    raw.write(typeof text === "function" ? text() : text);
    const answer = await raw.response({ timeoutMs: options.timeoutMs });
    assert.ok(answer, "the connection closed without an answer");
    assert.ok([status].flat().includes(answer.status), `answered ${answer.status}: ${answer.body}`);
    await raw.end();
    assert.doesNotMatch(raw.received.toString("latin1"), /HTTP\/1\.1/, "what followed was taken for a request");
  }));

const smuggled = () => get("/request?smuggled=1");

describe("smuggling", () => {
  const chunked = "Transfer-Encoding: chunked\r\n";
  const body = "0\r\n\r\n";
  refused("two different lengths", () => post("/echo", "Content-Length: 5\r\nContent-Length: 6\r\n", `hello${smuggled()}`), 400);
  refused("two equal lengths", () => post("/echo", "Content-Length: 5\r\nContent-Length: 5\r\n", `hello${smuggled()}`), 400);
  refused("a list of lengths", () => post("/echo", "Content-Length: 5, 5\r\n", `hello${smuggled()}`), 400);
  for (const value of ["-1", "+5", "5a", "0x5", " ", "5 5", "99999999999999999999"]) {
    refused(`a length of "${value}"`, () => post("/echo", `Content-Length: ${value}\r\n`, `hello${smuggled()}`), [400, 413]);
  }
  refused("a length with chunked", () => post("/echo", `Content-Length: 5\r\n${chunked}`, body + smuggled()), 400);
  refused("chunked with a length after it", () => post("/echo", `${chunked}Content-Length: 5\r\n`, body + smuggled()), 400);
  refused("chunked twice", () => post("/echo", chunked + chunked, body + smuggled()), 400);
  for (const value of ["identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "xchunked", "chunked;q=1", "\x0bchunked", ""]) {
    refused(`Transfer-Encoding: ${JSON.stringify(value)}`, () => post("/echo", `Transfer-Encoding: ${value}\r\n`, body + smuggled()), [400, 501]);
  }
  refused("chunked in an HTTP/1.0 request", () => post("/echo", chunked, body + smuggled()).replace("HTTP/1.1", "HTTP/1.0"), 400);
  for (const size of ["", "G", "-1", "0x1", "+1", "1 ", " 1", "fffffffffffffffff", "1\n"]) {
    refused(`a chunk size of ${JSON.stringify(size)}`, () => post("/whole", chunked, `${size}\r\na\r\n0\r\n\r\n${smuggled()}`), [400, 413]);
  }
  refused("a chunk longer than its size", () => post("/whole", chunked, `1\r\nab\r\n0\r\n\r\n${smuggled()}`), 400);
  refused("a chunk ended by a bare LF", () => post("/whole", chunked, `1\r\na\n0\r\n\r\n${smuggled()}`), 400);
  refused("a chunk size ended by a bare LF", () => post("/whole", chunked, `1\na\r\n0\r\n\r\n${smuggled()}`), 400);
  refused("a bare LF after the request line", () => `GET / HTTP/1.1\nHost: ${host}\r\n\r\n${smuggled()}`, 400);
  refused("a bare LF after a header", () => `GET / HTTP/1.1\r\nHost: ${host}\nX: 1\r\n\r\n${smuggled()}`, 400);
  refused("a bare CR in a header", () => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: a\rb\r\n\r\n${smuggled()}`, 400);
  refused("a folded header", () => get("/", "X: a\r\n b\r\n") + smuggled(), 400);
  refused("a space before the colon", () => get("/", "X : a\r\n") + smuggled(), 400);
  refused("a header without a colon", () => get("/", "nonsense\r\n") + smuggled(), 400);
  refused("an empty header name", () => get("/", ": a\r\n") + smuggled(), 400);
  refused("a NUL in a header", () => get("/", "X: a\0b\r\n") + smuggled(), 400);
  refused("a duplicate Host", () => get("/", `Host: ${host}\r\n`) + smuggled(), 400);
  refused("no Host", () => `GET / HTTP/1.1\r\n\r\n${smuggled()}`, 400);
  refused("a Host that is none", () => `GET / HTTP/1.1\r\nHost: a b\r\n\r\n${smuggled()}`, 400);
  refused("a method that is no token", () => `GE(T / HTTP/1.1\r\nHost: ${host}\r\n\r\n${smuggled()}`, 400);
  refused("a target with a space", () => `GET /a b HTTP/1.1\r\nHost: ${host}\r\n\r\n${smuggled()}`, 400);
  refused("another version", () => get("/", "", "HTTP/2.0") + smuggled(), [400, 505]);
  refused("no version", () => `GET /\r\n\r\n${smuggled()}`, 400);
  refused("TLS on a plain port", () => Buffer.from("16030100a5010000a10303", "hex"), 400, { timeoutMs: 20_000 });
});

describe("limits", () => {
  refused("a head over 64 KiB is 431", () => get("/", `X: ${"a".repeat(70_000)}\r\n`), 431);
  refused("many headers over 64 KiB are 431", () => get("/", "X-Header: value\r\n".repeat(6_000)), 431);
  test("a head of 60 KiB is served", withSocket(async (raw) => {
    raw.write(get("/", `X: ${"a".repeat(60_000)}\r\n`));
    assert.equal((await raw.response()).status, 200);
  }));
  refused("a body announced over 100 MiB is 413, before it is sent", () => post("/whole", `Content-Length: ${101 * 1024 * 1024}\r\n`), 413);
  test("a client that sends half a head and stops is 408", { ...hearthOnly, timeout: 40_000 }, withSocket(async (raw) => {
    raw.write("GET / HTTP/1.1\r\nHost: x\r\n");
    const answer = await raw.response({ timeoutMs: 25_000 });
    assert.equal(answer?.status, 408);
    await raw.end();
  }));
  test("a client that drips its head is 408 as well", { ...hearthOnly, timeout: 40_000 }, withSocket(async (raw) => {
    const timer = setInterval(() => raw.ended || raw.write("X-Drip: 1\r\n"), 1_000);
    raw.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n`);
    try {
      assert.equal((await raw.response({ timeoutMs: 25_000 }))?.status, 408);
    } finally {
      clearInterval(timer);
    }
  }));
});

describe("the WebSocket handshake", () => {
  const path = "/room/handshake?user=h";
  const asks = (name, headers, status, check = () => {}, options = {}) =>
    test(name, hearthOnly, async () => {
      const { raw, response } = await RawWebSocket.ask(target.port, path, headers, options);
      raw.destroy();
      assert.ok([status].flat().includes(response?.status), `answered ${response?.status}: ${response?.body}`);
      check(response);
    });
  test("names its accept value by section 4.2.2", async () => (await RawWebSocket.open(target.port, path)).destroy());
  asks("takes any case, and more options of Connection", { Upgrade: "WebSocket", Connection: "keep-alive, upgrade" }, 101);
  asks("of another version is told the right one", { "Sec-WebSocket-Version": "8" }, 426, (response) => {
    assert.match(response.headers.get("sec-websocket-version") ?? "", /\b13\b/);
  });
  asks("without a version", { "Sec-WebSocket-Version": undefined }, [400, 426]);
  asks("without a key", { "Sec-WebSocket-Key": undefined }, 400);
  asks("with a key that is not 16 bytes", { "Sec-WebSocket-Key": "c2hvcnQ=" }, 400);
  asks("with a key that is not base64", { "Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!==" }, 400);
  asks("by POST", { "Content-Length": "0" }, [400, 405], () => {}, { method: "POST" });
});
