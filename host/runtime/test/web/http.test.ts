// Request and Response beside Node's own on the same cases, then what only the platform does. The
// platform's side was read from workerd with the same expressions.
import { test } from "node:test";
import assert from "node:assert/strict";
import { Headers } from "../../src/web/headers.ts";
import { Request, abortRequest, makeRequest, takeRequest } from "../../src/web/request.ts";
import { Response, isResponse, makeResponse, takeResponse } from "../../src/web/response.ts";
import { WebSocketPair } from "../../src/web/websocket.ts";
import { FixedLengthStream } from "../../src/web/streams.ts";
import { failedWith, outcome, plain, streamOf } from "./support.ts";
import { gunzipSync, brotliDecompressSync } from "node:zlib";

interface Classes { Request: any; Response: any; Headers: any }
const ours: Classes = { Request, Response, Headers };
const nodes: Classes = { Request: globalThis.Request, Response: globalThis.Response, Headers: globalThis.Headers };

function form(): FormData {
  const data = new FormData();
  data.append("a", "1");
  data.append("a", "zwei é");
  data.append("f", new File(["file's text"], "n.txt", { type: "text/plain" }));
  return data;
}
async function flatten(data: FormData): Promise<unknown> {
  return Promise.all([...data].map(async ([name, value]) => typeof value === "string" ? [name, value] : [name, value.name, value.type, await value.text()]));
}
const bodies: Record<string, () => any> = {
  "a string": () => "héllo",
  "an empty string": () => "",
  "a lone surrogate": () => "a\ud800b",
  "bytes": () => new Uint8Array([1, 2, 255]),
  "an ArrayBuffer": () => new Uint8Array([104, 105]).buffer,
  "a view": () => new Uint16Array([0x6968, 0x21]).subarray(0, 1),
  "a Blob": () => new Blob(["bl", "ob"], { type: "text/x-own" }),
  "a Blob without type": () => new Blob(["b"]),
  "URLSearchParams": () => new URLSearchParams({ a: "1 2", b: "é" }),
  "a stream": () => streamOf("str", "eam"),
  "nothing": () => null,
  "a number": () => 5,
};
const readers: Record<string, (message: any) => Promise<unknown>> = {
  text: (message) => message.text(),
  arrayBuffer: (message) => message.arrayBuffer(),
  bytes: (message) => message.bytes(),
  blob: async (message) => {
    const blob = await message.blob();
    return [blob.size, blob.type, await blob.text()];
  },
  json: (message) => message.json(),
  stream: async (message) => {
    if (message.body === null) return null;
    const chunks: number[] = [];
    for await (const chunk of message.body) chunks.push(...chunk);
    return chunks;
  },
  clone: async (message) => {
    const copy = message.clone();
    return [await copy.text(), await message.text(), copy.bodyUsed, message.bodyUsed];
  },
};

for (const [body, make] of Object.entries(bodies)) {
  for (const [reader, read] of Object.entries(readers)) {
    test(`as Node's: a Response of ${body}, read as ${reader}`, async () => {
      const run = async ({ Response }: Classes) => {
        const response = new Response(make());
        const type = response.headers.get("content-type");
        const before = response.bodyUsed;
        const result = await outcome(() => read(response));
        return [type, before, result, response.bodyUsed, await outcome(() => response.text())];
      };
      const [left, right] = [plain(await run(ours)), plain(await run(nodes))];
      assert.deepEqual(left, right);
    });
  }
}

