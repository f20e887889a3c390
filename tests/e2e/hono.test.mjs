// hono and zod on a worker with a Durable Object.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { http } from "../lib/clients.mjs";
import { start } from "../lib/target.mjs";

let target;
before(async () => { target = await start("hono"); });
after(() => target?.stop());
const post = (path, value) => http(`${target.url}${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });

test("JSX, middleware and CORS", async () => {
  const answer = await http(target.url, { headers: { Origin: "https://example.com" } });
  assert.equal(answer.text, "<html><body><h1>Notes &amp; more</h1></body></html>");
  assert.match(answer.headers["content-type"], /^text\/html/);
  assert.equal(answer.headers["x-served-by"], "hono");
  assert.equal(answer.headers["access-control-allow-origin"], "https://example.com");
  const preflight = await http(target.url, { method: "OPTIONS", headers: { Origin: "https://example.com", "Access-Control-Request-Method": "PUT" } });
  assert.equal(preflight.status, 204);
});

test("a validated body reaches the Durable Object by RPC", async () => {
  assert.deepEqual((await post("/notes/ann", { title: "one" })).json(), { count: 1 });
  assert.deepEqual((await post("/notes/ann", { title: "two", stars: 5 })).json(), { count: 2 });
  assert.deepEqual((await http(`${target.url}/notes/ann`)).json(), [{ title: "one", stars: 0 }, { title: "two", stars: 5 }]);
  assert.deepEqual((await http(`${target.url}/notes/bob`)).json(), []);
  const refused = await post("/notes/ann", { title: "", stars: 9 });
  assert.equal(refused.status, 400);
  assert.deepEqual(refused.json().issues.sort(), ["stars", "title"]);
});

test("events, exceptions, and what is not there", async () => {
  assert.equal((await http(`${target.url}/events`)).text, "data: event 0\nid: 0\n\ndata: event 1\nid: 1\n\ndata: event 2\nid: 2\n\n");
  const teapot = await http(`${target.url}/teapot`);
  assert.equal(teapot.status, 418);
  assert.equal(teapot.text, "short and stout");
  assert.deepEqual((await http(`${target.url}/fails`)).json(), { failed: "hono failed on purpose" });
  assert.equal((await http(`${target.url}/elsewhere`)).status, 404);
});
