// Headers, Request, Response, FormData, fetch, caches.
import { failure, text, type Area } from "../case.ts";

const form = (): FormData => {
  const made = new FormData();
  made.append("a", "1");
  made.append("a", "2");
  made.set("file", new File(["content"], "n.txt", { type: "text/plain" }));
  return made;
};

export const web: Area[] = [
  {
    api: "Headers", cases: {
      "join repeated fields": () => { const h = new Headers([["A", "1"], ["a", "2"]]); return [h.get("A"), [...h]]; },
      "keep Set-Cookie apart": () => { const h = new Headers([["Set-Cookie", "a=1"], ["set-cookie", "b=2"]]); return [h.getSetCookie(), h.getAll("Set-Cookie"), [...h]]; },
      "getAll is for Set-Cookie only": () => failure(() => new Headers().getAll("A")),
      "refuse bad names": () => failure(() => new Headers([["a b", "1"]])),
      "refuse line breaks in values": () => failure(() => new Headers([["a", "1\r\nb: 2"]])),
      "trim values": () => new Headers([["a", "  x  "]]).get("a"),
      "are sorted when read": () => [...new Headers({ b: "2", a: "1" }).keys()],
      "of the incoming request are immutable": ({ request }) => failure(() => request.headers.set("a", "b")),
      "of a fetched response are immutable": async ({ env }) => failure(async () => (await env.SELF.fetch("http://x/")).headers.set("a", "b")),
      "of a copied response can be changed": async ({ env }) => { const r = new Response(null, await env.SELF.fetch("http://x/")); r.headers.set("a", "b"); return r.headers.get("a"); },
      "has() compares values too": () => new Headers({ a: "1" }).has("a"),
    },
  },
  {
    api: "Request", cases: {
      "has the platform's defaults": () => { const r = new Request("http://x/p?q"); return [r.method, r.url, r.redirect, r.body, r.bodyUsed, [...r.headers], r.cf]; },
      "fetcher is where fetch() sends it": async ({ env }) => { const r = new Request("http://x/echo", { method: "POST", body: "b", fetcher: env.SELF } as RequestInit); return [new Request("http://x").fetcher, r.fetcher === env.SELF, r.clone().fetcher === env.SELF, await failure(() => new Request("http://x", { fetcher: {} } as RequestInit)), await (await fetch(r)).text()]; },
      "keeps cf": () => new Request("http://x", { cf: { cacheTtl: 5 } } as RequestInit).cf,
      "takes another's properties": () => { const r = new Request(new Request("http://x/a", { method: "PUT", body: "b", headers: { A: "1" } }), { headers: { B: "2" } }); return [r.method, r.url, [...r.headers]]; },
      "takes a body and consumes it once": async () => { const r = new Request("http://x", { method: "POST", body: "b" }); return [await r.text(), r.bodyUsed, await failure(() => r.text())]; },
      "takes a stream without duplex": async () => text(new Request("http://x", { method: "POST", body: new Response("s").body }).body),
      "refuses a body on GET": () => failure(() => new Request("http://x", { body: "b" })),
      "clones its body": async () => { const r = new Request("http://x", { method: "POST", body: "b" }); const c = r.clone(); return [await r.text(), await c.text()]; },
      "upper-cases known methods only": () => [new Request("http://x", { method: "post" }).method, new Request("http://x", { method: "PATCH" }).method],
      "refuses relative URLs": () => failure(() => new Request("/a")),
      "sets Content-Type by its body": () => ["s", new URLSearchParams("a=b"), new Blob(["x"], { type: "a/b" })].map((body) => new Request("http://x", { method: "POST", body }).headers.get("Content-Type")),
      "has a signal": () => { const a = new AbortController(); const r = new Request("http://x", { signal: a.signal }); a.abort(); return r.signal.aborted; },
      "incoming: has cf, its URL and its method": ({ request }) => [typeof request.cf, request.method, new URL(request.url).pathname.startsWith("/case")],
      "incoming: keeps a body's bytes": async ({ env }) => (await env.SELF.fetch("http://x/echo", { method: "POST", body: new Uint8Array([1, 2, 255]) })).arrayBuffer(),
      "json(), bytes() and blob() read": async () => { const r = (body: BodyInit) => new Request("http://x", { method: "POST", body }); return [await r('{"a":1}').json(), await r("ab").bytes(), (await r("abc").blob()).size]; },
      "credentials in the URL are kept": () => new Request("http://u:p@x/").url,
    },
  },
  {
    api: "Response", cases: {
      "has the platform's defaults": () => { const r = new Response(); return [r.status, r.statusText, r.ok, r.body, r.type, r.redirected, r.url, r.webSocket]; },
      "json() and redirect() make responses": () => { const j = Response.json({ a: 1 }, { status: 201 }), r = Response.redirect("http://x/", 307); return [j.status, j.headers.get("content-type"), r.status, r.headers.get("location")]; },
      "error() makes an error": () => { const r = Response.error(); return [r.type, r.status]; },
      "refuses statuses outside of 200 to 599": () => Promise.all([99, 199, 600, 101].map((status) => failure(() => new Response(null, { status })))),
      "refuses bodies of 204 and 304": async () => [await failure(() => new Response("x", { status: 204 })), await failure(() => new Response("", { status: 204 })), await failure(() => new Response("x", { status: 304 }))],
      "clones its body": async () => { const r = new Response("b"); const c = r.clone(); return [await r.text(), await c.text()]; },
      "refuses to clone a used body": async () => { const r = new Response("b"); await r.text(); return failure(() => r.clone()); },
      "sets Content-Type by its body": () => ["s", new URLSearchParams("a=b"), new Blob(["x"], { type: "a/b" }), new Uint8Array(1)].map((body) => new Response(body).headers.get("Content-Type")),
      "is itself by prototype": () => Object.getPrototypeOf(new Response()) === Response.prototype,
      "of fetch is itself by prototype": async ({ env }) => Object.getPrototypeOf(await env.SELF.fetch("http://x/")) === Response.prototype,
      "reads json, text, bytes, blob": async () => [await new Response('{"a":1}').json(), await new Response("t").text(), await new Response("ab").bytes(), (await new Response("abc").blob()).type],
      "strips a byte order mark in text()": async () => (await new Response("\uFEFFa").text()).length,
      "encodeBody manual leaves encoded bytes": async () => { const z = await new Response(new Response("x").body!.pipeThrough(new CompressionStream("gzip"))).arrayBuffer(); return new Response(z, { encodeBody: "manual", headers: { "Content-Encoding": "gzip" } }).headers.get("content-encoding"); },
      "takes a stream of strings as an error": () => failure(() => new Response(new ReadableStream({ start(c) { c.enqueue("a"); c.close(); } })).text()),
    },
  },
  {
    api: "FormData", cases: {
      "keeps order and repeats": () => { const f = form(); f.append("z", "3"); return [[...f.keys()], f.getAll("a")]; },
      "round trips through multipart": async () => { const f = await new Response(form()).formData(); const file = f.get("file") as unknown as File; return [f.getAll("a"), file.name, file.type, await file.text(), file instanceof File]; },
      "reads urlencoded": async () => [...await new Response(new URLSearchParams("a=1&b=%20")).formData()],
      "refuses other content types": () => failure(() => new Response("x", { headers: { "Content-Type": "text/plain" } }).formData()),
      "turns a Blob into a File": () => { const f = new FormData(); f.set("b", new Blob(["x"])); const file = f.get("b") as unknown as File; return [file instanceof File, file.name]; },
    },
  },
  {
    api: "fetch", cases: {
      "reaches a real server": async ({ url }) => { const r = await fetch(`${url.origin}/echo`, { method: "POST", body: "b", headers: { A: "1" } }); return [r.status, await r.text(), r.headers.get("x-method")]; },
      "follows redirects": async ({ url }) => { const r = await fetch(`${url.origin}/redirect`); return [r.status, r.redirected, new URL(r.url).pathname]; },
      "redirect: manual gives the 302": async ({ url }) => { const r = await fetch(`${url.origin}/redirect`, { redirect: "manual" }); return [r.status, r.headers.get("location")]; },
      "redirect: error is refused": ({ url }) => failure(() => fetch(`${url.origin}/redirect`, { redirect: "error" })),
      "is ended by its signal": async ({ url }) => failure(() => fetch(`${url.origin}/slow`, { signal: AbortSignal.timeout(50) })),
      "streams a body": async ({ url }) => { const { readable, writable } = new TransformStream(); const w = writable.getWriter(); void w.write(new TextEncoder().encode("abc")).then(() => w.close()); return (await fetch(`${url.origin}/echo`, { method: "POST", body: readable })).text(); },
      "to nobody is an error": () => failure(() => fetch("http://127.0.0.1:1/")),
      "knows data: URLs": () => failure(() => fetch("data:text/plain,hi")),
      "knows no file: URLs": () => failure(() => fetch("file:///etc/hostname")),
    },
  },
  {
    api: "caches", cases: {
      "default keeps what may be kept": async ({ url }) => { const key = `${url.origin}/k/${crypto.randomUUID()}`; await caches.default.put(key, new Response("v", { headers: { "Cache-Control": "max-age=60" } })); const hit = await caches.default.match(key); return [await hit?.text(), await caches.default.delete(key), (await caches.default.match(key)) ?? null]; },
      "open() keeps apart": async ({ url }) => { const key = `${url.origin}/k/${crypto.randomUUID()}`; const a = await caches.open("a"); await a.put(key, new Response("v", { headers: { "Cache-Control": "max-age=60" } })); return [(await (await caches.open("b")).match(key)) ?? null, await (await a.match(key))?.text()]; },
      "put() refuses other methods than GET": () => failure(() => caches.default.put(new Request("http://x/", { method: "POST" }), new Response("v"))),
      "put() refuses 206": () => failure(() => caches.default.put("http://x/", new Response("v", { status: 206 }))),
      "match() misses": async () => (await caches.default.match("http://x/none")) ?? null,
    },
  },
  {
    api: "HTMLRewriter", cases: {
      "rewrites elements": () => new HTMLRewriter().on("a", { element(e) { e.setAttribute("href", "/b"); e.setInnerContent("c"); } }).transform(new Response('<p><a href="/a">x</a></p>')).text(),
      "removes, keeps content, renames, sets attributes": () => new HTMLRewriter().on("b", { element(e) { e.removeAndKeepContent(); } }).on("i", { element(e) { e.tagName = "em"; e.setAttribute("a", "<\"&"); } }).on("u", { element(e) { e.remove(); } }).transform(new Response("<b>1</b><i>2</i><u>3</u>")).text(),
      "lists attributes": async () => { let seen: unknown; await new HTMLRewriter().on("a", { element(e) { seen = [[...e.attributes], e.getAttribute("none"), e.hasAttribute("z"), e.tagName]; } }).transform(new Response('<A x=1 y="2" z>')).text(); return seen; },
      "awaits handlers": () => new HTMLRewriter().on("a", { async element(e) { await scheduler.wait(1); e.after("&", { html: false }); e.onEndTag((t) => { t.before("!"); }); } }).transform(new Response("<a>x</a>")).text(),
      "tells the doctype": async () => { let seen: unknown; await new HTMLRewriter().onDocument({ doctype(d) { seen = [d.name, d.publicId, d.systemId]; } }).transform(new Response("<!doctype html>")).text(); return seen; },
      "a handler's error ends the body": async () => { try { await new HTMLRewriter().on("a", { element() { throw new RangeError("no"); } }).transform(new Response("<a>")).text(); return "nothing"; } catch (e) { return [(e as Error).name, (e as Error).message]; } },
      "a bad selector is refused": () => { try { new HTMLRewriter().on("a[", {}); return "nothing"; } catch (e) { return [(e as Error).name, (e as Error).message]; } },
      "tokens end with their handler": async () => { let kept: Element | undefined; await new HTMLRewriter().on("a", { element(e) { kept = e; } }).transform(new Response("<a>")).text(); try { return kept!.tagName; } catch (e) { return [(e as Error).name, (e as Error).message]; } },
      "keeps status and headers, not the length": () => { const r = new HTMLRewriter().transform(new Response("<a>", { status: 201, headers: { "Content-Length": "3", A: "b" } })); return [r.status, r.headers.get("content-length"), r.headers.get("a")]; },
      "sees text, comments and the end": () => new HTMLRewriter().on("p", { text(t) { if (t.text) t.replace("y"); } }).onDocument({ comments(c) { c.remove(); }, end(e) { e.append("!", { html: false }); } }).transform(new Response("<p>x</p><!-- c -->")).text(),
    },
  },
  {
    api: "URL, URLPattern", cases: {
      "URL parses": () => { const u = new URL("../b?q=1#h", "http://u:p@x:81/a/c"); return [u.href, u.origin, u.searchParams.get("q"), URL.canParse("nope")]; },
      "URLPattern matches": () => new URLPattern({ pathname: "/a/:id" }).exec("http://x/a/7")?.pathname.groups.id,
    },
  },
];
