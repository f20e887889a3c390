import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { installGlobals } from "../../src/web/globals.ts";

installGlobals({ compatibilityFlags: {} });
type Any = any; // the platform's own types are not loaded here
const rewriter = (): Any => new (globalThis as Any).HTMLRewriter();
const run = (made: Any, html: BodyInit): Promise<string> => made.transform(new Response(html)).text();

test("elements are changed in each way", async () => {
  const change = (member: string, html?: boolean) =>
    run(rewriter().on("b", { element(e: Any) { assert.equal(e[member]("<i>", html === undefined ? undefined : { html }), e); } }), "<b>x</b>!");
  assert.equal(await change("before"), "&lt;i&gt;<b>x</b>!");
  assert.equal(await change("before", true), "<i><b>x</b>!");
  assert.equal(await change("after", true), "<b>x</b><i>!");
  assert.equal(await change("prepend", true), "<b><i>x</b>!");
  assert.equal(await change("append", true), "<b>x<i></b>!");
  assert.equal(await change("replace", true), "<i>!");
  assert.equal(await change("setInnerContent", true), "<b><i></b>!");
  assert.equal(await run(rewriter().on("b", { element(e: Any) { e.remove(); assert.equal(e.removed, true); } }), "<b>x</b>!"), "!");
  assert.equal(await run(rewriter().on("b", { element(e: Any) { e.removeAndKeepContent(); } }), "<b>x</b>!"), "x!");
  assert.equal(await run(rewriter().on("b", { element(e: Any) { e.tagName = "em"; } }), "<b>x</b>!"), "<em>x</em>!");
  assert.equal(await run(rewriter().on("b", { element(e: Any) { e.onEndTag((t: Any) => { t.before(t.name); }); } }), "<b>x</b>!"), "<b>xb</b>!");
});

test("attributes are read, listed, set and removed", async () => {
  const seen: unknown[] = [];
  const text = await run(rewriter().on("a[href]", {
    element(e: Any) {
      seen.push([...e.attributes], e.getAttribute("href"), e.getAttribute("none"), e.hasAttribute("id"), e.tagName, e.namespaceURI);
      e.setAttribute("href", "/b").removeAttribute("id");
    },
  }), '<a href="/a" id=1>x</a><a>y</a>');
  assert.deepEqual(seen, [[["href", "/a"], ["id", "1"]], "/a", null, true, "a", "http://www.w3.org/1999/xhtml"]);
  assert.equal(text, '<a href="/b">x</a><a>y</a>');
});

test("the document's doctype, comments, text and end are seen", async () => {
  const seen: unknown[] = [];
  const text = await run(rewriter().onDocument({
    doctype(d: Any) { seen.push(d.name, d.publicId, d.systemId); },
    comments(c: Any) { seen.push(c.text); c.text = "new"; },
    text(t: Any) { if (t.lastInTextNode) seen.push("last"); else t.replace("y"); },
    end(e: Any) { e.append("<end>", { html: true }); },
  }), "<!doctype html><p>x</p><!-- c -->");
  assert.deepEqual(seen, ["html", null, null, "last", " c "]);
  assert.equal(text, "<!doctype html><p>y</p><!--new--><end>");
});

test("asynchronous handlers are awaited, several rewriters at once", async () => {
  const one = (n: number) => run(rewriter().on("a", { async element(e: Any) { await delay(1); e.after(String(n)); } }), "<a>x</a><a>y</a>");
  assert.deepEqual(await Promise.all([1, 2, 3].map(one)), [1, 2, 3].map((n) => `<a>x</a>${n}<a>y</a>${n}`));
});

test("content may be a Response or a stream", async () => {
  assert.equal(await run(rewriter().on("a", {
    element(e: Any) { e.before(new Response("<i>")).after(new Response("<u>").body, { html: true }).append("!"); },
  }), "<a>x</a>"), "&lt;i&gt;<a>x!</a><u>");
});

test("a handler's error ends the body with that error", async () => {
  const failure = new RangeError("on purpose");
  for (const element of [() => { throw failure; }, async () => { await delay(1); throw failure; }]) {
    await assert.rejects(run(rewriter().on("a", { element }), "<a>x</a><a>y</a>"), failure);
  }
});

test("misuse is refused in words", async () => {
  assert.throws(() => rewriter().on("a[", {}), { name: "TypeError", message: /^Parser error: / });
  assert.throws(() => rewriter().on("a", null), { name: "TypeError" });
  assert.throws(() => rewriter().onDocument(1), { name: "TypeError" });
  assert.throws(() => rewriter().transform("<p>"), { name: "TypeError" });
  let kept: Any;
  await run(rewriter().on("a", { element(e: Any) { kept = e; } }), "<a>x</a>");
  assert.throws(() => kept.tagName, { name: "TypeError", message: /content token is no longer valid/ });
});

test("the response stays, but for its length; without a body nothing runs", async () => {
  const made = rewriter().transform(new Response("<a>", { status: 201, headers: { "content-length": "3", a: "b" } }));
  assert.deepEqual([made.status, made.headers.get("content-length"), made.headers.get("a")], [201, null, "b"]);
  assert.equal(await made.text(), "<a>");
  assert.equal(rewriter().transform(new Response(null, { status: 204 })).body, null);
});

test("a body streams through, and its end and errors too", async () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const reader = rewriter().on("b", { element(e: Any) { e.remove(); } }).transform(new Response(readable)).body.getReader();
  const write = (text: string) => void writer.write(Buffer.from(text));
  const read = async () => Buffer.from((await reader.read()).value ?? []).toString();
  write("<p>1</p><b>x");
  assert.equal(await read(), "<p>1</p>");
  write("y</b><p>2</p>");
  assert.equal(await read(), "<p>2</p>");
  void writer.abort(new Error("the source broke")).catch(() => {});
  await assert.rejects(reader.read(), { message: "the source broke" });

  let cancelled: unknown;
  const endless = new ReadableStream({ pull(controller) { controller.enqueue(Buffer.from("<p>x</p>")); }, cancel(reason) { cancelled = reason; } });
  const other = rewriter().transform(new Response(endless)).body.getReader();
  await other.read();
  await other.cancel("enough");
  assert.equal(cancelled, "enough");
});
