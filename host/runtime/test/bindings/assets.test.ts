// Static assets over a real folder: which file a path means, who comes first, and that nothing
// outside of the folder can be had.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Assets, type AssetsConfig } from "../../src/bindings/assets.ts";
import { parseHeaders, parseIgnore, parseRedirects, parseWorkerFirst } from "../../src/bindings/assets_rules.ts";
import { contentTypeOf } from "../../src/bindings/assets_types.ts";
import { takeResponse, type Response } from "../../src/web/response.ts";

let top = "";
let directory = "";

function put(path: string, content: string | Uint8Array): void {
  const file = join(top, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

before(() => {
  top = mkdtempSync(join(tmpdir(), "hearth-assets-"));
  directory = join(top, "public");
  for (const name of ["index.html", "file.html", "folder/index.html", "both.html", "both/index.html", "deep/404.html", "404.html", "app.js",
    "a b.txt", "plain", "folder/data.json", ".well-known/x.txt", "secret/hidden.txt", "secret/shown.txt", "node_modules/x.js"]) {
    put(`public/${name}`, `<${name}>`);
  }
  put("outside.txt", "outside");
  put("outside/in.txt", "outside");
  put("public/big.bin", new Uint8Array(3 * 1024 * 1024).fill(7));
  put("public/.assetsignore", "secret/*\n!secret/shown.txt\n# a comment\n");
  put("public/_redirects", "/old /file 301\n/go/* https://x.example/:splat 302\n/user/:id /file?id=:id\n/inner /plain 200\nbad line\n");
  put("public/_headers", "/app.js\n  X-A: 1\n  ! ETag\n/folder/*\n  X-Splat: :splat\n");
  symlinkSync(join(top, "outside.txt"), join(directory, "leak.txt"));
  symlinkSync(join(top, "outside"), join(directory, "leaks"));
  symlinkSync(join(directory, "plain"), join(directory, "inside.txt"));
  symlinkSync("loop", join(directory, "loop"));
});
after(() => rmSync(top, { recursive: true }));

function assets(changes: Partial<AssetsConfig> = {}): Assets {
  return new Assets({ directory, ...changes });
}
async function told(response: Response | null): Promise<unknown> {
  if (response === null) return "the worker";
  const location = response.headers.get("location");
  return location !== null ? [response.status, location] : [response.status, await response.text()];
}
const get = async (from: Assets, path: string, headers = "") => told(await from.serve("GET", `http://h${path}`, headers));

const htmlCases: Record<NonNullable<AssetsConfig["html"]>, Record<string, unknown>> = {
  "auto-trailing-slash": {
    "/": [200, "<index.html>"], "/index.html": [307, "/"], "/index": [307, "/"],
    "/file": [200, "<file.html>"], "/file.html": [307, "/file"], "/file/": [307, "/file"], "/file/index": [307, "/file"],
    "/folder": [307, "/folder/"], "/folder/": [200, "<folder/index.html>"], "/folder/index.html": [307, "/folder/"], "/folder/index": [307, "/folder/"],
    "/folder.html": [307, "/folder/"], "/both": [200, "<both.html>"], "/both/": [200, "<both/index.html>"], "/file?q=1": [200, "<file.html>"], "/file.html?q=1": [307, "/file?q=1"],
  },
  "force-trailing-slash": {
    "/": [200, "<index.html>"], "/file": [307, "/file/"], "/file.html": [307, "/file/"], "/file/": [200, "<file.html>"],
    "/folder": [307, "/folder/"], "/folder/": [200, "<folder/index.html>"], "/folder/index.html": [307, "/folder/"],
  },
  "drop-trailing-slash": {
    "/": [200, "<index.html>"], "/file": [200, "<file.html>"], "/file/": [307, "/file"], "/file.html": [307, "/file"],
    "/folder": [200, "<folder/index.html>"], "/folder/": [307, "/folder"], "/folder/index.html": [307, "/folder"],
  },
  none: {
    "/": "the worker", "/file": "the worker", "/file.html": [200, "<file.html>"], "/folder/": "the worker", "/folder/index.html": [200, "<folder/index.html>"],
  },
};
for (const [html, cases] of Object.entries(htmlCases)) {
  for (const [path, expected] of Object.entries(cases)) {
    test(`${html}: ${path}`, async () => {
      assert.deepEqual(await get(assets({ html: html as "none" }), path), expected);
    });
  }
}

test("files are served by their names, decoded", async () => {
  assert.deepEqual(await get(assets(), "/app.js"), [200, "<app.js>"]);
  assert.deepEqual(await get(assets(), "/a%20b.txt"), [200, "<a b.txt>"]);
  assert.deepEqual(await get(assets(), "/plain"), [200, "<plain>"]);
  assert.deepEqual(await get(assets(), "/.well-known/x.txt"), [200, "<.well-known/x.txt>"]);
});
test("what is no asset is the worker's, or nobody's", async () => {
  assert.equal(await get(assets(), "/agents/coder/x"), "the worker");
  assert.equal(await get(assets(), "/nothing.txt"), "the worker");
  assert.deepEqual(await told(await assets().serve("GET", "http://h/nothing", "", false)), [404, ""]);
  assert.equal(await get(new Assets({ directory: join(top, "absent") }), "/"), "the worker");
});
test("no path leaves the folder, by dots, encodings, NULs or links", async () => {
  const paths = ["/../outside.txt", "/..%2foutside.txt", "/%2e%2e/outside.txt", "/folder/../../outside.txt", "/folder/%2e%2e%2f%2e%2e%2foutside.txt",
    "/..%5coutside.txt", "/%00", "/app.js%00.html", "/%ff", "//outside.txt", "/leak.txt", "/leaks/in.txt", "/leaks/", "/loop", "/.//app.js", "/folder//data.json"];
  const binding = assets({ notFound: "none" });
  for (const path of paths) {
    assert.equal(await get(binding, path), "the worker", path);
    assert.equal((await binding.fetch(`http://h${path}`)).status, 404, path);
  }
  assert.deepEqual(await get(binding, "/inside.txt"), [200, "<plain>"]);
});
test("ignored files and the rules' own files are not served", async () => {
  for (const path of ["/secret/hidden.txt", "/_headers", "/_redirects", "/.assetsignore", "/node_modules/x.js"]) {
    assert.equal(await get(assets(), path), "the worker", path);
  }
  assert.deepEqual(await get(assets(), "/secret/shown.txt"), [200, "<secret/shown.txt>"]);
});
test("single-page-application: navigations get the page, the rest the worker", async () => {
  const binding = assets({ notFound: "single-page-application" });
  assert.deepEqual(await get(binding, "/some/route", "Sec-Fetch-Mode\0navigate\0"), [200, "<index.html>"]);
  assert.equal(await get(binding, "/api/x", "Sec-Fetch-Mode\0cors\0"), "the worker");
  assert.deepEqual(await told(await binding.fetch("http://h/some/route")), [200, "<index.html>"]);
});
test("404-page: the nearest page, with 404", async () => {
  const binding = assets({ notFound: "404-page" });
  assert.deepEqual(await told(await binding.fetch("http://h/deep/er/x")), [404, "<deep/404.html>"]);
  assert.deepEqual(await told(await binding.fetch("http://h/other/x")), [404, "<404.html>"]);
  assert.equal(await get(binding, "/other/x"), "the worker");
  assert.deepEqual(await told(await binding.serve("GET", "http://h/x/y", "", false)), [404, "<404.html>"]);
});
test("the worker may come first, for all or by pattern", async () => {
  assert.equal(await get(assets({ runWorkerFirst: true }), "/app.js"), "the worker");
  const binding = assets({ runWorkerFirst: ["/folder/*", "!/folder/data.json"] });
  assert.equal(await get(binding, "/folder/"), "the worker");
  assert.deepEqual(await get(binding, "/folder/data.json"), [200, "<folder/data.json>"]);
  assert.deepEqual(await get(binding, "/app.js"), [200, "<app.js>"]);
  assert.deepEqual(await told(await binding.fetch("http://h/folder/")), [200, "<folder/index.html>"]);
});
test("types, tags and caching", async () => {
  const response = await assets().fetch("http://h/file");
  assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "public, max-age=0, must-revalidate");
  const etag = response.headers.get("etag")!;
  assert.match(etag, /^"[0-9a-f-]+"$/);
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const again = await assets().fetch("http://h/file", { headers: { "if-none-match": tag } });
    assert.deepEqual([again.status, again.body], [304, null]);
  }
  assert.equal((await assets().fetch("http://h/file", { headers: { "if-none-match": '"other"' } })).status, 200);
  assert.deepEqual(["/x/y.SVG", "a.woff2", "noext", "dir.js/name", "a.wasm"].map(contentTypeOf),
    ["image/svg+xml", "font/woff2", "application/octet-stream", "application/octet-stream", "application/wasm"]);
});
test("HEAD has the length and no body, other methods are refused", async () => {
  const head = await assets().fetch("http://h/file", { method: "HEAD" });
  assert.deepEqual([head.status, head.body, head.headers.get("content-length")], [200, null, "11"]);
  const post = await assets().fetch("http://h/file", { method: "POST", body: "x" });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
  assert.equal(assets().serve("POST", "http://h/agents/x/y", ""), null);
});
test("a large file is streamed, with its length", async () => {
  const parts = takeResponse(await assets().fetch("http://h/big.bin"));
  assert.equal(parts.bodyKind, 2);
  assert.match(parts.headers, /Content-Length\x003145728\0/);
  let length = 0;
  for await (const chunk of parts.body as ReadableStream<Uint8Array>) length += chunk.byteLength;
  assert.equal(length, 3145728);
});
test("_redirects and _headers are followed", async () => {
  const binding = assets();
  assert.deepEqual(await get(binding, "/old?a=1"), [301, "/file?a=1"]);
  assert.deepEqual(await get(binding, "/go/a/b"), [302, "https://x.example/a/b"]);
  assert.deepEqual(await get(binding, "/user/7"), [302, "/file?id=7"]);
  assert.deepEqual(await get(binding, "/inner"), [200, "<plain>"]);
  const script = await binding.fetch("http://h/app.js");
  assert.deepEqual([script.headers.get("x-a"), script.headers.get("etag")], ["1", null]);
  assert.equal((await binding.fetch("http://h/folder/data.json")).headers.get("x-splat"), "data.json");
});
test("a file that appears is found, and its change changes its tag", async (context) => {
  const binding = assets();
  const realNow = performance.now.bind(performance);
  let later = 0;
  context.mock.method(performance, "now", () => realNow() + later);
  assert.equal(await get(binding, "/fresh.txt"), "the worker");
  put("public/fresh.txt", "1");
  later += 1000;
  assert.deepEqual(await get(binding, "/fresh.txt"), [200, "1"]);
  const before = (await binding.fetch("http://h/fresh.txt")).headers.get("etag");
  utimesSync(join(directory, "fresh.txt"), new Date(1e12), new Date(1e12));
  assert.notEqual((await binding.fetch("http://h/fresh.txt")).headers.get("etag"), before);
});
test("patterns mean what their files' formats say", () => {
  const ignored = parseIgnore("*.map\n/top.txt\nsub/\n**/deep/x\na/**/z\n!keep.map");
  for (const path of ["/a.map", "/x/a.map", "/top.txt", "/sub/x", "/q/sub/x", "/p/deep/x", "/deep/x", "/a/z", "/a/b/c/z"]) assert.ok(ignored(path), path);
  for (const path of ["/keep.map", "/x/top.txt", "/sub", "/deepx", "/b/a/z"]) assert.ok(!ignored(path), path);
  const first = parseWorkerFirst(["/api/*", "!/api/public/*"]);
  assert.deepEqual(["/api/x", "/api", "/api/public/x", "/apis/x"].map(first), [true, false, false, false]);
  assert.equal(parseRedirects("# nothing\n"), null);
  assert.equal(parseHeaders(""), null);
});
