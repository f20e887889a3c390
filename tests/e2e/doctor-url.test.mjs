// `hearth doctor --url`: a real server behind real proxies that do to it what proxies do, each found
// by its code.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTcpServer, connect } from "node:net";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";

import { temporaryFolder } from "../lib/folders.mjs";
import { kHearth, kProjects } from "../lib/paths.mjs";
import { recipeProject } from "../lib/recipes.mjs";
import { onHearth, start, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "hearth looks at hearth" };
const kConfig = join(kProjects, "seed/wrangler.pascal.jsonc");
let target;
before(async () => { if (onHearth) target = await start("seed", { config: "wrangler.pascal.jsonc" }); });
after(() => target?.stop());

/** Without waiting for it: the proxies run in this process. */
function doctor(url, args = [], { env = {}, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(kHearth, ["doctor", "--json", "--url", url, ...args], { cwd, env: { ...process.env, ...env } });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text) => { stdout += text; });
    child.on("close", (status) => {
      try { resolve({ status, ...JSON.parse(stdout) }); } catch { reject(new Error(`it printed ${stdout}`)); }
    });
  });
}
const codes = (found) => found.findings.map(({ code }) => code);
const project = ["-c", kConfig];

/** Listens on a free port; closed, with all its connections, when the test ends. */
async function listening(t, server) {
  const open = new Set();
  server.on("connection", (socket) => { open.add(socket); socket.on("error", () => {}); socket.on("close", () => open.delete(socket)); });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => { for (const socket of open) socket.destroy(); server.close(); });
  return server.address().port;
}

/** A proxy that changes the request's head, given as its lines, and passes everything else on. */
async function proxy(t, change, { idleMs = 0, server = (handler) => createTcpServer(handler) } = {}) {
  const port = await listening(t, server((client) => {
    client.on("error", () => {});
    client.once("data", (data) => {
      const [head, ...rest] = data.toString("latin1").split("\r\n\r\n");
      const upstream = connect(target.port, "127.0.0.1");
      upstream.on("error", () => client.destroy());
      upstream.write(Buffer.from([change(head.split("\r\n")).join("\r\n"), ...rest].join("\r\n\r\n"), "latin1"));
      client.pipe(upstream);
      upstream.pipe(client);
      t.after(() => upstream.destroy());
      if (idleMs > 0 && /^upgrade:/im.test(head)) setTimeout(() => { client.destroy(); upstream.destroy(); }, idleMs);
    });
  }));
  return `http://127.0.0.1:${port}`;
}
const without = (...names) => (lines) => lines.filter((line) => !names.some((name) => line.toLowerCase().startsWith(`${name}:`)));