const sameCases: Record<string, (classes: Classes) => unknown> = {
  "multipart there and back": async ({ Response }) => flatten(await new Response(form()).formData()),
  "multipart in a Request": async ({ Request }) => flatten(await new Request("http://h", { method: "POST", body: form() }).formData()),
  "a cloned form": async ({ Response }) => {
    const response = new Response(form());
    const copy = response.clone();
    return [await flatten(await copy.formData()), await flatten(await response.formData())];
  },
  "urlencoded": async ({ Response }) => [...await new Response(new URLSearchParams("a=1&b=%20x&a=2")).formData()],
  "formData of text is a TypeError": ({ Response }) => new Response("a").formData(),
  "a truncated multipart is a TypeError": ({ Response }) =>
    new Response("--x\r\nbroken", { headers: { "content-type": "multipart/form-data; boundary=x" } }).formData(),
  "broken JSON is a SyntaxError": ({ Response }) => new Response("{a").json(),
  "a stream of strings is a TypeError": ({ Response }) =>
    new Response(new ReadableStream({ start(c) { c.enqueue("text"); c.close(); } })).text(),
  "reading a stream that fails so is a RangeError": ({ Response }) => new Response(new ReadableStream({ start(c) { c.error(new RangeError("x")); } })).text(),
  "a locked stream is a TypeError": ({ Response }) => {
    const stream = streamOf("x");
    stream.getReader();
    return new Response(stream);
  },
  "a locked body is a TypeError": ({ Response }) => {
    const response = new Response("x");
    response.body.getReader();
    return response.text();
  },
  "body is the same stream each time": ({ Response }) => {
    const response = new Response("x");
    return [response.body === response.body, response.body instanceof ReadableStream, response.body.locked];
  },
  "the body's stream gives bytes to a BYOB reader": async ({ Response }) => {
    const reader = new Response("hello").body.getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(3));
    return value;
  },
  "a partly read body is used": async ({ Response }) => {
    const response = new Response("abc");
    const reader = response.body.getReader();
    await reader.read();
    reader.releaseLock();
    return [response.bodyUsed, await outcome(() => response.text())];
  },
  "clone after reading is a TypeError": async ({ Response }) => {
    const response = new Response("a");
    await response.text();
    return response.clone();
  },
  "bytes are copied when they are given": async ({ Response }) => {
    const bytes = new Uint8Array([1, 2]);
    const response = new Response(bytes);
    bytes[0] = 9;
    return response.bytes();
  },
  "two copies do not share their bytes": async ({ Response }) => {
    const response = new Response(new Uint8Array([1, 2]));
    const copy = response.clone();
    (await copy.bytes())[0] = 9;
    return response.bytes();
  },
  "a byte order mark is not text": ({ Response }) => new Response("\ufeffabc").text(),
  "status, statusText and ok": ({ Response }) => [200, 204, 299, 300, 404, 599].map((status) => {
    const response = new Response(null, { status, statusText: "T" });
    return [response.status, response.ok, response.statusText];
  }),
  "defaults": ({ Response }) => {
    const { status, ok, url, redirected, type } = new Response("x");
    return [status, ok, url, redirected, type];
  },
  "status 600 is a RangeError": ({ Response }) => new Response("x", { status: 600 }),
  "status 99 is a RangeError": ({ Response }) => new Response("x", { status: 99 }),
  "101 alone is a RangeError": ({ Response }) => new Response(null, { status: 101 }),
  "a body with 204 is a TypeError": ({ Response }) => new Response("x", { status: 204 }),
  "a body with 304 is a TypeError": ({ Response }) => new Response("x", { status: 304 }),
  "a bad statusText is a TypeError": ({ Response }) => new Response("x", { statusText: "a\nb" }),
  "an own content-type stays": ({ Response }) => new Response("x", { headers: { "Content-Type": "a/b" } }).headers.get("content-type"),
  "a response as init": async ({ Response }) => {
    const response = new Response("b", new Response("a", { status: 201, statusText: "T", headers: { x: "y" } }));
    return [response.status, response.statusText, response.headers.get("x"), await response.text()];
  },
  "Response.json": async ({ Response }) => {
    const response = Response.json({ a: [1, null] }, { status: 201 });
    return [response.status, [...response.headers], await response.text()];
  },
  "Response.json with an own type": ({ Response }) => [...Response.json(1, { headers: { "content-type": "x/y" } }).headers],
  "Response.redirect": ({ Response }) => {
    const response = Response.redirect("http://h/a b", 303);
    return [response.status, response.headers.get("location")];
  },
  "redirect with 200 is a RangeError": ({ Response }) => Response.redirect("http://h/", 200),
  "a change of a redirect's headers is a TypeError": ({ Response }) => Response.redirect("http://h/").headers.set("a", "b"),
  "Response.error": ({ Response }) => [Response.error().status, Response.error().type],
  "methods are normalised": ({ Request }) => ["get", "post", "Put", "delete", "options"].map((method) => new Request("http://h", { method }).method),
  "a bad method is a TypeError": ({ Request }) => new Request("http://h", { method: "a b" }),
  "CONNECT is a TypeError": ({ Request }) => new Request("http://h", { method: "CONNECT" }),
  "a relative URL is a TypeError": ({ Request }) => new Request("/x"),
  "a URL is normalised": ({ Request }) => ["http://H:80/a b?é", "http://h/../x", "http://h"].map((url) => new Request(url).url),
  "a URL object": ({ Request }) => new Request(new URL("http://h/x#y")).url,
  "a body with GET is a TypeError": ({ Request }) => new Request("http://h", { body: "x" }),
  "taking a used body again is a TypeError": async ({ Request }) => {
    const request = new Request("http://h", { method: "POST", body: "x" });
    await request.text();
    return new Request(request);
  },
  "a new body replaces a used one": async ({ Request }) => {
    const request = new Request("http://h", { method: "POST", body: "x" });
    await request.text();
    return new Request(request, { body: "y" }).text();
  },
  "a copy takes the body": async ({ Request }) => {
    const request = new Request("http://h", { method: "POST", body: "x", headers: { a: "b" } });
    const copy = new Request(request);
    return [request.bodyUsed, await copy.text(), copy.headers.get("a"), copy.headers.get("content-type"), copy.method];
  },
  "a copy with other headers": async ({ Request }) => {
    const copy = new Request(new Request("http://h", { method: "POST", body: "x", headers: { a: "b" } }), { headers: { c: "d" } });
    return [copy.headers.get("a"), copy.headers.get("c"), await copy.text()];
  },
  "a request as init": ({ Request }) => {
    const request = new Request("http://y/", new Request("http://h/", { method: "PUT", headers: { a: "b" } }));
    return [request.url, request.method, request.headers.get("a")];
  },
  "clone keeps everything": async ({ Request }) => {
    const request = new Request("http://h/", { method: "POST", body: "q", headers: { a: "b" }, redirect: "manual" });
    const copy = request.clone();
    copy.headers.set("a", "c");
    return [copy.method, copy.redirect, copy.headers.get("a"), request.headers.get("a"), await copy.text(), await request.text()];
  },
  "a signal that aborts": ({ Request }) => {
    const controller = new AbortController();
    const request = new Request("http://h", { signal: controller.signal });
    const copy = new Request(request);
    const before = [request.signal.aborted, copy.signal.aborted];
    controller.abort(new Error("why"));
    return [before, request.signal.aborted, copy.signal.aborted, String(copy.signal.reason)];
  },
  "a signal that is none is a TypeError": ({ Request }) => new Request("http://h", { signal: 5 }),
  "a bad redirect mode is a TypeError": ({ Request }) => new Request("http://h", { redirect: "foo" }),
  "string tags": ({ Request, Response }) => [String(new Request("http://h")), String(new Response())],
};
for (const [name, run] of Object.entries(sameCases)) {
  test(`as Node's: ${name}`, async () => {
    const result = await outcome(() => run(ours));
    assert.deepEqual(result, await outcome(() => run(nodes)));
    assert.equal(/ is an? \w+Error$/.test(name), failedWith(result) !== null);
  });
}

