// DurableObjectStorage: the asynchronous key-value API, its synchronous twin `storage.kv`, alarms and
// transactions. Nothing here waits for the disk: the addon commits what one turn wrote, and the
// output gate holds what leaves the agent until that is durable. Promises exist because the platform
// has them; they are settled when they are returned, but for sync() and transaction().
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
  /** The class has an alarm handler (read from the object once it exists, else from its class). */
  readonly hasAlarmHandler: boolean;
  /** The alarm whose handler runs now: hidden from getAlarm(), kept until the handler has succeeded. */
  runningAlarm: number | null;
  closeGate(): void;
  openGate(): void;
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

  put(key: string, value: unknown): void {
    this.#values.put(String(key), value);
  }

  delete(key: string): boolean {
    return this.#values.delete(String(key));
  }

  list(options?: ListOptions): IterableIterator<[string, unknown]> {
    return this.#values.list(options)[Symbol.iterator]();
  }
}

export class DurableObjectStorage implements DatabaseSource {
  readonly #owner: StorageOwner;
  readonly #values: KeyValues;
  readonly #transactions: Transactions;
  readonly kv: SyncKvStorage;
  readonly sql: SqlStorage;

  constructor(owner: StorageOwner) {
    this.#owner = owner;
    this.#values = new KeyValues(this);
    this.#transactions = new Transactions(this, owner);
    this.kv = new SyncKvStorage(this.#values);
    this.sql = new SqlStorage(this);
    Object.defineProperty(this, "primary", { value: undefined, enumerable: false });
  }

  /** The database, unless the agent was reset. */
  get usable(): Database {
    if (this.#owner.broken) throw new Error(STORAGE_GONE);
    return this.#owner.database;
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
    this.usable.deleteAll(options?.deleteAlarm ?? true);
  }

  transaction<T>(closure: (transaction: DurableObjectTransaction) => T | Promise<T>): Promise<T> {
    return this.#transactions.run(closure, () => new DurableObjectTransaction(this, this.#values));
  }

  transactionSync<T>(closure: () => T): T {
    if (typeof closure !== "function") {
      throw new TypeError("Failed to execute 'transactionSync' on 'DurableObjectStorage': parameter 1 is not of type 'Function'.");
    }
    const database = this.usable;
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
    const alarm = this.usable.getAlarm();
    return alarm !== null && alarm === this.#owner.runningAlarm ? null : alarm;
  }

  async setAlarm(time: number | Date, _options?: Options): Promise<void> {
    if (this.#owner.isFacet) throw new Error("Facets currently cannot set alarms.");
    if (!this.#owner.hasAlarmHandler) {
      throw new Error("Your Durable Object class must have an alarm() handler in order to call setAlarm()");
    }
    const atMs = typeof time === "number" ? time : new Date(time).getTime();
    if (Number.isNaN(atMs)) throw new TypeError("setAlarm() cannot be called with a time that is not a number");
    if (atMs <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
    this.#owner.runningAlarm = null;
    // A time that has passed means now, as on the platform; the core fires it at once.
    this.usable.setAlarm(Math.floor(atMs));
  }

  async deleteAlarm(_options?: Options): Promise<void> {
    // Inside its own handler an alarm is deleted already: deleting it for good would lose the retry.
    if (this.#owner.runningAlarm !== null && this.usable.getAlarm() === this.#owner.runningAlarm) return;
    this.usable.setAlarm(null);
  }

  sync(): Promise<void> {
    return this.#owner.whenDurable();
  }

  async getCurrentBookmark(): Promise<string> {
    throw new Error(unsupported("getCurrentBookmark"));
  }

  async getBookmarkForTime(_timestamp: number | Date): Promise<string> {
    throw new Error(unsupported("getBookmarkForTime"));
  }

  async onNextSessionRestoreBookmark(_bookmark: string): Promise<string> {
    throw new Error(unsupported("onNextSessionRestoreBookmark"));
  }

  async waitForBookmark(_bookmark: string): Promise<void> {
    throw new Error(unsupported("waitForBookmark"));
  }
}

function unsupported(method: string): string {
  return `storage.${method}() is not supported by hearth yet: point-in-time recovery needs a history of the database, which is not kept so far.`;
}
