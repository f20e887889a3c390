// Microseconds for what happens at every request, beside Node's own classes: node measure.ts
import { NodeRequest, NodeResponse } from "../../src/web/native.ts";
import { Request, makeRequest } from "../../src/web/request.ts";
import { Response, takeResponse } from "../../src/web/response.ts";
import { WebSocketPair } from "../../src/web/websocket.ts";

const packed = "host\0example.com\0user-agent\0curl\0accept\0*/*\0x-a\0b\0cookie\0a=b\0accept-language\0en\0";
const headers = { host: "example.com", "user-agent": "curl", accept: "*/*", "x-a": "b", cookie: "a=b", "accept-language": "en" };
const [socket] = new WebSocketPair();
const attachment = { __pk: { id: "abc", tags: ["a", "b"], uri: "http://x/y" }, __user: { a: 1 } };
socket!.serializeAttachment(attachment);

let sink: unknown;
const cases: Record<string, () => void> = {
  "request from the core": () => { sink = makeRequest("GET", "http://x/y", packed, null); },
  "request from the core, headers.get": () => { sink = makeRequest("GET", "http://x/y", packed, null).headers.get("upgrade"); },
  "new Request, 6 headers, headers.get": () => { sink = new Request("http://x/y", { headers }).headers.get("x-a"); },
  "the same, Node's": () => { sink = new NodeRequest("http://x/y", { headers }).headers.get("x-a"); },
  "new Request(request)": () => { sink = new Request(makeRequest("GET", "http://x/y", packed, null)); },
  'new Response("hi"), taken apart': () => { sink = takeResponse(new Response("hi")); },
  "the same with a header": () => { sink = takeResponse(new Response("hi", { headers: { "x-a": "b" } })); },
  "Response.json, taken apart": () => { sink = takeResponse(Response.json({ a: 1 })); },
  'new Response("hi") with a header, read, Node\'s': () => {
    const response = new NodeResponse("hi", { headers: { "x-a": "b" } });
    sink = [response.status, response.statusText, ...response.headers, response.body];
  },
  "new WebSocketPair": () => { sink = new WebSocketPair(); },
  "serializeAttachment, the SDK's": () => { socket!.serializeAttachment(attachment); },
  "deserializeAttachment, the SDK's": () => { sink = socket!.deserializeAttachment(); },
};

const runs = 200_000;
for (const [name, run] of Object.entries(cases)) {
  for (let i = 0; i < runs / 10; i++) run();
  const start = process.hrtime.bigint();
  for (let i = 0; i < runs; i++) run();
  console.log(`${(Number(process.hrtime.bigint() - start) / runs / 1000).toFixed(3).padStart(8)} µs  ${name}`);
}
void sink;
