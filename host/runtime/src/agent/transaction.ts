// storage.transaction(): an asynchronous closure whose writes are kept together or not at all. While
// it runs no new event of the agent begins, and transactions of events that run already take turns;
// one started inside another is nested in it. What the closure asks of others does not wait for the
// transaction's own writes, which are not durable before the answers have come.
import { AsyncLocalStorage } from "node:async_hooks";
import { STORAGE_GONE } from "./errors.ts";
import type { KeyValues } from "./key_values.ts";
import type { DatabaseSource } from "./sql.ts";
import type { DurableObjectStorage, StorageOwner } from "./storage.ts";
import type { Database, ListOptions } from "../addon.ts";

type State = "open" | "rolled back" | "committed";

export class DurableObjectTransaction {
  readonly #storage: DurableObjectStorage;
  readonly #values: KeyValues;
  #state: State = "open";

  constructor(storage: DurableObjectStorage, values: KeyValues) {
    this.#storage = storage;
    this.#values = values;
  }

  async get(keys: string | string[]): Promise<unknown> {
    this.#check("get()");
    return Array.isArray(keys) ? this.#values.getMany(keys) : this.#values.get(String(keys));
  }

  async list(options?: ListOptions): Promise<Map<string, unknown>> {
    this.#check("list()");
    return this.#values.list(options);
  }

  async put(key: string | Record<string, unknown>, value?: unknown): Promise<void> {
    this.#check("put()");
    if (typeof key === "object" && key !== null) this.#values.putMany(key);
    else this.#values.put(String(key), value);
  }

  async delete(keys: string | string[]): Promise<boolean | number> {
    this.#check("delete()");
    return Array.isArray(keys) ? this.#values.deleteMany(keys) : this.#values.delete(String(keys));
  }

  async getAlarm(): Promise<number | null> {
    this.#check("getAlarm()");
    return this.#storage.getAlarm();
  }

  async setAlarm(time: number | Date): Promise<void> {
    this.#check("setAlarm()");
    return this.#storage.setAlarm(time);
  }

  async deleteAlarm(): Promise<void> {
    this.#check("deleteAlarm()");
    return this.#storage.deleteAlarm();
  }

  async deleteAll(): Promise<void> {
    throw new Error("Cannot call deleteAll() within a transaction");
  }

  rollback(): void {
    if (this.#state === "rolled back") return;
    this.#check("rollback()");
    this.#state = "rolled back";
  }

  static isRolledBack(transaction: DurableObjectTransaction): boolean {
    return transaction.#state === "rolled back";
  }

  static end(transaction: DurableObjectTransaction): void {
    if (transaction.#state === "open") transaction.#state = "committed";
  }

  get [Symbol.toStringTag](): string { return "DurableObjectTransaction"; }

  #check(operation: string): void {
    if (this.#state === "rolled back") throw new Error(`Cannot ${operation} on rolled back transaction`);
    if (this.#state === "committed") {
      throw new Error(`Cannot call ${operation} on transaction that has already committed: did you move \`txn\` outside of the closure?`);
    }
  }
}

export class Transactions {
  readonly #source: DatabaseSource;
  readonly #owner: StorageOwner;
  #last: Promise<unknown> = Promise.resolve();
  #depth = 0;

  constructor(source: DatabaseSource, owner: StorageOwner) {
    this.#source = source;
    this.#owner = owner;
  }

  get active(): boolean {
    return this.#depth > 0;
  }

  async run<T>(closure: (transaction: DurableObjectTransaction) => T | Promise<T>,
               make: () => DurableObjectTransaction): Promise<T> {
    const scope = (this.#owner.transactionScope ??= new AsyncLocalStorage<true>());
    if (scope.getStore()) return this.#one(closure, make());
    const turn = this.#last.then(() => scope.run(true, () => this.#one(closure, make())));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #one<T>(closure: (transaction: DurableObjectTransaction) => T | Promise<T>,
                transaction: DurableObjectTransaction): Promise<T> {
    this.#owner.closeGate();
    this.#depth++;
    let database: Database | null = null;
    try {
      // What was written before is durable first: calls from inside do not wait for anything any more.
      if (this.#depth === 1) await this.#owner.whenDurable();
      database = this.#source.usable;
      database.begin();
      const result = await closure(transaction);
      if (this.#owner.broken) throw new Error(STORAGE_GONE);
      if (DurableObjectTransaction.isRolledBack(transaction)) database.rollback();
      else database.commit();
      return result;
    } catch (error) {
      if (!this.#owner.broken) database?.rollback();
      throw error;
    } finally {
      DurableObjectTransaction.end(transaction);
      this.#depth--;
      this.#owner.openGate();
    }
  }
}
