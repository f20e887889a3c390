// docs/authorization.md in Chromium: pages of another origin that ask an agent, over fetch and
// WebSocket, and what their scripts and the console learn of it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

import { recipeProject } from "../lib/recipes.mjs";
import { onHearth, startFor } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "the server's own settings are tried" };
let browser;
let pages; // an empty page, under any name that is this machine's
before(async () => {
  if (!onHearth) return;
  pages = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html><title>elsewhere</title>"));
  await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  // Names that are looked up nowhere: Chromium takes them to the server above.
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--host-resolver-rules=MAP *.example.test 127.0.0.1", "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"] });
});
after(async () => {
  await browser?.close();
  pages?.close();
});

const originOf = (name) => `http://${name}:${pages.address().port}`;
const serverOf = (t, recipe, options) => startFor(t, recipeProject("docs/authorization.md", "guarded", recipe), options);

async function pageOf(t, name) {
  const page = await browser.newPage();
  t.after(() => page.close());
  const errors = [];
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  await page.goto(originOf(name));
  return { page, errors };
}

/** From within the page: the status and text of a fetch, or the error that the script sees. */
const fetchFrom = (page, url, init = {}) => page.evaluate(async ([target, options]) => {
  try {
    const response = await fetch(target, options);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    return { error: String(error) };
  }
}, [url, init]);

/** From within the page: "open" once the agent has greeted, or how the socket ended. */
const socketFrom = (page, url) => page.evaluate((target) => new Promise((resolve) => {
  const socket = new WebSocket(target);
  const seen = [];
  socket.onmessage = (event) => {
    seen.push(event.data);
    if (event.data.includes("cf_agent_identity")) resolve({ open: true });
  };
  socket.onclose = ({ code, reason }) => resolve({ code, reason, seen });
}), url);

test("cors: a page elsewhere reads answers, after a preflight too", suite, async (t) => {
  const target = await serverOf(t, "cors", { args: ["--allow-origin", originOf("app.example.test")] });
  const { page, errors } = await pageOf(t, "app.example.test");
  const url = `${target.url}/agents/notes/a`;
  assert.equal((await fetchFrom(page, url)).status, 200);
  const posted = await fetchFrom(page, url, { method: "POST", body: "from the page", headers: { "Content-Type": "text/x-note" } });
  assert.deepEqual(JSON.parse(posted.text).notes, ["from the page"]);
  assert.deepEqual(errors, []);
  assert.deepEqual(await socketFrom(page, `${target.ws}/agents/notes/a`), { open: true });
});

test("without cors the browser keeps the answer from the script", suite, async (t) => {
  const target = await serverOf(t, "owner", { vars: { SESSION_KEY: "k" } });
  const { page, errors } = await pageOf(t, "app.example.test");
  assert.match((await fetchFrom(page, `${target.url}/agents/notes/a`)).error, /Failed to fetch/);
  assert.match(errors.join(), /No 'Access-Control-Allow-Origin' header/);
});

test("credentials: cookies go along for the page that is named, and for no other", suite, async (t) => {
  const target = await serverOf(t, "credentials", { vars: { PAGE_ORIGIN: originOf("app.example.test") } });
  const url = `${target.url}/agents/notes/a`;
  const init = { credentials: "include", method: "POST", body: "x", headers: { Authorization: "Bearer x" } };
  const { page } = await pageOf(t, "app.example.test");
  assert.equal((await fetchFrom(page, url, init)).status, 200);
  const other = await pageOf(t, "other.example.test");
  assert.match((await fetchFrom(other.page, url, init)).error, /Failed to fetch/);
});

test("a page that is not allowed learns why, over fetch and WebSocket", suite, async (t) => {
  const target = await serverOf(t, "cors", { command: "dev" });
  const { page } = await pageOf(t, "evil.example.test");
  const answer = await fetchFrom(page, `${target.url}/agents/notes/a`);
  assert.equal(answer.status, 403);
  assert.match(JSON.parse(answer.text).error.message, /the header Origin says "http:\/\/evil\.example\.test:\d+"/);
  const socket = await socketFrom(page, `${target.ws}/agents/notes/a`);
  assert.equal(socket.code, 4403);
  assert.match(socket.reason, /^R410: the header Origin says/);
  assert.match(JSON.parse(socket.seen[0]).fix, /--allow-origin http:\/\/evil\.example\.test/);
});

test("in dev a page of this machine on another port may, and learns nothing of it", suite, async (t) => {
  const target = await serverOf(t, "cors", { command: "dev" });
  const { page, errors } = await pageOf(t, "localhost");
  assert.equal((await fetchFrom(page, `${target.url}/agents/notes/a`)).status, 200);
  assert.deepEqual(await socketFrom(page, `${target.ws}/agents/notes/a`), { open: true });
  assert.deepEqual(errors, []);
});

test("token: a page without it is turned away with the server's own words", suite, async (t) => {
  const target = await serverOf(t, "token", { vars: { AGENT_TOKEN: "let-me-in" } });
  const { page } = await pageOf(t, "app.example.test");
  const away = await socketFrom(page, `${target.ws}/agents/notes/a?token=wrong`);
  assert.equal(away.code, 4401);
  assert.match(away.reason, /the token is missing or wrong/);
  assert.deepEqual(await socketFrom(page, `${target.ws}/agents/notes/a?token=let-me-in`), { open: true });
  const answer = await fetchFrom(page, `${target.url}/agents/notes/a`);
  assert.deepEqual(answer, { status: 401, text: "the token is missing or wrong" });
});
