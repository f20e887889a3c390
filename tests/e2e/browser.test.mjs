// Headless Chromium and the SDK's own client in a page that hearth serves.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { chromium } from "playwright-core";

import { kProjects } from "../lib/paths.mjs";
import { until } from "../lib/process.mjs";
import { onHearth, start } from "../lib/target.mjs";

const suite = { skip: onHearth ? false : "the page is served by hearth" };
let target;
let browser;
before(async () => {
  if (!onHearth) return;
  await build({
    entryPoints: [join(kProjects, "page/client.ts")], outfile: join(kProjects, "page/public/client.js"), bundle: true, format: "esm", logLevel: "silent",
  });
  target = await start("page", { expectErrors: [/host|SIGKILL|died|killed/i] });
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(async () => {
  await browser?.close();
  await target?.stop();
});

async function open(t) {
  const page = await browser.newPage();
  t.after(() => page.close());
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => { if (message.type() === "error" && !message.location().url.endsWith("favicon.ico")) errors.push(message.text()); });
  await page.goto(target.url);
  await page.locator("#status", { hasText: "open" }).waitFor();
  return { page, errors, count: async () => Number(await page.locator("output").textContent()) };
}

test("two pages share an agent's state", suite, async (t) => {
  const one = await open(t);
  const two = await open(t);
  const before = await until(async () => { const seen = await one.count(); return Number.isNaN(seen) ? false : { seen }; }, "the first state");
  await one.page.locator("button").click();
  await two.page.locator("button").click();
  for (const page of [one, two]) await until(async () => (await page.count()) === before.seen + 2, "both clicks in both pages");
  assert.deepEqual([...one.errors, ...two.errors], []);
});

test("a page notices nothing of a host's death", suite, async (t) => {
  const { page, count, errors } = await open(t);
  await until(async () => !Number.isNaN(await count()), "the first state");
  const before = await count();
  process.kill(await page.evaluate(() => window.client.call("pid")), "SIGKILL");
  await page.locator("button").click();
  await until(async () => (await count()) === before + 1, "the click after the host's death");
  assert.equal(await page.locator("#status").textContent(), "open");
  assert.deepEqual(errors, []);
});

test("a page is told why the server goes, and comes back to its state", suite, async (t) => {
  const { page, count } = await open(t);
  await page.locator("button").click();
  await until(async () => (await count()) > 0, "a click");
  const before = await count();
  await target.stop({ checkDescriptors: false, keepState: true });
  await page.locator("#status", { hasText: /closed 1001 ./ }).waitFor();
  await target.restart();
  await page.locator("#status", { hasText: "open" }).waitFor({ timeout: 20_000 });
  await page.locator("button").click();
  await until(async () => (await count()) === before + 1, "the state as it was, and one more");
});

test("a page that asks for an agent nobody serves has the reason in its console, and does not try again", suite, async (t) => {
  const page = await browser.newPage();
  t.after(() => page.close());
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  await page.goto(`${target.url}/?agent=Counters`);
  await page.locator("#status", { hasText: /closed 4404 R401: / }).waitFor();
  await until(() => said.some((text) => text.includes("R401: ")), () => `the reason in ${said.join("\n")}`);
  assert.equal(await page.evaluate(() => window.client.shouldReconnect), false);
});
