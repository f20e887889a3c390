// docs/authorization.md, recipe by recipe: real servers, the SDK's client, and by hand what a browser
// would send. Its half in Chromium is browser-origins.test.mjs.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import WebSocket from "ws";

import { importFromProjects } from "../lib/agent-client.mjs";
import { Socket, http } from "../lib/clients.mjs";
import { kHearth } from "../lib/paths.mjs";
import { RawWebSocket } from "../lib/raw-websocket.mjs";
import { recipeProject } from "../lib/recipes.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

const kDocument = "docs/authorization.md";
const { AgentClient } = await importFromProjects("agents/client");

const serverOf = (t, name, options = {}) => startFor(t, recipeProject(kDocument, "guarded", name), options);
const from = (origin) => ({ headers: { Origin: origin } });

/** Opens a socket and says how it ended: the frame that came, the close code and its reason. */
async function refusal(url, options) {
  const socket = await Socket.connect(url, [], options);
  const frame = JSON.parse(await socket.next());
  return { frame, ...(await socket.closed) };
}

/** The SDK's client until it is ready or gives up: {ready} or {code, reason}; and how often it tried. */
async function sdk(t, target, options) {
  let attempts = 0;
  class Counted extends WebSocket {
    constructor(...args) { super(...args); attempts += 1; }
  }
  const client = new AgentClient({ host: target.host, protocol: "ws", agent: "Notes", WebSocket: Counted, ...options });
  t.after(() => client.close());
  const end = await Promise.race([
    client.ready.then(() => ({ ready: true })),
    new Promise((resolve) => client.addEventListener("close", ({ code, reason }) => resolve({ code, reason }))),
  ]);
  return { ...end, client, attempts: () => attempts };
}

describe("--allow-origin", hearthOnly, () => {
  test("in serve every page may ask, as at Cloudflare", async (t) => {
    const target = await serverOf(t, "cors");
    assert.equal((await http(`${target.url}/agents/notes/a`, from("https://anywhere.example"))).status, 200);
    (await Socket.connect(`${target.ws}/agents/notes/a`, [], from("https://anywhere.example"))).close();
  });

  test("in dev this machine's pages may, and others are told which option lets them", async (t) => {
    const target = await serverOf(t, "cors", { command: "dev" });
    for (const origin of ["http://localhost:5173", "http://127.0.0.1:3000", target.url]) {
      assert.equal((await http(`${target.url}/agents/notes/a`, from(origin))).status, 200, origin);
      (await Socket.connect(`${target.ws}/agents/notes/a`, [], from(origin))).close();
    }
    const { frame, code, reason } = await refusal(`${target.ws}/agents/notes/a`, from("https://evil.example"));
    assert.equal(code, 4403);
    assert.match(reason, /^R410: the header Origin says "https:\/\/evil\.example"/);
    assert.equal(frame.code, "R410");
    assert.match(frame.fix, /--allow-origin https:\/\/evil\.example/);
    const plain = await http(`${target.url}/agents/notes/a`, { method: "POST", body: "x", ...from("https://evil.example") });
    assert.equal(plain.status, 403);
    assert.equal(plain.json().error.code, "R410");
    assert.equal(plain.headers["access-control-allow-origin"], "*", "the page can read why");
    await target.child.line(/R410 the header Origin says "https:\/\/evil\.example"/);
    const notes = await http(`${target.url}/agents/notes/a`);
    assert.deepEqual(notes.json().notes, [], "what was refused did not reach the agent");
  });

  test("what is named may, in serve that alone, and a client that is no browser in any case", async (t) => {
    const target = await serverOf(t, "cors", { args: ["--allow-origin", "https://*.example.com", "--allow-origin", "http://box:*"] });
    const status = async (origin) => (await http(`${target.url}/agents/notes/a`, from(origin))).status;
    assert.equal(await status("https://app.example.com"), 200);
    assert.equal(await status("http://box:9"), 200);
    assert.equal(await status(target.url), 200, "its own pages");
    assert.equal((await http(`${target.url}/agents/notes/a`)).status, 200, "no Origin");
    for (const origin of ["http://app.example.com", "https://example.com", "http://localhost:5173", "null"]) assert.equal(await status(origin), 403, origin);
    const { frame, code } = await refusal(`${target.ws}/agents/notes/a`, from("null"));
    assert.equal(code, 4403);
    assert.match(frame.error, /Origin says "null"/, "in production too: it is the client's own header");
  });

  test("the SDK's client does not try again", async (t) => {
    const target = await serverOf(t, "cors", { args: ["--allow-origin", "https://app.example.com"] });
    let attempts = 0;
    class FromElsewhere extends WebSocket {
      constructor(url, protocols) { super(url, protocols, { origin: "https://evil.example" }); attempts += 1; }
    }
    const errors = [];
    const { code } = await sdk(t, target, { name: "a", WebSocket: FromElsewhere, onConnectionError: (error) => errors.push(error.message) });
    assert.equal(code, 4403);
    assert.match(errors.join(), /R410: the header Origin says/);
    assert.equal(attempts, 1);
  });

  test("a wrong ORIGIN is refused with what is wrong", () => {
    const run = spawnSync(kHearth, ["serve", "--allow-origin", "app.example.com"], { encoding: "utf8" });
    assert.equal(run.status, 2);
    assert.match(run.stderr, /"app\.example\.com" is no origin.*https:\/\/app\.example\.com/);
  });
});

