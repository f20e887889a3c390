// The event classes that sockets dispatch: Node's own where it has them, else the same by hand
// (Node 20 and 22 lack CloseEvent and ErrorEvent as globals).

class CloseEventByHand extends Event {
  readonly code: number; readonly reason: string; readonly wasClean: boolean;
  constructor(type: string, init: CloseEventInit = {}) {
    super(type, init);
    this.code = init.code ?? 0;
    this.reason = init.reason ?? "";
    this.wasClean = init.wasClean ?? false;
  }
}

class ErrorEventByHand extends Event {
  readonly message: string; readonly filename: string; readonly lineno: number; readonly colno: number; readonly error: unknown;
  constructor(type: string, init: ErrorEventInit = {}) {
    super(type, init);
    this.message = init.message ?? "";
    this.filename = init.filename ?? "";
    this.lineno = init.lineno ?? 0;
    this.colno = init.colno ?? 0;
    this.error = init.error;
  }
}

export const CloseEvent = globalThis.CloseEvent ?? (CloseEventByHand as unknown as typeof globalThis.CloseEvent);
export const ErrorEvent = globalThis.ErrorEvent ?? (ErrorEventByHand as unknown as typeof globalThis.ErrorEvent);
export const MessageEvent = globalThis.MessageEvent;

/** A promise that nobody had caught (`unhandledrejection`), or did later (`rejectionhandled`). */
export class PromiseRejectionEvent extends Event {
  readonly promise: Promise<unknown>;
  readonly reason: unknown;
  constructor(type: string, init: EventInit & { promise: Promise<unknown>; reason?: unknown }) {
    super(type, init);
    this.promise = init.promise;
    this.reason = init.reason;
  }
}

/** `target.onNAME`: one listener that can be replaced, in the place where it was first set. */
export function defineHandlers(prototype: object, names: readonly string[]): void {
  const handlers = new WeakMap<object, Map<string, { current: unknown }>>();
  for (const name of names) {
    Object.defineProperty(prototype, `on${name}`, {
      configurable: true,
      enumerable: true,
      get(this: EventTarget) { return handlers.get(this)?.get(name)?.current ?? null; },
      set(this: EventTarget, value: unknown) {
        let own = handlers.get(this);
        if (own === undefined) handlers.set(this, own = new Map());
        const before = own.get(name);
        const current = typeof value === "function" || (typeof value === "object" && value !== null) ? value : null;
        if (before !== undefined) {
          before.current = current;
          return;
        }
        const slot = { current: current as unknown };
        own.set(name, slot);
        this.addEventListener(name, (event) => {
          if (typeof slot.current === "function") slot.current.call(this, event);
        });
      },
    });
  }
}