/** A port of TLS that answers those who speak plain HTTP, as Caddy and nginx do. */
async function tellsPlainClients(t, secure) {
  const server = createTcpServer((client) => client.once("data", (data) => {
    client.on("error", () => {});
    if (data[0] !== 0x16) return client.end("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
    const inner = connect(Number(new URL(secure).port), "127.0.0.1", () => inner.write(data));
    inner.on("error", () => client.destroy());
    client.pipe(inner).pipe(client);
  }));
  t.after(() => server.close());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

describe("from outside", suite, () => {
  test("a server without anything before it is well, and says what was seen", async () => {
    const found = await doctor(target.url, project);
    assert.deepEqual([found.status, found.findings], [0, []]);
    assert.match(found.notes.join("\n"), /\/agents\/coder-agent\/hearth-doctor opens a WebSocket/);
    assert.match(found.notes.join("\n"), /cannot read.*without Access-Control-Allow-Origin/);
  });

  test("without a configuration the URL of an agent is enough", async () => {
    const cwd = temporaryFolder("hearth-outside-");
    const found = await doctor(`${target.ws}/agents/coder-agent/mine`, [], { cwd });
    assert.deepEqual([found.status, found.findings], [0, []]);
    const unknown = await doctor(`${target.url}/agents/nobody/mine`, [], { cwd });
    assert.deepEqual([unknown.status, codes(unknown)], [1, ["R401"]]);
    const only = await doctor(target.url, [], { cwd });
    assert.match(only.notes.join(), /give the URL of an agent/);
  });

  test("P501: nobody listens, or the name has no address", async () => {
    const server = createTcpServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    const found = await doctor(`http://127.0.0.1:${port}`, project);
    assert.deepEqual([found.status, codes(found)], [1, ["P501"]]);
    assert.match(found.findings[0].message, /refused/);
    const nameless = await doctor("http://no-such-name.invalid", project);
    assert.deepEqual(codes(nameless), ["P501"]);
    assert.match(nameless.findings[0].message, /the name no-such-name\.invalid has no address/);
  });

  test("P503: something that is not HTTP, or never answers", async (t) => {
    const port = await listening(t, createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9\r\n")));
    assert.deepEqual(codes(await doctor(`http://127.0.0.1:${port}`, project)), ["P503"]);
    const silent = await listening(t, createTcpServer(() => {}));
    const found = await doctor(`http://127.0.0.1:${silent}`, project);
    assert.deepEqual(codes(found), ["P503"]);
    assert.match(found.findings[0].message, /took too long/);
  });

  test("P504: a proxy that takes Upgrade away", async (t) => {
    const found = await doctor(await proxy(t, without("upgrade", "connection")), project);
    assert.deepEqual([found.status, codes(found)], [1, ["P504"]]);
    assert.match(JSON.stringify(found.findings[0]), /proxy_set_header Upgrade \$http_upgrade/);
    assert.match(found.findings[0].cure, /reverse_proxy/, "and Caddy's lines");
  });

  test("P504: one that passes Upgrade on, but not Connection", async (t) => {
    const found = await doctor(await proxy(t, without("connection")), project);
    assert.deepEqual(codes(found), ["P504"]);
    assert.match(found.findings[0].message, /Connection: Upgrade/);
  });

  test("P504: one that takes away every header of the handshake, so that it looks like a plain request", async (t) => {
    const found = await doctor(await proxy(t, without("upgrade", "connection", "sec-websocket-key", "sec-websocket-version")), project);
    assert.deepEqual(codes(found), ["P504"]);
    assert.match(found.findings[0].message, /as a plain request is/);
  });

  test("P505: a proxy that speaks HTTP/1.0", async (t) => {
    const found = await doctor(await proxy(t, (lines) => [lines[0].replace("HTTP/1.1", "HTTP/1.0"), ...lines.slice(1)]), project);
    assert.deepEqual(codes(found), ["P505"]);
    assert.match(found.findings[0].cure, /proxy_http_version 1\.1/);
  });

  test("P506: a server that is not the one that is meant", async (t) => {
    const port = await listening(t, createHttpServer((request, response) => response.writeHead(request.headers.upgrade ? 502 : 200).end("bad gateway")).on("upgrade", (request, socket) => socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\nbad gateway")));
    const found = await doctor(`http://127.0.0.1:${port}`, project);
    assert.deepEqual(codes(found), ["P506"]);
    assert.match(found.findings[0].message, /is answered 502 instead of 101: bad gateway/);
  });

  test("P506: a server whose errors look like hearth's, and one that hangs up on a handshake", async (t) => {
    const body = JSON.stringify({ error: { code: 403, message: "no such site" } });
    const other = await listening(t, createHttpServer((_, response) => response.end("ok")).on("upgrade", (_, socket) => socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`)));
    const found = await doctor(`http://127.0.0.1:${other}`, project);
    assert.deepEqual([found.status, codes(found)], [1, ["P506"]]);
    assert.match(found.findings[0].message, /answered 403 instead of 101.*no such site/);
    const rude = await listening(t, createHttpServer((_, response) => response.end("ok")).on("upgrade", (_, socket) => socket.destroy()));
    const cut = await doctor(`http://127.0.0.1:${rude}`, project);
    assert.deepEqual(codes(cut), ["P506"]);
    assert.match(cut.findings[0].message, /got no answer/);
  });

  test("P507: a handshake that is answered from a cache", async (t) => {
    const port = await listening(t, createHttpServer((_, response) => response.end("ok")).on("upgrade", (_, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")));
    assert.deepEqual(codes(await doctor(`http://127.0.0.1:${port}`, project)), ["P507"]);
  });

  test("P508: an idle socket that is cut, and one that is not, with the pings that came", async (t) => {
    const found = await doctor(await proxy(t, (lines) => lines, { idleMs: 2_500 }), [...project, "--idle", "6"]);
    assert.deepEqual(codes(found), ["P508"]);
    assert.match(found.findings[0].message, /was cut after [1-9] s with 1006/);
    const pinging = await start("seed", { config: "wrangler.pascal.jsonc", args: ["--ping", "1"] });
    t.after(() => pinging.stop());
    const well = await doctor(pinging.url, [...project, "--idle", "3"]);
    assert.deepEqual(codes(well), []);
    assert.match(well.notes.join(), /stayed open for 3 s, with [1-3] pings?/);
  });

  test("P509: a proxy that gives the server another Host", async (t) => {
    const guarded = await start("seed", { config: "wrangler.pascal.jsonc", args: ["--allow-origin", "https://app.example.com"] });
    t.after(() => guarded.stop());
    const before = target;
    target = guarded;
    try {
      const url = await proxy(t, (lines) => lines.map((line) => line.replace(/^Host: .*/, "Host: backend:8787")));
      assert.deepEqual(codes(await doctor(url, project)), ["P509"]);
      assert.deepEqual(codes(await doctor(await proxy(t, (lines) => lines), project)), [], "and none when it passes it on");
    } finally {
      target = before;
    }
  });

  test("P510: a page that is meant to reach the agents and may not", async (t) => {
    const guarded = await start("seed", { config: "wrangler.pascal.jsonc", args: ["--allow-origin", "https://app.example.com"] });
    t.after(() => guarded.stop());
    const refused = await doctor(guarded.url, [...project, "--origin", "https://other.example.com"]);
    assert.equal(refused.status, 1);
    assert.deepEqual(codes(refused), ["P510", "P510"]);
    assert.match(refused.findings[0].message, /may open no WebSocket.*the header Origin says/);
    const allowed = await doctor(guarded.url, [...project, "--origin", "https://app.example.com"]);
    assert.deepEqual([allowed.status, codes(allowed)], [0, ["P510"]], "CORS by itself is a warning");
  });

  test("a worker that asks for credentials keeps its own code", async (t) => {
    const guarded = await startFor(t, recipeProject("docs/authorization.md", "guarded", "token"), { vars: { AGENT_TOKEN: "let-me-in" } });
    const cwd = temporaryFolder("hearth-outside-");
    const found = await doctor(`${guarded.url}/agents/notes/mine`, [], { cwd });
    assert.deepEqual([found.status, codes(found)], [1, ["R410"]]);
    assert.match(found.findings[0].message, /the token is missing or wrong/);
  });

  test("P511: a redirect", async (t) => {
    const port = await listening(t, createHttpServer((_, response) => response.writeHead(301, { Location: "https://agents.example.com/" }).end()).on("upgrade", (_, socket) => socket.end("HTTP/1.1 301 Moved\r\nLocation: https://agents.example.com/\r\nContent-Length: 0\r\n\r\n")));
    const found = await doctor(`http://127.0.0.1:${port}`, project);
    assert.deepEqual(codes(found), ["P511"]);
    assert.match(found.findings[0].message, /https:\/\/agents\.example\.com\//);
  });

  test("what is no URL is said to be none", async () => {
    const cwd = temporaryFolder("hearth-outside-");
    const found = await doctor("127.0.0.1:8787", [], { cwd });
    assert.equal(found.status, 2);
    assert.match(found.notes.join(), /write http:\/\/ or https:\/\/ before it/);
  });
});

describe("TLS", suite, () => {
  const folder = temporaryFolder("hearth-tls-");
  function certificate(name, days, altName) {
    const key = join(folder, `${name}.key`);
    const cert = join(folder, `${name}.pem`);
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", String(days), "-subj", `/CN=${name}`, "-addext", `subjectAltName=${altName}`], { stdio: "ignore" });
    return { key: readFileSync(key), cert: readFileSync(cert), file: cert };
  }
  const tlsProxy = async (t, pair) => (await proxy(t, (lines) => lines, { server: (handler) => createTlsServer(pair, handler) })).replace("http:", "https:");

  test("a certificate that is trusted and of this name is well", async (t) => {
    const pair = certificate("well", 2, "IP:127.0.0.1");
    const found = await doctor(await tlsProxy(t, pair), project, { env: { SSL_CERT_FILE: pair.file } });
    assert.deepEqual(found.findings, []);
    assert.match(found.notes.join(), /opens a WebSocket/);
  });

  test("P502: nobody has signed it, or it is for another name; the rest is looked at all the same", async (t) => {
    const self = await doctor(await tlsProxy(t, certificate("self", 2, "IP:127.0.0.1")), project);
    assert.deepEqual([self.status, codes(self)], [1, ["P502"]]);
    assert.match(self.findings[0].message, /self.signed/);
    assert.match(self.notes.join(), /opens a WebSocket/);
    const pair = certificate("other", 2, "DNS:other.example.com");
    const other = await doctor(await tlsProxy(t, pair), project, { env: { SSL_CERT_FILE: pair.file } });
    assert.match(other.findings[0].message, /it is not for 127\.0\.0\.1/);
  });

  test("P502 and P503: the wrong one of http and https", async (t) => {
    const plain = await doctor(target.url.replace("http:", "https:"), project);
    assert.deepEqual(codes(plain), ["P502"]);
    assert.match(plain.findings[0].message, /speaks plain HTTP: write http:\/\//);
    const secure = await doctor((await tlsProxy(t, certificate("both", 2, "IP:127.0.0.1"))).replace("https:", "http:"), project);
    assert.deepEqual(codes(secure), ["P503"]);
    assert.match(secure.findings[0].message, /speaks TLS: write https:\/\//);
    const told = await doctor(await tellsPlainClients(t, await tlsProxy(t, certificate("both", 2, "IP:127.0.0.1"))), project);
    assert.deepEqual(codes(told), ["P503"]);
    assert.match(told.findings[0].message, /answered 400 without TLS, and the port speaks TLS: write https:\/\//);
  });
});

