// The page that `hearth init` makes, in Chromium: it shows the agent's state, adds to it, and comes
// back after the server does.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { chromium } from "playwright-core";

import { temporaryFolder } from "../lib/folders.mjs";
import { installTestPackages } from "../lib/packages.mjs";
import { kHearth } from "../lib/paths.mjs";
import { hearthOnly, startFor } from "../lib/target.mjs";

test("two pages share their notes, and are there again after a restart", hearthOnly, async (t) => {
  const folder = temporaryFolder("hearth-init-");
  assert.equal(spawnSync(kHearth, ["init", folder, "--name", "first-hour"]).status, 0);
  installTestPackages(folder);
  const target = await startFor(t, folder, { command: "dev" });
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  t.after(() => browser.close());
  const [one, two] = [await browser.newPage(), await browser.newPage()];
  for (const page of [one, two]) {
    await page.goto(target.url);
    await page.locator("#status", { hasText: "connected to the agent \"default\"" }).waitFor();
  }
  assert.equal(await one.title(), "first-hour");
  await one.locator("input").fill("<b>buy milk</b>");
  await one.locator("form button").click();
  for (const page of [one, two]) await page.locator("li", { hasText: "<b>buy milk</b>" }).waitFor();
  await two.locator("#echo").click();
  await two.locator("output", { hasText: "echo: hello" }).waitFor();
  // Seen while it stops: the page tries again soon, and says then that nobody is there.
  const told = one.locator("#status", { hasText: "closed: 1001" }).waitFor();
  await target.stop({ checkDescriptors: false, keepState: true });
  await told;
  await target.restart();
  await one.locator("#status", { hasText: "connected" }).waitFor({ timeout: 20_000 });
  await one.locator("li", { hasText: "buy milk" }).waitFor();
});
