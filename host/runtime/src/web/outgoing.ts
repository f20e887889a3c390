// WebSockets to other servers: `new WebSocket(url)` and `fetch(url, { headers: { Upgrade: "websocket" } })`.
// Node's own client (undici) does the handshake and the frames; here it becomes an end of ours.
import { NodeWebSocket } from "./native.ts";
import { hooks } from "./hooks.ts";
import { plainDispatcher, type Handshake } from "./dispatcher.ts";
import {
  deliverClose, deliverMessage, failOutgoing, makeOutgoing, onOutgoing, openOutgoing, type Remote, type WebSocket,
} from "./websocket.ts";

interface Options { protocols: string[]; headers: Record<string, string>; dispatcher: object }
type Client = globalThis.WebSocket;

function startClient(url: string, options: Options): Client {
  if (NodeWebSocket === undefined) {
    throw new Error(`Outgoing WebSockets need Node.js 22 or newer; this is ${process.version}.`);
  }
  const client = new NodeWebSocket(url, options as never);
  client.binaryType = "arraybuffer";
  return client;
}

/** Ties an open client to an end. */
function tie(socket: WebSocket, client: Client): void {
  const remote: Remote = {
    get protocol() { return client.protocol; },
    get extensions() { return client.extensions; },
    send: (data) => client.send(data as never),
    // Codes that only the protocol may use stand for "no code".
    close(code, reason) {
      if (code === 1000 || (code >= 3000 && code <= 4999)) client.close(code, reason);
      else client.close();
    },
  };
  client.addEventListener("message", (event) => deliverMessage(socket, event.data));
  client.addEventListener("close", (event) => deliverClose(socket, event.code, event.reason, event.wasClean));
  openOutgoing(socket, remote);
}

async function connect(socket: WebSocket, url: URL, protocols: string[]): Promise<void> {
  const failed = "Failed to establish websocket connection";
  try {
    await hooks.outputGate();
    const seen: Handshake = { response: null, cause: null };
    const client = startClient(url.href, { protocols, headers: {}, dispatcher: plainDispatcher(null, seen) });
    client.addEventListener("open", () => tie(socket, client), { once: true });
    client.addEventListener("error", () => {
      const answered = seen.response === null ? seen.cause : `the server answered ${seen.response.status}`;
      if (client.readyState !== 1) failOutgoing(socket, answered === null ? failed : `${failed}: ${answered}`);
    }, { once: true });
  } catch (error) {
    failOutgoing(socket, `${failed}: ${error instanceof Error ? error.message : error}`);
  }
}
onOutgoing((socket, url, protocols) => void connect(socket, url, protocols));

// Written by the client itself.
const handshakeHeaders = new Set(["connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
  "sec-websocket-protocol", "host", "content-length", "transfer-encoding"]);

export type Upgraded =
  | { readonly socket: WebSocket; readonly protocol: string; readonly headers: [string, string][] }
  | { readonly status: number; readonly statusText: string; readonly headers: [string, string][] };

/** A fetch that asks for a WebSocket: the socket, not yet accepted, or the server's other answer. */
export function upgrade(url: string, headers: Iterable<[string, string]>, signal: AbortSignal | null): Promise<Upgraded> {
  const sent: Record<string, string> = {};
  let protocols: string[] = [];
  for (const [name, value] of headers) {
    if (name === "sec-websocket-protocol") protocols = value.split(",").map((protocol) => protocol.trim()).filter(Boolean);
    else if (!handshakeHeaders.has(name)) sent[name] = name in sent ? `${sent[name]}, ${value}` : value;
  }
  const target = new URL(url);
  if (target.protocol === "http:") target.protocol = "ws:";
  if (target.protocol === "https:") target.protocol = "wss:";
  target.hash = "";
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const seen: Handshake = { response: null, cause: null };
    const client = startClient(target.href, { protocols, headers: sent, dispatcher: plainDispatcher(new Set(Object.keys(sent)), seen) });
    const aborted = () => {
      client.close();
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", aborted, { once: true });
    client.addEventListener("open", () => {
      signal?.removeEventListener("abort", aborted);
      const socket = makeOutgoing(target.href);
      tie(socket, client);
      resolve({ socket, protocol: client.protocol, headers: seen.response?.headers ?? [] });
    }, { once: true });
    client.addEventListener("error", () => {
      signal?.removeEventListener("abort", aborted);
      if (seen.response !== null && seen.response.status !== 101) resolve(seen.response);
      else reject(new TypeError("fetch failed", { cause: new Error(seen.cause ?? "the WebSocket handshake failed") }));
    }, { once: true });
  });
}
