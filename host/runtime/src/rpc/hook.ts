// What a stub stands for. A Hook answers calls and property reads on something: an object of this
// process, an agent, an entrypoint, an object of another host, or a result that is still awaited.
// Everything that goes in or comes out is a Payload: values that were copied for their receiver, with
// the hooks of the stubs among them. Used on the JavaScript thread; knows nothing of wires or agents.

/** Values copied for one receiver. The receiver owns the stubs in it, until it is disposed of. */
export class Payload {
  readonly value: unknown;
  /** Whether all of it is what V8's serializer writes by itself, errors aside. */
  readonly plain: boolean;
  #hooks: Hook[] | null;

  constructor(value: unknown, hooks: Hook[] | null = null, plain = true) {
    this.value = value;
    this.plain = plain;
    this.#hooks = hooks;
  }

  get hasStubs(): boolean {
    return this.#hooks !== null;
  }

  dispose(): void {
    const hooks = this.#hooks;
    this.#hooks = null;
    if (hooks) for (const hook of hooks) hook.dispose();
  }
}

/** A call's answer. `pipeline` answers calls on the result before it is there. */
export interface Reply {
  readonly promise: Promise<Payload>;
  pipeline(): Hook;
}

export abstract class Hook {
  /**
   * Calls what `path` leads to, or reads it if `args` is null. Takes the arguments over: they are
   * disposed of when the call has ended. Calls on one hook begin in the order in which they were made.
   */
  abstract call(path: readonly string[], args: Payload | null): Reply;
  /** One more reference to the same thing; each is disposed of on its own. */
  abstract dup(): Hook;
  abstract dispose(): void;
  /** Calls back once when what the hook stands for is lost. */
  onBroken(_callback: (error: unknown) => void): void {}
  /** HTTP, for those that have it. */
  fetch?(request: Request): Promise<Response>;
  /** A cron trigger's event, for entrypoints; rejects with what the handler threw. */
  scheduled?(controller: object): Promise<void>;
}

export const DISPOSED = "RPC stub used after being disposed.";

/** Marks a promise as looked after: nobody need await a call. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, () => {});
  return promise;
}

/** A reply whose pipelined calls wait here for the result, and go on from it. */
export class LocalReply implements Reply {
  readonly promise: Promise<Payload>;
  constructor(promise: Promise<Payload>) {
    this.promise = quiet(promise);
  }
  pipeline(): Hook {
    return new PipelineHook(this.promise);
  }
}

export function failed(error: unknown): Reply {
  return new LocalReply(Promise.reject(error));
}

/** How to go on from a result; set by resolve.ts, which knows what a value may be asked. */
let followResult: (value: unknown, path: readonly string[], args: Payload | null) => Promise<Payload>;
export function setFollowResult(follow: typeof followResult): void {
  followResult = follow;
}

class PipelineHook extends Hook {
  readonly #result: Promise<Payload>;
  constructor(result: Promise<Payload>) {
    super();
    this.#result = result;
  }
  override call(path: readonly string[], args: Payload | null): Reply {
    return new LocalReply(
      this.#result.then(
        (result) => followResult(result.value, path, args),
        (error: unknown) => {
          args?.dispose();
          throw error;
        },
      ),
    );
  }
  override dup(): Hook {
    return new PipelineHook(this.#result);
  }
  override dispose(): void {}
  override onBroken(callback: (error: unknown) => void): void {
    this.#result.then(undefined, callback);
  }
}
