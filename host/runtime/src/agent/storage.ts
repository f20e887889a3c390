// DurableObjectStorage: the asynchronous key-value API, its synchronous twin `storage.kv`, alarms and
// transactions. Nothing here waits for the disk: the addon commits what one turn wrote, and the
// output gate holds what leaves the agent until that is durable. Promises exist because the platform
// has them; they are settled when they are returned, but for sync() and transaction().
import type { AsyncLocalStorage } from "node:async_hooks";
import type { Database, ListOptions } from "../addon.ts";
import { STORAGE_GONE } from "./errors.ts";
import { SqlStorage, type DatabaseSource } from "./sql.ts";
import { KeyValues } from "./key_values.ts";
import { DurableObjectTransaction, Transactions } from "./transaction.ts";

/** What storage needs of its agent. */
export interface StorageOwner {
  readonly broken: boolean;
  readonly database: Database;
  readonly isFacet: boolean;
  /** The class has SQL: it is in new_sqlite_classes, or in no migration. */
  readonly sqlite: boolean;
  readonly host: { readonly historyMs: number };
  /** A restore is to be done when this life ends. */
  restorePending: boolean;
  /** The class has an alarm handler (read from the object once it exists, else from its class). */
  readonly hasAlarmHandler: boolean;
  /** The alarm whose handler runs now: hidden from getAlarm(), kept until the handler has succeeded. */
  runningAlarm: number | null;
  /** Set in code that a storage.transaction() runs; made by the first. */
  transactionScope: AsyncLocalStorage<true> | null;
  closeGate(): void;
  openGate(): void;
  /** Its code is at work here (marks.ts). */
  entered(): void;
  whenDurable(): Promise<void>;
}

type Options = Record<string, unknown> | undefined;

/** `storage.kv`: the same keys, without promises. */
export class SyncKvStorage {
  readonly #values: KeyValues;

  constructor(values: KeyValues) {
    this.#values = values;
  }

  get(key: string): unknown {
    return this.#values.get(String(key));
  }

  /** Unlike storage.put(), takes undefined, as the platform does. */
  put(key: string, value: unknown): void {
    this.#values.store(String(key), value);
  }

  delete(key: string): boolean {
    return this.#values.delete(String(key));
  }

  list(options?: ListOptions): IterableIterator<[string, unknown]> {
    return this.#values.list(options)[Symbol.iterator]();
  }

  get [Symbol.toStringTag](): string { return "SyncKvStorage"; }
}

const NO_SQL =
  "SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to `new_sqlite_classes` within " +
  "the 'migrations' field in your wrangler.jsonc or wrangler.toml file.";
const NO_SYNC_KV =
  "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, but this object's namespace is " +
  "not declared to use SQLite. Use the asynchronous methods of `storage` itself, or change `new_classes` to " +
  "`new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file.";

/** The agent's database, unless the agent was reset, or (with `refusal`) its class has no SQL. */
class Source implements DatabaseSource {
  readonly #owner: StorageOwner;
  readonly #refusal: string | null;

  constructor(owner: StorageOwner, refusal: string | null = null) {
    this.#owner = owner;
    this.#refusal = refusal;
  }

