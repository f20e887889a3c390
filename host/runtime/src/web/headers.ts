// Headers as the platform has them: lazy (a request's headers stay one packed string until somebody
// asks), any Unicode in values, `getAll("set-cookie")`, and immutable where the platform's are.
// Names keep the case they were given on the wire; iteration shows them sorted and in lower case.
// Source: Fetch standard, section 5.1; Cloudflare's documented differences.

/** `name\0value\0…`, as the addon gives and takes headers. */
export type Packed = string;
export type HeadersInit =
  | Headers | globalThis.Headers | Record<string, string> | Iterable<readonly [string, string]> | Iterable<Iterable<string>>;

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const badValue = /[\0\r\n]/;
const edges = /^[\t\n\r ]+|[\t\n\r ]+$/g;
const needsTrim = /^[\t\n\r ]|[\t\n\r ]$/;

// Names recur: their lower-case forms are kept, up to a bound.
const loweredNames = new Map<string, string>();
const loweredNamesMax = 1024;

function lower(name: string): string {
  const known = loweredNames.get(name);
  if (known !== undefined) return known;
  const text = `${name}`;
  if (!token.test(text)) throw new TypeError("Invalid header name.");
  const result = text.toLowerCase();
  if (loweredNames.size < loweredNamesMax && text.length <= 64) loweredNames.set(text, result);
  return result;
}

function clean(value: string): string {
  let text = typeof value === "string" ? value : `${value}`;
  if (needsTrim.test(text)) text = text.replace(edges, "");
  if (badValue.test(text)) throw new TypeError("Invalid header value.");
  return text;
}

function same(name: string, wanted: string): boolean {
  return name.length === wanted.length && (name === wanted || name.toLowerCase() === wanted);
}

function requireName(args: number, method: string, count: number): void {
  if (args < count) {
    throw new TypeError(`Failed to execute '${method}' on 'Headers': parameter ${args + 1} is not of type 'string'.`);
  }
}

let packedOf: (headers: Headers) => Packed;
let adopt: (headers: Headers, packed: Packed, immutable: boolean) => void;
let freeze: (headers: Headers) => void;

export class Headers {
  /** The wire's form, as long as nothing has changed it. */
  #packed: Packed | null = null;
  /** Name and value by turns; made from `#packed` at the first look. */
  #flat: string[] | null = null;
  #immutable = false;

  static {
    packedOf = (headers) => headers.#packed ??= headers.#pack();
    adopt = (headers, packed, immutable) => {
      headers.#packed = packed;
      headers.#flat = null;
      headers.#immutable = immutable;
    };
    freeze = (headers) => { headers.#immutable = true; };
  }

  constructor(init?: HeadersInit) {
    if (init === undefined) {
      this.#packed = "";
    } else if (init !== null && typeof init === "object" && #packed in init) {
      this.#packed = (init as Headers).#packed;
      this.#flat = this.#packed === null ? (init as Headers).#flat!.slice() : null;
    } else if (init !== null && (typeof init === "object" || typeof init === "function")) {
      this.#fill(init);
    } else {
      throw new TypeError("Failed to construct 'Headers': constructor parameter 1 is not of type 'Headers or Sequence or object'.");
    }
  }

  #fill(init: object): void {
    const flat: string[] = this.#flat = [];
    if (Symbol.iterator in init) {
      for (const pair of init as Iterable<Iterable<string>>) {
        const [name, value, more] = pair;
        if (name === undefined || value === undefined || more !== undefined) {
          throw new TypeError("To initialize a Headers object from a sequence, each inner sequence must have exactly two elements.");
        }
        lower(name);
        flat.push(`${name}`, clean(value));
      }
      return;
    }
    for (const name of Object.keys(init)) {
      lower(name);
      flat.push(name, clean((init as Record<string, string>)[name]!));
    }
  }

