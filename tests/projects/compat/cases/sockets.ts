// WebSocketPair, the hibernation API as a client sees it, outgoing sockets.
import { failure, until, type Area, type Given } from "../case.ts";

function next(ws: WebSocket): Promise<unknown> {
  return new Promise((done) => {
    ws.addEventListener("message", ({ data }) => done(data), { once: true });
    ws.addEventListener("close", ({ code, reason, wasClean }) => done({ code, reason, wasClean }), { once: true });
  });
}

async function dial(fetcher: { fetch(url: string, init: RequestInit): Promise<Response> }, url: string): Promise<WebSocket> {
  const response = await fetcher.fetch(url, { headers: { Upgrade: "websocket" } });
  const socket = response.webSocket!;
  socket.accept();
  return socket;
}

const object = ({ env }: Given, name = crypto.randomUUID() as string) => env.PROBE.getByName(name);

export const sockets: Area[] = [
  {
    api: "WebSocketPair", cases: {
      "carries text and binary": async () => { const { 0: a, 1: b } = new WebSocketPair(); a.accept(); b.accept(); a.binaryType = "arraybuffer"; const text = next(b); a.send("x"); const seen = [await text]; const binary = next(a); b.send(new Uint8Array([1, 2])); seen.push(await binary); return seen; },
      "closes with code and reason": async () => { const { 0: a, 1: b } = new WebSocketPair(); a.accept(); b.accept(); const end = next(b); a.close(4005, "why"); return end; },
      "keeps what is sent before accept()": async () => { const { 0: a, 1: b } = new WebSocketPair(); a.accept(); a.send("early"); const m = next(b); b.accept(); return m; },
      "send() before accept() is refused": () => failure(() => new WebSocketPair()[0].send("x")),
      "send() after close() is refused": () => { const { 0: a, 1: b } = new WebSocketPair(); a.accept(); b.accept(); a.close(); return failure(() => a.send("x")); },
      "refuses codes that may not be sent": () => Promise.all([999, 1004, 1005, 1006, 1015, 5000].map((code) => failure(() => { const { 0: a } = new WebSocketPair(); a.accept(); a.close(code); }))),
      "refuses a reason without a code, and too long a one": async () => [await failure(() => { const { 0: a } = new WebSocketPair(); a.accept(); a.close(undefined, "x"); }), await failure(() => { const { 0: a } = new WebSocketPair(); a.accept(); a.close(1000, "x".repeat(124)); })],
      "accept() twice is harmless": async () => failure(() => { const { 0: a } = new WebSocketPair(); a.accept(); a.accept(); }),
      "is iterable by Object.values": () => Object.values(new WebSocketPair()).length,
      "states have both kinds of names": () => [WebSocket.OPEN, WebSocket.READY_STATE_OPEN, new WebSocketPair()[0].readyState],
      "has no url, protocol and extensions": () => { const s = new WebSocketPair()[0]; return [s.url, s.protocol, s.extensions]; },
      "hands binary over, unless told otherwise, as": async () => { const { 0: a, 1: b } = new WebSocketPair(); a.accept(); b.accept(); const m = next(b); a.send(new Uint8Array([1])); return Object.prototype.toString.call(await m); },
    },
  },
  {
    api: "Response with a webSocket", cases: {
      "101 without a socket is refused": () => failure(() => new Response(null, { status: 101 })),
      "a socket without 101 is refused": () => failure(() => new Response(null, { status: 200, webSocket: new WebSocketPair()[0] })),
      "reaches the caller of fetch()": async ({ env }) => { const s = await dial(env.SELF, "http://x/socket"); const m = next(s); s.send("a"); const seen = [await m]; const end = next(s); s.send("close"); seen.push(await end); return seen; },
      "what is sent before the 101 arrives": async ({ env }) => { const s = await dial(env.SELF, "http://x/socket?hello"); return next(s); },
    },
  },
  {
    api: "WebSocket (outgoing)", cases: {
      "connects, echoes and closes": async ({ url }) => { const s = new WebSocket(`${url.origin.replace("http", "ws")}/socket`); await new Promise((done) => s.addEventListener("open", done)); const m = next(s); s.send("out"); const seen = [await m]; const end = next(s); s.send("close"); seen.push(await end); return seen; },
      "fetch() with Upgrade gives one": async ({ url }) => { const r = await fetch(`${url.origin}/socket`, { headers: { Upgrade: "websocket" } }); const s = r.webSocket!; s.accept(); const m = next(s); s.send("out"); const seen = [r.status, await m]; s.close(1000, "bye"); return seen; },
      "to nobody is an error and a close": ({ url }) => { void url; return new Promise((done) => { const s = new WebSocket("ws://127.0.0.1:1/"); const seen: string[] = []; s.addEventListener("error", () => { seen.push("error"); setTimeout(() => done(seen), 20); }); s.addEventListener("close", () => seen.push("close")); }); },
      "refuses URLs that are none": () => failure(() => new WebSocket("nope")),
    },
  },
  {
    api: "hibernation API", cases: {
      "tags, attachments and lists": async (given) => { const s = await dial(object(given), "http://x/?tag=red&tag=b"); const m = next(s); s.send("tell"); return JSON.parse(await m as string); },
      "messages reach webSocketMessage": async (given) => { const s = await dial(object(given), "http://x/"); const m = next(s); s.send("a"); const seen = [await m]; s.binaryType = "arraybuffer"; const binary = next(s); s.send(new Uint8Array([7])); seen.push(await binary); return seen; },
      "auto response answers without the object": async (given) => { const s = await dial(object(given), "http://x/?auto"); const m = next(s); s.send("ping"); return m; },
      "the object closes with code and reason": async (given) => { const s = await dial(object(given), "http://x/"); const end = next(s); s.send("close"); return end; },
      "a client's close reaches webSocketClose": async (given) => { const stub = object(given); const s = await dial(stub, "http://x/"); s.close(4007, "mine"); return until(() => stub.kept() as Promise<unknown>); },
      "a handler that throws leaves the socket open": async (given) => { const s = await dial(object(given), "http://x/"); const seen: unknown[] = []; s.addEventListener("message", ({ data }) => seen.push(data)); s.addEventListener("close", ({ code }) => seen.push(code)); s.send("throw"); s.send("after"); const told = () => seen.filter((each) => typeof each === "number" || String(each).startsWith("object")); return until(async () => (told().length > 0 ? told() : undefined)); },
    },
  },
];
