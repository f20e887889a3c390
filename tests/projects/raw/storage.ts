// What the tests ask of storage, by the last part of the path.
export async function storage(ctx: DurableObjectState, url: URL, request: Request): Promise<Response> {
  const { storage } = ctx;
  const verb = url.pathname.split("/").at(-1)!;
  switch (verb) {
    case "whole-kv": return Response.json(await kv(storage));
    case "whole-sql": return Response.json(sql(storage));
    case "transactions": return Response.json(await transactions(storage));
    case "limits": return Response.json(await limits(storage));
    case "put": await storage.put(url.searchParams.get("key")!, await request.text()); return new Response("put");
    case "get": return new Response((await storage.get<string>(url.searchParams.get("key")!)) ?? "(nothing)");
    case "increment": {
      const value = ((await storage.get<number>("n")) ?? 0) + 1;
      storage.put("n", value);
      return new Response(String(value));
    }
    case "count": return new Response(String((await storage.get<number>("n")) ?? 0));
    case "alarm-set": {
      await storage.put("failures", Number(url.searchParams.get("failures") ?? 0));
      const due = Date.now() + Number(url.searchParams.get("in"));
      await storage.put({ due, again: Number(url.searchParams.get("again") ?? 0) });
      await storage.setAlarm(due);
      return Response.json(await storage.getAlarm());
    }
    case "alarm-get": return Response.json({ alarm: await storage.getAlarm(), fired: (await storage.get("fired")) ?? [] });
    case "alarm-delete": await storage.deleteAlarm(); return Response.json(await storage.getAlarm());
    case "delete-all": await storage.deleteAll(); return Response.json((await storage.list()).size);
    default: return new Response("no such test", { status: 404 });
  }
}

async function kv(storage: DurableObjectStorage) {
  await storage.put({ a: 1, b: "two", c: { deep: [new Date(7), new Map([["x", 1n]])] }, d: new Uint8Array([9, 8]) });
  const many = await storage.get<any>(["a", "b", "missing"]);
  const c = await storage.get<any>("c");
  const found = {
    many: [...many], date: c.deep[0].getTime(), map: String(c.deep[1].get("x")), bytes: [...(await storage.get<Uint8Array>("d"))!],
    list: [...(await storage.list()).keys()], prefix: [...(await storage.list({ prefix: "b" })).keys()],
    reverse: [...(await storage.list({ reverse: true, limit: 2 })).keys()],
    range: [...(await storage.list({ start: "b", end: "d" })).keys()],
    after: [...(await storage.list({ startAfter: "b" })).keys()],
    deletedOne: await storage.delete("a"), deletedMissing: await storage.delete("a"), deletedMany: await storage.delete(["b", "c", "zz"]),
    rest: [...(await storage.list()).keys()], missing: (await storage.get("a")) === undefined,
  };
  storage.kv.put("sync", { n: 1 });
  return { ...found, sync: storage.kv.get("sync"), syncList: [...storage.kv.list()].map(([key]) => key), syncDelete: storage.kv.delete("sync") };
}

function sql({ sql }: DurableObjectStorage) {
  sql.exec("CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, label TEXT, score REAL, data BLOB); CREATE INDEX IF NOT EXISTS by_label ON item (label)");
  sql.exec("DELETE FROM item");
  for (const label of ["one", "two", "three"]) sql.exec("INSERT INTO item (label, score, data) VALUES (?, ?, ?)", label, label.length / 2, new Uint8Array([1, 2, 3]).buffer);
  const cursor = sql.exec("SELECT * FROM item ORDER BY id");
  const first = cursor.next();
  const rest = cursor.toArray();
  const blob = rest[0]!.data;
  const error = attempt(() => sql.exec("SELECT x FROM nowhere"));
  const one = attempt(() => sql.exec("SELECT * FROM item").one());
  sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(body)");
  sql.exec("INSERT INTO words VALUES ('agents have memory')");
  return {
    first: first.value?.label, done: first.done, labels: rest.map((row) => row.label), columns: cursor.columnNames,
    blob: blob instanceof ArrayBuffer ? [...new Uint8Array(blob)] : typeof blob,
    raw: [...sql.exec("SELECT id, label FROM item WHERE score > ? ORDER BY id", 1.5).raw()],
    types: sql.exec("SELECT typeof(?) AS n, typeof(?) AS s, typeof(?) AS z, typeof(?) AS b", 1, "s", null, new ArrayBuffer(1)).one(),
    count: sql.exec("SELECT count(*) AS n FROM item").one().n, json: sql.exec("SELECT json_extract('{\"a\":[1,2]}', '$.a[1]') AS v").one().v,
    written: sql.exec("UPDATE item SET score = 0").rowsWritten > 0, size: sql.databaseSize > 0, error, one,
    search: sql.exec("SELECT count(*) AS n FROM words WHERE words MATCH 'memory'").one().n,
    refused: [attempt(() => sql.exec("BEGIN TRANSACTION")), attempt(() => sql.exec("ATTACH 'x' AS y"))].map((text) => text !== "no error"),
  };
}

async function transactions(storage: DurableObjectStorage) {
  await storage.put("t", "before");
  const failed = attempt(() => storage.transactionSync(() => { storage.kv.put("t", "inside"); throw new Error("undo"); }));
  const afterFailed = await storage.get("t");
  const result = storage.transactionSync(() => { storage.kv.put("t", "kept"); return 5; });
  const asyncFailed = await storage.transaction(async (txn) => { await txn.put("t", "lost"); throw new Error("undo too"); }).catch((e: Error) => e.message);
  const afterAsync = await storage.get("t");
  await storage.transaction(async (txn) => { await txn.put("t", "rolled"); txn.rollback(); });
  return { failed, afterFailed, result, asyncFailed, afterAsync, afterRollback: await storage.get("t") };
}

async function limits(storage: DurableObjectStorage) {

  const notCloneable = await Promise.resolve().then(() => storage.put("f", () => 1)).then(() => "no error", (e: Error) => e.name);
  return { notCloneable };
}

function attempt(action: () => unknown): string {
  try { action(); return "no error"; } catch (error) { return (error as Error).message; }
}