  #pack(): Packed {
    const flat = this.#flat!;
    return flat.length === 0 ? "" : flat.join("\0") + "\0";
  }

  #read(): string[] {
    if (this.#flat !== null) return this.#flat;
    const flat = this.#packed!.split("\0");
    flat.pop(); // what follows the last NUL
    return this.#flat = flat;
  }

  #write(): string[] {
    if (this.#immutable) throw new TypeError("Can't modify immutable headers.");
    const flat = this.#read();
    this.#packed = null;
    return flat;
  }

  get(name: string): string | null {
    requireName(arguments.length, "get", 1);
    const wanted = lower(name);
    const flat = this.#read();
    let result: string | null = null;
    for (let i = 0; i < flat.length; i += 2) {
      if (same(flat[i]!, wanted)) result = result === null ? flat[i + 1]! : `${result}, ${flat[i + 1]}`;
    }
    return result;
  }

  getAll(name: string): string[] {
    requireName(arguments.length, "getAll", 1);
    if (`${name}`.toLowerCase() !== "set-cookie") {
      throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    }
    return this.getSetCookie();
  }

  getSetCookie(): string[] {
    const flat = this.#read();
    const result: string[] = [];
    for (let i = 0; i < flat.length; i += 2) if (same(flat[i]!, "set-cookie")) result.push(flat[i + 1]!);
    return result;
  }

  has(name: string): boolean {
    requireName(arguments.length, "has", 1);
    const wanted = lower(name);
    const flat = this.#read();
    for (let i = 0; i < flat.length; i += 2) if (same(flat[i]!, wanted)) return true;
    return false;
  }

  set(name: string, value: string): void {
    requireName(arguments.length, "set", 2);
    const wanted = lower(name);
    const text = clean(value);
    const flat = this.#write();
    let kept = 0;
    let found = false;
    for (let i = 0; i < flat.length; i += 2) {
      const match = same(flat[i]!, wanted);
      if (match && found) continue;
      flat[kept] = flat[i]!;
      flat[kept + 1] = match ? text : flat[i + 1]!;
      kept += 2;
      found ||= match;
    }
    flat.length = kept;
    if (!found) flat.push(`${name}`, text);
  }

  append(name: string, value: string): void {
    requireName(arguments.length, "append", 2);
    lower(name);
    const text = clean(value);
    this.#write().push(`${name}`, text);
  }

  delete(name: string): void {
    requireName(arguments.length, "delete", 1);
    const wanted = lower(name);
    const flat = this.#write();
    let kept = 0;
    for (let i = 0; i < flat.length; i += 2) {
      if (same(flat[i]!, wanted)) continue;
      flat[kept++] = flat[i]!;
      flat[kept++] = flat[i + 1]!;
    }
    flat.length = kept;
  }

  #sorted(): [string, string][] {
    const flat = this.#read();
    const byName = new Map<string, string>();
    const cookies: [string, string][] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i]!.toLowerCase();
      const value = flat[i + 1]!;
      if (name === "set-cookie") {
        cookies.push([name, value]);
      } else {
        const before = byName.get(name);
        byName.set(name, before === undefined ? value : `${before}, ${value}`);
      }
    }
    // The sort is stable, so cookies stay in their order.
    return [...byName, ...cookies].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  }

  forEach(callback: (value: string, name: string, parent: any) => void, thisArg?: unknown): void {
    for (const [name, value] of this.#sorted()) callback.call(thisArg, value, name, this);
  }

  entries() { return this.#sorted().values(); }
  keys() { return this.#sorted().map((entry) => entry[0]).values(); }
  values() { return this.#sorted().map((entry) => entry[1]).values(); }
  declare [Symbol.iterator]: () => ArrayIterator<[string, string]>;
  declare readonly [Symbol.toStringTag]: string;

  [Symbol.for("nodejs.util.inspect.custom")](_depth: number, options: object, inspect: (v: unknown, o: object) => string): string {
    return `Headers(${this.#sorted().length}) ${inspect(Object.fromEntries(this.#sorted()), options)}`;
  }
}
Object.defineProperty(Headers.prototype, Symbol.iterator, { value: Headers.prototype.entries, writable: true, configurable: true });
Object.defineProperty(Headers.prototype, Symbol.toStringTag, { value: "Headers", configurable: true });

/** Headers over the wire's form, not split until they are asked for. */
export function headersFromPacked(packed: Packed, immutable = false): Headers {
  const headers = new Headers();
  adopt(headers, packed, immutable);
  return headers;
}

/** The wire's form: names as they were given, one entry for each value. */
export function packHeaders(headers: Headers): Packed {
  return packedOf(headers);
}

export function freezeHeaders(headers: Headers): Headers {
  freeze(headers);
  return headers;
}
