// Between Node's fetch and its connections: takes away the headers that Node's fetch adds by itself
// and the platform does not send, lifts the five-minute limits (a model may think for longer), and
// notes what a WebSocket handshake was answered.

export interface Handshake {
  response: { status: number; statusText: string; headers: [string, string][] } | null;
  /** Why there was no response. */
  cause: string | null;
}

interface Dispatcher { dispatch(options: Record<string, unknown>, handler: object): boolean }

// What Node's fetch writes when code wrote nothing; the values tell its own from the user's.
const added: readonly (readonly [string, string])[] = [
  ["user-agent", "node"], ["user-agent", "undici"], ["accept-language", "*"], ["sec-fetch-mode", "cors"], ["sec-fetch-mode", "websocket"],
];

const symbols = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")];

function globalDispatcher(): Dispatcher {
  for (const symbol of symbols) {
    const found = (globalThis as unknown as Record<symbol, Dispatcher | undefined>)[symbol];
    if (found !== undefined) return found;
  }
  throw new Error("Node's fetch has no dispatcher: this version of Node.js is not one that hearth knows.");
}

/** `given`: names (in lower case) that the user's code wrote and that stay; null: none. */
export function plainDispatcher(given: ReadonlySet<string> | null, handshake: Handshake | null = null): object {
  return {
    dispatch(options: Record<string, unknown>, handler: object): boolean {
      const headers = options["headers"] as Record<string, string> | undefined;
      if (headers !== undefined && !Array.isArray(headers)) {
        for (const [name, value] of added) if (headers[name] === value && given?.has(name) !== true) delete headers[name];
      }
      const changed = { ...options, headers, headersTimeout: 0, bodyTimeout: 0 };
      return globalDispatcher().dispatch(changed, handshake === null ? handler : watched(handler, handshake));
    },
  };
}

type Method = (...args: unknown[]) => unknown;

/** The handler of undici, either generation of its interface, with the response's head noted. */
function watched(handler: object, handshake: Handshake): object {
  const note = (status: unknown, headers: unknown, text: unknown): void => {
    handshake.response = { status: Number(status), statusText: String(text ?? ""), headers: pairs(headers) };
  };
  const fault = (error: unknown): void => {
    handshake.cause = error instanceof Error ? error.message || ((error as { code?: string }).code ?? null) : String(error);
  };
  return new Proxy(handler, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "onHeaders") note(args[0], args[1], args[3]);
        else if (name === "onResponseStart") note(args[1], args[2], args[3]);
        else if (name === "onUpgrade") note(args[0], args[1], "Switching Protocols");
        else if (name === "onRequestUpgrade") note(args[1], args[2], "Switching Protocols");
        else if (name === "onError") fault(args[0]);
        else if (name === "onResponseError") fault(args[1]);
        return (value as Method).apply(target, args);
      };
    },
  });
}

function pairs(headers: unknown): [string, string][] {
  const result: [string, string][] = [];
  if (Array.isArray(headers)) {
    for (let i = 0; i + 1 < headers.length; i += 2) result.push([String(headers[i]), String(headers[i + 1])]);
  } else if (typeof headers === "object" && headers !== null) {
    for (const [name, value] of Object.entries(headers as Record<string, string | string[]>)) {
      for (const one of Array.isArray(value) ? value : [value]) result.push([name, one]);
    }
  }
  return result;
}
