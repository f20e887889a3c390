// Namespaces, ids, stubs, RPC, alarms and facets, as their callers see them.
import { failure, reason, until, type Area, type Given } from "../case.ts";

type Loose = Record<string, (...given: unknown[]) => Promise<unknown>>;
const fresh = ({ env }: Given) => env.PROBE.getByName(crypto.randomUUID());
const loose = (given: Given) => fresh(given) as unknown as Loose;

export const objects: Area[] = [
  {
    api: "DurableObjectNamespace", cases: {
      "a name gives the same id always": ({ env }) => env.PROBE.idFromName("alice").toString(),
      "ids know their names": ({ env }) => { const id = env.PROBE.idFromName("alice"); return [id.name, env.PROBE.idFromString(id.toString()).name, id.equals(env.PROBE.idFromString(id.toString()))]; },
      "newUniqueId is 64 hex digits": ({ env }) => /^[0-9a-f]{64}$/.test(env.PROBE.newUniqueId().toString()),
      "idFromString refuses what is none": async ({ env }) => [await failure(() => env.PROBE.idFromString("x")), await failure(() => env.PROBE.idFromString("0".repeat(64)))],
      "refuses ids of another namespace": async ({ env }) => [await failure(() => env.PROBE.get(env.PLAIN.idFromName("a"))), await failure(() => env.PROBE.idFromString(env.PLAIN.idFromName("a").toString()))],
      "get() without an id is refused": ({ env }) => failure(() => (env.PROBE as unknown as { get(): void }).get()),
      "takes options it has no use for": ({ env }) => env.PROBE.get(env.PROBE.idFromName("alice"), { locationHint: "weur" }).name,
      "jurisdictions are not there off Cloudflare": ({ env }) => failure(() => env.PROBE.jurisdiction("eu").newUniqueId()),
      "an unknown jurisdiction is refused": ({ env }) => { try { env.PROBE.newUniqueId({ jurisdiction: "nowhere" as "eu" }); return "nothing"; } catch { return "refused"; } },
      "newUniqueId with a jurisdiction": ({ env }) => failure(() => env.PROBE.newUniqueId({ jurisdiction: "eu" })),
      "ids print as themselves": ({ env }) => String(env.PROBE.idFromName("alice")).length,
    },
  },
  {
    api: "DurableObjectStub", cases: {
      "fetch() reaches the object": async (given) => (await fresh(given).fetch("http://x/p?q", { method: "POST", body: "b" })).json(),
      "fetch() refuses relative URLs": (given) => failure(() => fresh(given).fetch("/p")),
      "an error in fetch() rejects with it": async (given) => reason(() => fresh(given).fetch("http://x/throw")),
      "knows id and name": ({ env }) => { const s = env.PROBE.getByName("alice"); return [s.name, s.id.name, s.id.equals(env.PROBE.idFromName("alice"))]; },
      "one name is one object": async ({ env }) => { const name = crypto.randomUUID(); return (await env.PROBE.getByName(name).instance()) === (await env.PROBE.getByName(name).instance()); },
      "is not a promise": ({ env }) => typeof (env.PROBE.getByName("a") as unknown as { then?: unknown }).then,
      "calls arrive in order": async (given) => { const s = fresh(given); await Promise.all([1, 2, 3, 4].map((n) => s.remember("last", n))); return s.recall("last"); },
      "abort() resets the object": async (given) => { const s = fresh(given); const before = await s.instance(); const why = await reason(() => s.abort()); const again = given.env.PROBE.get(s.id); return [why, before !== await again.instance()]; },
    },
  },
  {
    api: "RPC", cases: {
      "methods take and return values": (given) => fresh(given).add(2, 3),
      "getters are read": async (given) => fresh(given).answer,
      "properties are pipelined": async (given) => [await fresh(given).nested.deep.value, await fresh(given).nested.deep.call(2)],
      "own properties are not reached": (given) => reason(() => (loose(given) as unknown as { ownProperty: Promise<unknown> }).ownProperty),
      "a missing method says so": (given) => reason(() => loose(given).nope!()),
      "reserved names are not called": async (given) => [await failure(() => loose(given).alarm!()), await failure(() => loose(given).constructor!())],
      "clones values": async (given) => { const v = { map: new Map([[1, new Set(["x"])]]), date: new Date(5), big: 9n, re: /a+/g, u: undefined, bytes: new Uint8Array([1]), nested: [1, [2]] }; const b = await fresh(given).echo(v) as typeof v; return [b.map, b.date, b.big, String(b.re), "u" in b, b.bytes, b.nested]; },
      "keeps cycles and aliases": async (given) => { const s = { a: 1 }; const v: Record<string, unknown> = { x: s, y: s }; v.self = v; const b = await fresh(given).echo(v) as typeof v; return [b.x === b.y, b.self === b]; },
      "keeps errors as values": async (given) => { const e = await fresh(given).echo(new TypeError("v")) as Error; return [e instanceof TypeError, e.message]; },
      "refuses class instances": (given) => failure(() => fresh(given).echo(new (class Point { x = 1; })())),
      "refuses URL, FormData and Symbol": (given) => Promise.all([new URL("http://x"), new FormData(), Symbol("s")].map((v) => failure(() => fresh(given).echo(v)))),
      "null-prototype objects": (given) => failure(() => fresh(given).echo(Object.create(null))),
      "Blob": (given) => failure(() => fresh(given).echo(new Blob(["x"]))),
      "AbortSignal": (given) => failure(() => fresh(given).echo(new AbortController().signal)),
      "errors arrive with name, message and remote": async (given) => { try { await fresh(given).fails(); return "nothing"; } catch (e) { const { name, message, remote, extra } = e as Error & { remote?: boolean; extra?: number }; return [name, message, remote, extra, e instanceof RangeError]; } },
      "functions are called back": (given) => fresh(given).callBack(async (n) => n + 10),
      "functions end with the call": async (given) => { const s = fresh(given); await s.keepCallback(async () => "called"); return failure(() => s.callKept()); },
      "dup() keeps a function": async (given) => { const s = fresh(given); await s.keepDuplicate((async () => "called") as never); return s.callKept(); },
      "RpcTargets keep their state": async (given) => { using c = await fresh(given).counter(); await c.increment(1); return [await c.increment(2), await c.total]; },
      "own properties of RpcTargets are not reached": async (given) => { using c = await fresh(given).counter(); return failure(() => (c as unknown as { own: Promise<unknown> }).own); },
      "calls on results are pipelined": (given) => fresh(given).counter().increment(7),
      "a disposed stub is refused": async (given) => { const c = await fresh(given).counter(); (c as unknown as Disposable)[Symbol.dispose](); return failure(() => c.increment(1)); },
      "streams go both ways": async (given) => [await new Response(await fresh(given).stream()).text(), await fresh(given).readStream(new Response("in").body!)],
      "Request and Response go": async (given) => { const r = await fresh(given).response(); return [await fresh(given).readRequest(new Request("http://x/", { method: "POST", body: "b" })), r.status, r.headers.get("x-a"), await r.text()]; },
      "stubs of objects go": async (given) => { const s = fresh(given); const back = await fresh(given).echo(s) as unknown as typeof s; return [await back.add(1, 1)]; },
      "classes keep their names": (given) => fresh(given).constructorName(),
      "values over 32 MiB are refused": (given) => failure(() => fresh(given).echo("x".repeat(33 * 1024 * 1024))),
    },
  },
  {
    api: "alarms", cases: {
      "fire once, with what is known of them": async (given) => { const s = fresh(given); await s.setAlarm(Date.now() + 50); return until(async () => (await s.recall("fired")) as unknown[] | undefined); },
      "in the past fire at once": async (given) => { const s = fresh(given); await s.setAlarm(Date.now() - 5_000); return (await until(async () => (await s.recall("fired")) as unknown[] | undefined))?.length; },
    },
  },
  {
    api: "facets", cases: {
      "have a database of their own": async (given) => { const s = fresh(given); await s.facet("a", 2); const { n } = await s.facet("a", 3); return [n, (await s.facet("b", 1)).n]; },
      "clone() copies what one stores": async (given) => { const s = fresh(given); await s.facet("a", 2); await s.facet("b", 7); await s.cloneFacet("a", "b"); return [(await s.facet("b", 1)).n, (await s.facet("a", 2)).n]; },
      "set no alarms": (given) => reason(() => fresh(given).facetAlarm("a")),
      "names have 1 to 256 characters": async (given) => [await failure(() => fresh(given).facet("x".repeat(257), 1)), (await fresh(given).facet("x".repeat(256), 1)).n],
      "delete() forgets them": async (given) => { const s = fresh(given); await s.facet("a", 2); await s.dropFacet("a"); return (await s.facet("a", 1)).n; },
    },
  },
];