// ---- where the platform differs from Node ------------------------------------------------------------

test("a response without a statusText has its status's", () => {
  assert.deepEqual([200, 404, 503, 599].map((status) => new Response(null, { status }).statusText), ["OK", "Not Found", "Service Unavailable", ""]);
  assert.equal(new Response(null, { statusText: "mine" }).statusText, "mine");
});

const refused = (run: () => unknown, name: string, message: string) => assert.throws(run, { name, message });

test("a stream body needs no duplex", async () => {
  assert.equal(await new Request("http://h", { method: "POST", body: streamOf("a", "b") }).text(), "ab");
  assert.throws(() => new globalThis.Request("http://h", { method: "POST", body: streamOf("a") }));
});
test("an empty string goes with 204, and there is no body", () => {
  assert.equal(new Response("", { status: 204 }).body, null);
  assert.throws(() => new globalThis.Response("", { status: 204 }));
});
test("credentials stay in a request's URL", () => {
  assert.equal(new Request("http://u:p@h/x").url, "http://u:p@h/x");
});
test("cf is kept, and copied with the request", () => {
  const request = new Request("http://h", { cf: { a: 1 } });
  assert.deepEqual([request.cf, new Request(request).cf, request.clone().cf, new Request("http://h").cf], [{ a: 1 }, { a: 1 }, { a: 1 }, undefined]);
  assert.ok("cf" in Request.prototype);
});
test("the texts of errors are the platform's", async () => {
  const response = new Response("a");
  await response.text();
  await assert.rejects(response.text(), { name: "TypeError", message: "Body has already been used. It can only be used once. Use tee() first if you need to read it twice." });
  refused(() => new Response("x", { status: 99 }), "RangeError", "Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
  refused(() => new Response(null, { webSocket: new WebSocketPair()[0] }), "RangeError", "Responses with a WebSocket must have status code 101.");
  refused(() => new Response("x", { status: 204 }), "TypeError", "Response with null body status (101, 204, 205, or 304) cannot have a body.");
  refused(() => new Request("http://h", { body: "x" }), "TypeError", "Request with a GET or HEAD method cannot have a body.");
  refused(() => new Response(null, { status: 101, webSocket: {} as never }), "TypeError",
    "Incorrect type for the 'webSocket' field on 'InitializerDict': the provided value is not of type 'WebSocket'.");
});
test("a 101 carries its WebSocket and cannot be cloned", () => {
  const socket = new WebSocketPair()[0];
  const response = new Response(null, { status: 101, webSocket: socket });
  assert.equal(response.webSocket, socket);
  assert.equal(new Response(null, response).webSocket, socket);
  refused(() => response.clone(), "TypeError", "Cannot clone a response to a WebSocket handshake.");
});
test("a Blob's type keeps to its bytes and a null body can be read again and again", async () => {
  const response = new Response(null);
  assert.deepEqual([await response.text(), await response.text(), response.bodyUsed], ["", "", false]);
});
test("every response is of one class, wherever it came from", () => {
  for (const response of [new Response("x"), makeResponse(200, "", "", "x"), Response.json(1), Response.redirect("http://h/"), new Response("x").clone()]) {
    assert.equal(Object.getPrototypeOf(response), Response.prototype);
    assert.ok(response instanceof Response && isResponse(response));
  }
  class Own extends Response {}
  assert.ok(new Own("x") instanceof Response && isResponse(new Own("x")));
  assert.ok(!isResponse(new globalThis.Response("x")) && !isResponse(null) && !isResponse({}));
});

// ---- the dispatcher's way in and out ------------------------------------------------------------------

test("a request from the core: immutable headers, also on its clone, mutable on a new one", () => {
  const request = makeRequest("GET", "http://h/p?q", "Host\0h\0X-A\x001\0", null);
  assert.deepEqual([request.method, request.url, request.headers.get("x-a"), request.redirect, request.body], ["GET", "http://h/p?q", "1", "manual", null]);
  refused(() => request.headers.set("a", "b"), "TypeError", "Can't modify immutable headers.");
  refused(() => request.clone().headers.set("a", "b"), "TypeError", "Can't modify immutable headers.");
  const copy = new Request(request);
  copy.headers.set("x-a", "2");
  assert.deepEqual([copy.headers.get("x-a"), request.headers.get("x-a")], ["2", "1"]);
  assert.ok(request instanceof Request && Object.getPrototypeOf(request) === Request.prototype);
});
test("a source is opened once, when the body is read, and not before", async () => {
  let opened = 0;
  const open = () => {
    opened += 1;
    return streamOf("from ", "the core");
  };
  const request = makeRequest("POST", "http://h/", "", { open });
  assert.equal(request.bodyUsed, false);
  assert.equal(opened, 0);
  assert.equal(await new Request(request).text(), "from the core");
  assert.equal(opened, 1);
  assert.equal(request.bodyUsed, true);
});
test("the signal aborts when the client leaves, asked for before or after", () => {
  const early = makeRequest("GET", "http://h/", "", null);
  const { signal } = early;
  abortRequest(early, new Error("left"));
  const late = makeRequest("GET", "http://h/", "", null);
  const copy = new Request(late);
  abortRequest(late, new Error("left"));
  for (const one of [signal, late.signal, copy.signal]) assert.equal((one.reason as Error).message, "left");
});
test("a response is taken apart without a stream when its body is plain", () => {
  assert.deepEqual(takeResponse(new Response("hi")), {
    bodyKind: 1, body: "hi", status: 200, statusText: "", headers: "content-type\0text/plain;charset=UTF-8\0", webSocket: null,
  });
  assert.deepEqual(takeResponse(new Response(new Uint8Array([1]), { status: 201, headers: { "X-A": "b" } })), {
    bodyKind: 1, body: new Uint8Array([1]), status: 201, statusText: "", headers: "X-A\0b\0", webSocket: null,
  });
  assert.deepEqual(takeResponse(new Response(null, { status: 304 })), { bodyKind: 0, body: null, status: 304, statusText: "", headers: "", webSocket: null });
  const stream = streamOf("x");
  assert.equal(takeResponse(new Response(stream)).body, stream);
});
test("a response can be taken apart once", () => {
  const response = new Response("x");
  takeResponse(response);
  refused(() => takeResponse(response), "TypeError", "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
  assert.equal(response.bodyUsed, true);
});
test("a network error cannot be sent", () => {
  assert.throws(() => takeResponse(Response.error()), { name: "TypeError", message: /Response\.error\(\)/ });
});
test("a request is taken apart for the next server", () => {
  const parts = takeRequest(new Request("http://h/x", { method: "PUT", body: "q", headers: { a: "b" }, redirect: "manual", cf: { c: 1 } }));
  assert.deepEqual(parts, {
    bodyKind: 1, body: "q", method: "PUT", url: "http://h/x", headers: "a\0b\0content-type\0text/plain;charset=UTF-8\0",
    redirect: "manual", cf: { c: 1 }, signal: null,
  });
});
test("a body is encoded as its headers say, unless it says it is already", async () => {
  const gzip = takeResponse(new Response("hello", { headers: { "Content-Encoding": "gzip" } }));
  assert.equal(gunzipSync(gzip.body as Uint8Array).toString(), "hello");
  const brotli = takeResponse(new Response(streamOf("hel", "lo"), { headers: { "content-encoding": "br" } }));
  const chunks: Uint8Array[] = [];
  for await (const chunk of brotli.body as ReadableStream<Uint8Array>) chunks.push(chunk);
  assert.equal(brotliDecompressSync(Buffer.concat(chunks)).toString(), "hello");
  const manual = takeResponse(new Response("raw", { headers: { "content-encoding": "gzip" }, encodeBody: "manual" }));
  assert.equal(manual.body, "raw");
});
test("a FixedLengthStream gives its response a length", () => {
  const { readable } = new FixedLengthStream(12);
  assert.match(takeResponse(new Response(readable)).headers, /^Content-Length\x0012\0$/);
});
