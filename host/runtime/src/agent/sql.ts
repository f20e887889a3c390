// storage.sql: statements and their cursors, as the platform has them. Rows come from the addon as
// arrays; objects are made from them only where code asks for objects.
import type { Cursor, Database, SqlValue } from "../addon.ts";

export type SqlBinding = unknown;
type Row = Record<string, SqlValue>;

/** What statements run on: checked at every call, since the agent may have been reset meanwhile. */
export interface DatabaseSource {
  readonly usable: Database;
}

// What gives map(), filter() and the rest of the iterator helpers where the engine has them.
const IteratorBase = (function () {} as unknown) as abstract new () => object;
IteratorBase.prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

export class SqlStorageStatement {}

export class SqlStorageCursor extends IteratorBase implements IterableIterator<Row> {
  readonly #cursor: Cursor;
  readonly #names: string[];

  constructor(cursor: Cursor) {
    super();
    this.#cursor = cursor;
    this.#names = cursor.columnNames;
  }

  get columnNames(): string[] {
    return [...this.#names];
  }

  get rowsRead(): number {
    return this.#cursor.rowsRead;
  }

  get rowsWritten(): number {
    return this.#cursor.rowsWritten;
  }

  next(): IteratorResult<Row> {
    const values = this.#cursor.next();
    return values === null ? { done: true, value: undefined } : { done: false, value: this.#object(values) };
  }

  toArray(): Row[] {
    const rows = this.#cursor.all();
    const objects: Row[] = new Array(rows.length);
    for (let i = 0; i < rows.length; i++) objects[i] = this.#object(rows[i]!);
    return objects;
  }

  one(): Row {
    const first = this.#cursor.next();
    if (first === null) {
      throw new Error("Expected exactly one result from SQL query, but got no results.");
    }
    if (this.#cursor.next() !== null) {
      throw new Error("Expected exactly one result from SQL query, but got multiple results.");
    }
    return this.#object(first);
  }

  raw(): IterableIterator<SqlValue[]> & { toArray(): SqlValue[][] } {
    return new RawIterator(this.#cursor);
  }

  [Symbol.iterator](): this {
    return this;
  }

  get [Symbol.toStringTag](): string { return "Cursor"; }

  #object(values: SqlValue[]): Row {
    const names = this.#names;
    const row: Row = {};
    for (let i = 0; i < names.length; i++) row[names[i]!] = values[i]!;
    return row;
  }
}

class RawIterator extends IteratorBase implements IterableIterator<SqlValue[]> {
  readonly #cursor: Cursor;

  constructor(cursor: Cursor) {
    super();
    this.#cursor = cursor;
  }

  get columnNames(): string[] {
    return [...this.#cursor.columnNames];
  }

  next(): IteratorResult<SqlValue[]> {
    const value = this.#cursor.next();
    return value === null ? { done: true, value: undefined } : { done: false, value };
  }

  toArray(): SqlValue[][] {
    return this.#cursor.all();
  }

  [Symbol.iterator](): this {
    return this;
  }

  get [Symbol.toStringTag](): string { return "RawIterator"; }
}

Object.defineProperty(SqlStorageCursor, "name", { value: "Cursor" });

export class SqlStorage {
  readonly #source: DatabaseSource;

  constructor(source: DatabaseSource) {
    this.#source = source;
  }

  get Cursor(): typeof SqlStorageCursor {
    return SqlStorageCursor;
  }

  get Statement(): typeof SqlStorageStatement {
    return SqlStorageStatement;
  }

  exec(query: string, ...bindings: SqlBinding[]): SqlStorageCursor {
    const parameters: SqlValue[] = new Array(bindings.length);
    for (let i = 0; i < bindings.length; i++) parameters[i] = bindable(bindings[i]);
    return new SqlStorageCursor(this.#source.usable.exec(String(query), parameters));
  }

  get [Symbol.toStringTag](): string { return "SqlStorage"; }

  get databaseSize(): number {
    return this.#source.usable.databaseSize;
  }
}

function bindable(value: SqlBinding): SqlValue {
  switch (typeof value) {
    case "string": case "number": return value;
    case "undefined": return null;
    case "boolean": return String(value);
    case "bigint": throw new TypeError("Cannot convert a BigInt value to a number");
    case "symbol": throw new TypeError("Cannot convert a Symbol value to a string");
    case "function": return String(value);
  }
  if (value === null) return null;
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value)) {
    return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength) as ArrayBuffer;
  }
  return String(value);
}
