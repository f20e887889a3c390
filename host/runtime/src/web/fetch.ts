// The global fetch: outgoing HTTP by Node's own client, from our Request to our Response. Waits at
// the output gate of the code that calls it, so that nothing tells the world of a write that could
// still be lost. Differs from Node's own: no User-Agent of its own, stream bodies need no `duplex`,
// credentials in the URL become Basic authorization, no time limits.
import { plainDispatcher } from "./dispatcher.ts";
import { hooks } from "./hooks.ts";
import { Headers } from "./headers.ts";
import { NodeResponse, nodeFetch } from "./native.ts";
import { upgrade } from "./outgoing.ts";
import { asRequest, takeRequest, type Request, type RequestInit, type RequestParts } from "./request.ts";
import { fromNodeResponse, makeResponse, type Response } from "./response.ts";

export async function fetch(input: Request | globalThis.Request | URL | string, init?: RequestInit): Promise<Response> {
  const request = asRequest(input, init);
  if (request.fetcher !== null) return (await request.fetcher.fetch(request as unknown as globalThis.Request)) as unknown as Response;
  const parts = takeRequest(request);
  const gate = hooks.outputGate();
  if (gate !== null) await gate;
  parts.signal?.throwIfAborted();
  const { protocol } = new URL(parts.url);
  const wantsSocket = parts.headers !== "" && request.headers.get("upgrade")?.toLowerCase() === "websocket";
  if (wantsSocket) return fetchSocket(parts, request.headers);
  if (protocol !== "http:" && protocol !== "https:" && protocol !== "data:") {
    throw new TypeError(`Fetch API cannot load: ${parts.url}`);
  }
  return fetchHttp(parts, request.headers);
}

async function fetchSocket(parts: RequestParts, headers: Headers): Promise<Response> {
  const answer = await upgrade(parts.url, headers.entries(), parts.signal);
  const packed = answer.headers.map(([name, value]) => `${name}\0${value}\0`).join("");
  if ("socket" in answer) return makeResponse(101, "Switching Protocols", packed, null, answer.socket);
  return makeResponse(answer.status, answer.statusText, packed, null);
}

async function fetchHttp(parts: RequestParts, headers: Headers): Promise<Response> {
  const given = new Set<string>();
  const sent = new Headers();
  for (const [name, value] of headers) {
    given.add(name);
    // These are the connection's own.
    if (name === "connection" || name === "host" || name === "transfer-encoding" || name === "keep-alive" || name === "expect" ||
        name === "upgrade" || name === "content-length") continue;
    sent.append(name, value);
  }
  const url = withoutCredentials(parts.url, sent);
  const signal = parts.signal;
  const body = parts.body;
  const response = await nodeFetch(url, {
    method: parts.method,
    headers: [...sent].map(([name, value]): [string, string] => [name, byteString(value)]),
    redirect: parts.redirect,
    ...(body === null ? {} : { body: body as never, duplex: "half" }),
    ...(signal === null ? {} : { signal }),
    dispatcher: plainDispatcher(given),
  } as globalThis.RequestInit);
  return response instanceof NodeResponse ? fromNodeResponse(response) : (response as unknown as Response);
}

/** Header values go out as UTF-8, one character for each byte. */
function byteString(value: string): string {
  return /[^\x00-\xff]/.test(value) ? Buffer.from(value, "utf8").toString("latin1") : value;
}

function withoutCredentials(url: string, headers: Headers): string {
  if (!url.includes("@")) return url;
  const parsed = new URL(url);
  if (parsed.username === "" && parsed.password === "") return url;
  if (!headers.has("authorization")) {
    const pair = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`;
    headers.set("authorization", `Basic ${Buffer.from(pair).toString("base64")}`);
  }
  parsed.username = parsed.password = "";
  return parsed.href;
}