  get usable(): Database {
    if (this.#refusal !== null && !this.#owner.sqlite) throw new Error(this.#refusal);
    if (this.#owner.broken) throw new Error(STORAGE_GONE);
    this.#owner.entered();
    return this.#owner.database;
  }
}

export class DurableObjectStorage {
  readonly #owner: StorageOwner;
  readonly #source: Source;
  readonly #values: KeyValues;
  readonly #transactions: Transactions;
  readonly kv: SyncKvStorage;
  readonly sql: SqlStorage;

  constructor(owner: StorageOwner) {
    this.#owner = owner;
    this.#source = new Source(owner);
    this.#values = new KeyValues(this.#source);
    this.#transactions = new Transactions(this.#source, owner);
    this.kv = new SyncKvStorage(new KeyValues(new Source(owner, NO_SYNC_KV)));
    this.sql = new SqlStorage(new Source(owner, NO_SQL));
  }

  async get(keys: string | string[], _options?: Options): Promise<unknown> {
    return Array.isArray(keys) ? this.#values.getMany(keys) : this.#values.get(String(keys));
  }

  async list(options?: ListOptions): Promise<Map<string, unknown>> {
    return this.#values.list(options);
  }

  async put(key: string | Record<string, unknown>, value?: unknown, _options?: Options): Promise<void> {
    if (typeof key === "object" && key !== null) this.#values.putMany(key);
    else this.#values.put(String(key), value);
  }

  async delete(keys: string | string[], _options?: Options): Promise<boolean | number> {
    return Array.isArray(keys) ? this.#values.deleteMany(keys) : this.#values.delete(String(keys));
  }

  async deleteAll(options?: { deleteAlarm?: boolean }): Promise<void> {
    if (this.#transactions.active) throw new Error("Cannot call deleteAll() within a transaction");
    this.#source.usable.deleteAll(options?.deleteAlarm ?? true);
  }

  transaction<T>(closure: (transaction: DurableObjectTransaction) => T | Promise<T>): Promise<T> {
    return this.#transactions.run(closure, () => new DurableObjectTransaction(this, this.#values));
  }

  transactionSync<T>(closure: () => T): T {
    if (typeof closure !== "function") {
      throw new TypeError("Failed to execute 'transactionSync' on 'DurableObjectStorage': parameter 1 is not of type 'function'.");
    }
    const database = this.#source.usable;
    database.begin();
    let result: T;
    try {
      result = closure();
    } catch (error) {
      if (!this.#owner.broken) database.rollback();
      throw error;
    }
    database.commit();
    return result;
  }

  async getAlarm(_options?: Options): Promise<number | null> {
    const alarm = this.#source.usable.getAlarm();
    return alarm !== null && alarm === this.#owner.runningAlarm ? null : alarm;
  }

  async setAlarm(time: number | Date, _options?: Options): Promise<void> {
    if (this.#owner.isFacet) throw new Error("Facets currently cannot set alarms.");
    if (!this.#owner.hasAlarmHandler) {
      throw new Error("Your Durable Object class must have an alarm() handler in order to call setAlarm()");
    }
    if (typeof time !== "number" && !(time instanceof Date)) {
      throw new TypeError("Failed to execute 'setAlarm' on 'DurableObjectStorage': parameter 1 is not of type 'date'.");
    }
    const atMs = Number(time);
    if (Number.isNaN(atMs)) {
      throw new TypeError("The value cannot be converted because it is not a valid Date.");
    }
    if (atMs <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
    this.#owner.runningAlarm = null;
    // A time that has passed means now, as on the platform.
    this.#source.usable.setAlarm(Math.max(Math.floor(atMs), Date.now()));
  }

  async deleteAlarm(_options?: Options): Promise<void> {
    // Inside its own handler an alarm is deleted already: deleting it for good would lose the retry.
    if (this.#owner.runningAlarm !== null && this.#source.usable.getAlarm() === this.#owner.runningAlarm) return;
    this.#source.usable.setAlarm(null);
  }

  sync(): Promise<void> {
    return this.#owner.whenDurable();
  }

  /** The state when this turn is over or, inside transaction(), before it. */
  async getCurrentBookmark(): Promise<string> {
    return answered((database, callback) => database.bookmark(callback), this.#recoverable);
  }

  async getBookmarkForTime(timestamp: number | Date): Promise<string> {
    if (typeof timestamp !== "number" && !(timestamp instanceof Date)) {
      throw new TypeError("Failed to execute 'getBookmarkForTime' on 'DurableObjectStorage': parameter 1 is not of type 'date'.");
    }
    const time = Math.floor(Number(timestamp));
    if (Number.isNaN(time)) throw new TypeError("The value cannot be converted because it is not a valid Date.");
    const { historyMs } = this.#owner.host;
    const now = Date.now();
    if (time > now) throw new RangeError("getBookmarkForTime() takes a time that has been, and this one is to come.");
    if (historyMs > 0 && time < now - historyMs) {
      throw new RangeError(`getBookmarkForTime() takes a time within the last ${historyMs / MS_PER_DAY} days (--history).`);
    }
    return answered((database, callback) => database.bookmarkAt(time, callback), this.#recoverable);
  }

  /** Once this resolves, the object's next life begins with that state, whatever ends this one. */
  async onNextSessionRestoreBookmark(bookmark: string): Promise<string> {
    const database = this.#recoverable;
    const undo = await answered((_, callback) => database.restoreNext(String(bookmark), callback), database);
    this.#owner.restorePending = true;
    return undo;
  }

  get #recoverable(): Database {
    if (!this.#owner.sqlite) throw new Error(NO_RECOVERY);
    return this.#source.usable;
  }

  get [Symbol.toStringTag](): string { return "DurableObjectStorage"; }
}

const NO_RECOVERY = "This Durable Object's storage back-end does not implement point-in-time recovery.";
const MS_PER_DAY = 86_400_000;

type Answer = (error: Error | null, bookmark: string) => void;

function answered(ask: (database: Database, callback: Answer) => void, database: Database): Promise<string> {
  return new Promise((resolve, reject) => {
    ask(database, (error, bookmark) => (error === null ? resolve(bookmark) : reject(error)));
  });
}
