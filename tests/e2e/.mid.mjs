import { chromium } from "playwright-core";
import { start } from "../lib/target.mjs";
const which = process.argv[2];
const target = await start("/work/main/examples/coder", { state: "/tmp/mid-state-" + which, command:"dev", env: { OPENROUTER_API_KEY: "" } });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
let log = [];
page.on("websocket", ws => { log.push("ws open"); ws.on("framereceived", f => log.push("< " + String(f.payload).slice(0,200))); ws.on("framesent", f => log.push("> " + String(f.payload).slice(0,120))); ws.on("close", () => log.push("ws closed")); });
await page.goto(target.url + "/?session=mid");
await page.getByRole("status").filter({ hasText: /^connected$/ }).waitFor();
await page.getByLabel("Message").fill("hello there"); await page.keyboard.press("Enter");
await page.getByText("I am the").waitFor();
log.length = 0;
console.log("=== kill", which);
if (which === "all") { await target.kill(); await page.waitForTimeout(300); await target.restart(); }
else { const t0 = Date.now(); const hosts = target.hosts(); console.log("hosts", hosts); process.kill(hosts[0], "SIGKILL"); }
await page.waitForTimeout(15000);
await page.screenshot({ path: `/tmp/mid-${which}.png` });
console.log(log.slice(0, 60).join("\n"));
console.log(target.output.slice(-3000));
await browser.close(); await target.stop({checkDescriptors:false}).catch(e => console.log(String(e).slice(0,1500)));
