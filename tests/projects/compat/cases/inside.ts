// What only the object itself sees: its state and its storage.
import { failure, reason } from "../case.ts";
import type { Env } from "../env.ts";

interface Inside { ctx: DurableObjectState; env: Env }
export interface InsideArea { api: string; cases: Record<string, (given: Inside) => unknown> }

/** Rows of a statement, as arrays. */
const rows = (ctx: DurableObjectState, sql: string, ...bindings: unknown[]) => [...ctx.storage.sql.exec(sql, ...bindings).raw()];

export const inside: InsideArea[] = [
  {
    api: "DurableObjectState", cases: {
      "id knows its name": ({ ctx }) => [ctx.id.name!.length > 30, ctx.id.toString().length],
      "blockConcurrencyWhile gives its result": ({ ctx }) => ctx.blockConcurrencyWhile(async () => 7),
      "exports, props and facets are there": ({ ctx }) => [typeof ctx.exports, ctx.props ?? null, typeof ctx.facets],
      "getWebSockets is empty, tags are bounded": async ({ ctx }) => [ctx.getWebSockets(), await failure(() => ctx.acceptWebSocket(new WebSocketPair()[0], Array.from({ length: 11 }, (_, i) => `t${i}`))), await failure(() => ctx.acceptWebSocket(new WebSocketPair()[0], ["x".repeat(257)]))],
      "getTags of a foreign socket is refused": ({ ctx }) => failure(() => ctx.getTags(new WebSocketPair()[0])),
      "acceptWebSocket refuses what accept() has": ({ ctx }) => failure(() => { const s = new WebSocketPair()[0]; s.accept(); ctx.acceptWebSocket(s); }),
      "acceptWebSocket twice is refused": ({ ctx }) => failure(() => { const s = new WebSocketPair()[0]; ctx.acceptWebSocket(s); ctx.acceptWebSocket(s); }),
      "auto response is kept and cleared": ({ ctx }) => { ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("a", "b")); const { request, response } = ctx.getWebSocketAutoResponse()!; ctx.setWebSocketAutoResponse(); return [request, response, ctx.getWebSocketAutoResponse()]; },
      "the event timeout is kept": ({ ctx }) => { const before = ctx.getHibernatableWebSocketEventTimeout(); ctx.setHibernatableWebSocketEventTimeout(5_000); return [before, ctx.getHibernatableWebSocketEventTimeout()]; },
      "waitUntil takes promises": ({ ctx }) => { ctx.waitUntil(Promise.resolve()); return true; },
      "an attachment over 16 KiB is refused": ({ ctx }) => { const s = new WebSocketPair()[0]; ctx.acceptWebSocket(s); return failure(() => s.serializeAttachment("x".repeat(17_000))); },
      "an attachment is a copy": ({ ctx }) => { const s = new WebSocketPair()[0]; ctx.acceptWebSocket(s); const v = { a: 1 }; s.serializeAttachment(v); v.a = 2; return [s.deserializeAttachment(), new WebSocketPair()[0].deserializeAttachment()]; },
    },
  },
  {
    api: "storage (asynchronous)", cases: {
      "get, put, delete of one": async ({ ctx: { storage } }) => { await storage.put("a", { x: [1] }); return [await storage.get("a"), await storage.delete("a"), await storage.delete("a"), await storage.get("a")]; },
      "get, put, delete of many": async ({ ctx: { storage } }) => { await storage.put({ b: 2, a: 1 }); return [await storage.get(["b", "c", "a"]), await storage.delete(["a", "c"])]; },
      "list by every option": async ({ ctx: { storage } }) => { await storage.put({ a: 1, b: 2, ba: 3, c: 4 }); const keys = async (o?: DurableObjectListOptions) => [...(await storage.list(o)).keys()]; return [await keys(), await keys({ prefix: "b" }), await keys({ start: "b", end: "c" }), await keys({ startAfter: "b" }), await keys({ reverse: true, limit: 2 })]; },
      "list refuses start with startAfter": ({ ctx: { storage } }) => failure(() => storage.list({ start: "a", startAfter: "b" })),
      "put(undefined) is refused": ({ ctx: { storage } }) => failure(() => storage.put("a", undefined)),
      "keys over 2 KiB are refused": ({ ctx: { storage } }) => failure(() => storage.put("k".repeat(2049), 1)),
      "values over 2 MiB are refused": ({ ctx: { storage } }) => failure(() => storage.put("a", new Uint8Array(2 * 1024 * 1024 + 1))),
      "more than 128 keys are refused": ({ ctx: { storage } }) => failure(() => storage.get(Array.from({ length: 129 }, (_, i) => `k${i}`))),
      "values are copies": async ({ ctx: { storage } }) => { const v = { a: 1 }; await storage.put("v", v); v.a = 2; return storage.get("v"); },
      "values keep their kinds": async ({ ctx: { storage } }) => { await storage.put("v", [new Map([[1, 2]]), new Date(5), 9n, /a/g, new Uint8Array([1]), undefined, NaN]); const [m, d, b, r, u, un, nan] = (await storage.get<unknown[]>("v"))!; return [m, d, b, String(r), u, un === undefined, Number.isNaN(nan)]; },
      "functions and classes are refused": async ({ ctx: { storage } }) => [await failure(() => storage.put("f", () => {})), await failure(() => storage.put("u", new URL("http://x")))],
      "deleteAll forgets": async ({ ctx: { storage } }) => { await storage.put("a", 1); await storage.deleteAll(); return (await storage.list()).size; },
      "transaction undoes what failed": async ({ ctx: { storage } }) => { await storage.put("a", 1); const why = await reason(() => storage.transaction(async (t) => { await t.put("a", 2); throw new Error("undo"); })); return [why, await storage.get("a")]; },
      "transaction rolls back when told": async ({ ctx: { storage } }) => { await storage.put("a", 1); await storage.transaction(async (t) => { await t.put("a", 2); t.rollback(); }); return storage.get("a"); },
      "sync() waits for the disk": async ({ ctx: { storage } }) => { void storage.put("a", 1); await storage.sync(); return true; },
      "bookmarks": async ({ ctx: { storage } }) =>
        failure(async () => /^[0-9a-f-]{59}$/.test(await storage.getCurrentBookmark())),
    },
  },
  {
    api: "storage.kv (synchronous)", cases: {
      "get, put, delete, list": ({ ctx: { storage: { kv } } }) => { kv.put("a", { x: 1 }); kv.put("b", 2); return [kv.get("a"), kv.get("none"), [...kv.list()].map(([k]) => k), [...kv.list({ prefix: "b" })], kv.delete("a"), kv.delete("a")]; },
      "put(undefined)": ({ ctx: { storage: { kv } } }) => failure(() => kv.put("a", undefined)),
      "shares its keys with the asynchronous one": async ({ ctx: { storage } }) => { storage.kv.put("a", 1); await storage.put("b", 2); return [await storage.get("a"), storage.kv.get("b")]; },
      "list is an iterator, not a Map": ({ ctx: { storage: { kv } } }) => [typeof (kv.list() as unknown as { next?: unknown }).next, kv.list() instanceof Map],
    },
  },
  {
    api: "storage.sql", cases: {
      "cursors: one, toArray, raw, next, columnNames": ({ ctx }) => { const q = () => ctx.storage.sql.exec("SELECT 1 AS a, 'x' AS b UNION SELECT 2, 'y'"); const c = q(); return [q().toArray(), [...q().raw()], c.next(), c.columnNames, ctx.storage.sql.exec("SELECT 7 AS n").one()]; },
      "one() refuses none and many": async ({ ctx }) => [await failure(() => ctx.storage.sql.exec("SELECT 1 WHERE 0").one()), await failure(() => ctx.storage.sql.exec("SELECT 1 UNION SELECT 2").one())],
      "bindings are of every kind": ({ ctx }) => rows(ctx, "SELECT typeof(?), typeof(?), typeof(?), typeof(?), ?", 1, "s", null, new Uint8Array([1]), new Uint8Array([1, 2]).buffer),
      "booleans, bigints and undefined as bindings": ({ ctx }) => Promise.all([true, 1n, undefined].map((v) => failure(() => ctx.storage.sql.exec("SELECT ?", v)))),
      "too few and too many bindings are refused": async ({ ctx }) => [await failure(() => ctx.storage.sql.exec("SELECT ?")), await failure(() => ctx.storage.sql.exec("SELECT 1", 2))],
      "several statements in one exec": ({ ctx }) => rows(ctx, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); SELECT count(*) FROM t"),
      "rowsRead and rowsWritten": ({ ctx }) => { const c = ctx.storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)"); c.toArray(); return [typeof c.rowsRead, c.rowsWritten > 0]; },
      "databaseSize grows": ({ ctx }) => { const before = ctx.storage.sql.databaseSize; ctx.storage.sql.exec("CREATE TABLE t (a)"); return ctx.storage.sql.databaseSize > before; },
      "errors name what is wrong": ({ ctx }) => reason(() => ctx.storage.sql.exec("SELECT * FROM nowhere")),
      "syntax errors": ({ ctx }) => reason(() => ctx.storage.sql.exec("SELEC 1")),
      "BEGIN and SAVEPOINT are refused": ({ ctx }) => Promise.all(["BEGIN", "SAVEPOINT s", "COMMIT"].map((q) => failure(() => ctx.storage.sql.exec(q)))),
      "ATTACH, VACUUM and most PRAGMA are refused": ({ ctx }) => Promise.all(["ATTACH 'x' AS y", "VACUUM", "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 2"].map((q) => failure(() => ctx.storage.sql.exec(q)))),
      "PRAGMA table_info and foreign_keys work": ({ ctx }) => { ctx.storage.sql.exec("CREATE TABLE t (a)"); return [rows(ctx, "PRAGMA table_info(t)").length, rows(ctx, "PRAGMA foreign_keys"), rows(ctx, "PRAGMA table_list").length > 0]; },
      "_cf_ tables are refused": ({ ctx }) => Promise.all(["SELECT * FROM _cf_KV", "CREATE TABLE _cf_mine (a)"].map((q) => failure(() => ctx.storage.sql.exec(q)))),
      "full text, JSON and math functions": ({ ctx }) => { ctx.storage.sql.exec("CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES ('hello world')"); return [rows(ctx, "SELECT count(*) FROM f WHERE f MATCH 'world'"), rows(ctx, "SELECT json_extract('{\"a\":[1,2]}', '$.a[1]'), '{\"a\":1}' ->> 'a', floor(1.5), pow(2, 3)")]; },
      "window functions, RETURNING, upsert, CTE": ({ ctx }) => { ctx.storage.sql.exec("CREATE TABLE t (a PRIMARY KEY, b)"); return [rows(ctx, "INSERT INTO t VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = 3 RETURNING a, b"), rows(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) OVER () FROM n LIMIT 1")]; },
      "integers over 2^53": ({ ctx }) => rows(ctx, "SELECT 9007199254740993"),
      "transactionSync undoes what failed": async ({ ctx }) => { ctx.storage.sql.exec("CREATE TABLE t (a)"); const why = await reason(() => ctx.storage.transactionSync(() => { ctx.storage.sql.exec("INSERT INTO t VALUES (1)"); throw new Error("undo"); })); return [why, rows(ctx, "SELECT count(*) FROM t")]; },
      "transactionSync nests": ({ ctx }) => { ctx.storage.sql.exec("CREATE TABLE t (a)"); ctx.storage.transactionSync(() => { ctx.storage.sql.exec("INSERT INTO t VALUES (1)"); try { ctx.storage.transactionSync(() => { ctx.storage.sql.exec("INSERT INTO t VALUES (2)"); throw new Error("x"); }); } catch { /* undone alone */ } }); return rows(ctx, "SELECT a FROM t"); },
      "a cursor sees rows written while it reads": ({ ctx }) => { ctx.storage.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)"); const seen = []; for (const row of ctx.storage.sql.exec("SELECT a FROM t")) { seen.push(row.a); } return seen; },
      "dates and the current time": ({ ctx }) => rows(ctx, "SELECT date('2020-01-01', '+1 day'), typeof(unixepoch())"),
      "functions that load code are refused": ({ ctx }) => failure(() => ctx.storage.sql.exec("SELECT load_extension('x')")),
    },
  },
  {
    api: "alarms (storage)", cases: {
      "set, get, delete": async ({ ctx: { storage } }) => { const at = Date.now() + 100_000; await storage.setAlarm(new Date(at)); const seen = (await storage.getAlarm()) === at; await storage.deleteAlarm(); return [seen, await storage.getAlarm()]; },
      "an alarm needs a number or date": ({ ctx: { storage } }) => failure(() => storage.setAlarm("soon" as unknown as number)),
      "times before 1970 are refused": ({ ctx: { storage } }) => failure(() => storage.setAlarm(-1)),
      "deleteAll deletes the alarm too": async ({ ctx: { storage } }) => { await storage.setAlarm(Date.now() + 100_000); await storage.deleteAll(); const seen = await storage.getAlarm(); await storage.deleteAlarm(); return seen; },
      "a transaction that fails undoes the alarm": async ({ ctx: { storage } }) => { await storage.transaction(async (t) => { await t.setAlarm(Date.now() + 100_000); throw new Error("x"); }).catch(() => {}); return storage.getAlarm(); },
    },
  },
  {
    api: "classes of new_classes (no SQL)", cases: {
      "sql refuses": async ({ ctx }) => (await reason(() => ctx.storage.sql.exec("SELECT 1"))).split(".")[0],
      "sql is there": ({ ctx }) => typeof ctx.storage.sql,
      "kv refuses": async ({ ctx }) => (await reason(() => ctx.storage.kv.put("a", 1))).slice(0, 60),
      "transactionSync": ({ ctx }) => reason(() => ctx.storage.transactionSync(() => 1)),
      "the asynchronous storage works": async ({ ctx: { storage } }) => { await storage.put("a", 1); return storage.get("a"); },
      "values over 128 KiB": ({ ctx: { storage } }) => failure(() => storage.put("a", new Uint8Array(128 * 1024 + 100))),
    },
  },
];