test("cors: the preflight is answered, and every answer may be read", async (t) => {
  const target = await serverOf(t, "cors");
  const preflight = await http(`${target.url}/agents/notes/a`, { method: "OPTIONS", headers: { Origin: "https://app.example.com", "Access-Control-Request-Method": "POST" } });
  assert.equal(preflight.status, 200);
  assert.equal(preflight.headers["access-control-allow-origin"], "*");
  assert.equal(preflight.headers["access-control-allow-headers"], "*");
  const answer = await http(`${target.url}/agents/notes/a`, from("https://app.example.com"));
  assert.equal(answer.headers["access-control-allow-origin"], "*");
});

test("token: with it in, without it out, over HTTP and WebSocket", async (t) => {
  const target = await serverOf(t, "token", { vars: { AGENT_TOKEN: "let-me-in" } });
  const url = `${target.url}/agents/notes/mine`;
  const without = await http(url);
  assert.equal(without.status, 401);
  assert.equal(without.text, "the token is missing or wrong");
  assert.equal((await http(url, { headers: { Authorization: "Bearer wrong" } })).status, 401);
  assert.equal((await http(url, { headers: { Authorization: "Bearer let-me-in" } })).status, 200);

  const inside = await sdk(t, target, { name: "mine", query: { token: "let-me-in" } });
  assert.equal(inside.ready, true);
  assert.equal(await inside.client.call("note", ["first"]), 1);

  const outside = await sdk(t, target, { name: "mine", query: { token: "wrong" } });
  assert.equal(outside.code, 4401);
  assert.match(outside.reason, /^R410: .*401.*the token is missing or wrong/, "its own words, in production too");
  assert.equal(outside.attempts(), 1);
  assert.deepEqual((await http(url, { headers: { Authorization: "Bearer let-me-in" } })).json().notes, ["first"]);
});

test("owner: a user reaches his own agent and no other", async (t) => {
  const target = await serverOf(t, "owner", { vars: { SESSION_KEY: "k3y" } });
  const cookie = (user) => `theme=dark; session=${user}.${createHmac("sha256", "k3y").update(user).digest("hex")}`;
  const ask = async (name, Cookie) => (await http(`${target.url}/agents/notes/${name}`, { headers: Cookie ? { Cookie } : {} })).status;
  assert.equal(await ask("ann", cookie("ann")), 200);
  assert.equal(await ask("ann", cookie("bob")), 403);
  assert.equal(await ask("ann"), 401);
  assert.equal(await ask("ann", `session=ann.${"0".repeat(64)}`), 401, "a signature of nobody");
  (await Socket.connect(`${target.ws}/agents/notes/ann`, [], { headers: { Cookie: cookie("ann") } })).close();
  const { code, reason } = await refusal(`${target.ws}/agents/notes/ann`, { headers: { Cookie: cookie("bob") } });
  assert.equal(code, 4403);
  assert.match(reason, /this agent is not yours/);
});

describe("a handshake that cannot be", hearthOnly, () => {
  const told = async (t, headers, options) => {
    const target = await serverOf(t, "cors");
    const { raw, response } = await RawWebSocket.ask(target.port, "/agents/notes/a", headers, options);
    raw.destroy();
    return { ...JSON.parse(response.body).error, status: response.status, headers: response.headers };
  };
  test("of another version is told the right one", async (t) => {
    const { code, status, message, headers, fix, docs } = await told(t, { "Sec-WebSocket-Version": "8" });
    assert.deepEqual([code, status, headers.get("sec-websocket-version")], ["R410", 426, "13"]);
    assert.match(fix, /Correct the header/, "the catalogue's cure");
    assert.match(docs, /diagnostics\.md#r410$/);
    assert.match(message, /Sec-WebSocket-Version: 13, not 8/);
  });
  test("without Connection: Upgrade", async (t) => {
    const { code, status, message } = await told(t, { Connection: "keep-alive" });
    assert.deepEqual([code, status], ["R410", 400]);
    assert.match(message, /Connection: Upgrade.*nginx: proxy_set_header Connection upgrade/);
  });
  test("of which a proxy took Upgrade away", async (t) => {
    const { code, status, message, headers } = await told(t, { Upgrade: undefined, Connection: "close" });
    assert.deepEqual([code, status, headers.get("upgrade")], ["R410", 426, "websocket"]);
    assert.match(message, /a proxy in between took it away.*proxy_set_header Upgrade/);
  });
  test("that came as HTTP/1.0", async (t) => {
    const { code, status, message, headers } = await told(t, {}, { version: "HTTP/1.0" });
    assert.deepEqual([code, status, headers.get("upgrade")], ["R410", 426, "websocket"]);
    assert.match(message, /proxy_http_version 1\.1/);
  });
});

test("plain HTTP to an agent without onRequest is the SDK's own 404", async (t) => {
  const target = await startFor(t, "page");
  const answer = await http(`${target.url}/agents/counter/plain`);
  assert.equal(answer.status, 404);
  assert.equal(answer.text, "Not implemented");
});
