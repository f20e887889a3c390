// Headers beside Node's own on the same cases, then what only the platform does.
import { test } from "node:test";
import assert from "node:assert/strict";
import { Headers, headersFromPacked, packHeaders } from "../../src/web/headers.ts";
import { failedWith, outcome } from "./support.ts";

type AnyHeaders = Headers | globalThis.Headers;
type Make = (init?: any) => AnyHeaders;

const same: Record<string, (make: Make) => unknown> = {
  "names are compared without case": (make) => [make({ "X-Ab": "1" }).get("x-AB"), make([["A", "1"]]).has("a")],
  "values of one name are joined": (make) => make([["a", "1"], ["A", "2"], ["a", "3"]]).get("a"),
  "a missing name is null": (make) => make().get("a"),
  "values are trimmed": (make) => make({ a: " \t1 2\t " }).get("a"),
  "iteration is sorted and in lower case": (make) => [...make([["B", "1"], ["a", "2"], ["b", "3"], ["C", "4"]])],
  "cookies stay apart": (make) => [...make([["Set-Cookie", "b=1"], ["x", "y"], ["set-cookie", "a=2"]])],
  "getSetCookie gives each": (make) => make([["Set-Cookie", "b=1"], ["set-cookie", "a=2"]]).getSetCookie(),
  "set replaces every value": (make) => {
    const headers = make([["a", "1"], ["b", "2"], ["A", "3"]]);
    headers.set("A", "4");
    return [...headers];
  },
  "append adds a value": (make) => {
    const headers = make({ a: "1" });
    headers.append("A", "2");
    return headers.get("a");
  },
  "delete takes every value": (make) => {
    const headers = make([["a", "1"], ["b", "2"], ["A", "3"]]);
    headers.delete("a");
    return [...headers.keys()];
  },
  "keys, values and entries agree": (make) => {
    const headers = make({ b: "1", a: "2" });
    return [[...headers.keys()], [...headers.values()], [...headers.entries()]];
  },
  "forEach gives value, name, headers": (make) => {
    const seen: unknown[] = [];
    const headers = make({ b: "1", a: "2" });
    headers.forEach((value: string, name: string, parent: unknown) => seen.push([value, name, parent === headers]));
    return seen;
  },
  "a copy is its own": (make) => {
    const first = make({ a: "1" });
    const second = make(first);
    second.set("a", "2");
    return [first.get("a"), second.get("a")];
  },
  "an empty value stays": (make) => [...make({ a: "", b: "1" })],
  "a bad name is a TypeError": (make) => make({ "a b": "1" }).get("a"),
  "an empty name is a TypeError": (make) => make().set("", "1"),
  "a value with a line break is a TypeError": (make) => make({ a: "1\n2" }).get("a"),
  "a value with a NUL is a TypeError": (make) => make({ a: "1\x002" }).get("a"),
  "a pair of three is a TypeError": (make) => make([["a", "b", "c"]]).get("a"),
  "null is a TypeError": (make) => make(null).get("a"),
  "a Map is taken for pairs": (make) => [...make(new Map([["x", "y"]]))],
  "numbers become text": (make) => make({ a: 5 }).get("a"),
  "its string tag": (make) => Object.prototype.toString.call(make()),
};

for (const [name, run] of Object.entries(same)) {
  test(`as Node's: ${name}`, () => {
    const ours = outcome(() => run((init) => (init === undefined ? new Headers() : new Headers(init))));
    const nodes = outcome(() => run((init) => (init === undefined ? new globalThis.Headers() : new globalThis.Headers(init))));
    assert.deepEqual(ours, nodes);
    assert.equal(/ is an? \w+Error$/.test(name), failedWith(ours) !== null);
  });
}

test("characters over 255 are taken, where Node throws", () => {
  assert.equal(new Headers({ a: "é€😀" }).get("a"), "é€😀");
  assert.throws(() => new globalThis.Headers({ a: "€" }));
});

test("getAll gives cookies and refuses any other name", () => {
  const headers = new Headers([["Set-Cookie", "a=1"], ["set-cookie", "b=2"]]);
  assert.deepEqual(headers.getAll("Set-Cookie"), ["a=1", "b=2"]);
  assert.throws(() => headers.getAll("a"), { name: "TypeError", message: 'getAll() can only be used with the header name "Set-Cookie".' });
});

test("packed headers are read as they came, and go out as they came until they change", () => {
  const packed = "Host\0a.example\0X-B\x001\0x-b\x002\0Empty\0\0";
  const headers = headersFromPacked(packed);
  assert.equal(packHeaders(headers), packed);
  assert.equal(headers.get("x-b"), "1, 2");
  assert.equal(headers.get("empty"), "");
  assert.equal(packHeaders(headers), packed);
  headers.set("host", "b.example");
  assert.equal(packHeaders(headers), "Host\0b.example\0X-B\x001\0x-b\x002\0Empty\0\0");
  headers.delete("x-b");
  headers.delete("empty");
  headers.append("New", "é");
  assert.equal(packHeaders(headers), "Host\0b.example\0New\0é\0");
  assert.deepEqual([...headersFromPacked("")], []);
});

test("immutable headers refuse every change, and a copy of them does not", () => {
  const headers = headersFromPacked("a\x001\0", true);
  for (const change of [() => headers.set("a", "2"), () => headers.append("a", "2"), () => headers.delete("a")]) {
    assert.throws(change, { name: "TypeError", message: "Can't modify immutable headers." });
  }
  const copy = new Headers(headers);
  copy.set("a", "2");
  assert.equal(copy.get("a"), "2");
  assert.equal(headers.get("a"), "1");
});
