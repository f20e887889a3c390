// ExecutionContext: the `ctx` of the worker's handlers and entrypoints.
import type { AgentHost } from "../agent/host.ts";
import { tracing } from "../modules/tracing.ts";

export class ExecutionContext {
  readonly #host: AgentHost;
  readonly #exports: object;
  readonly #pending: Set<Promise<unknown>>;
  readonly props: unknown;

  /** `pending` is where promises given to waitUntil are kept until they settle: a drain waits for them. */
  constructor(host: AgentHost, exports: object, pending: Set<Promise<unknown>>, props: unknown) {
    this.#host = host;
    this.#exports = exports;
    this.#pending = pending;
    this.props = props ?? {};
  }

  get exports(): object {
    return this.#exports;
  }

  get tracing(): object {
    return tracing;
  }

  waitUntil(promise: unknown): void {
    const settled: Promise<unknown> = Promise.resolve(promise).then(
      () => this.#pending.delete(settled),
      (error) => {
        this.#pending.delete(settled);
        this.#host.report(error, { what: "waitUntil" });
      });
    this.#pending.add(settled);
  }

  passThroughOnException(): void {}

  abort(reason?: unknown): never {
    throw reason ?? new Error("The worker's context was aborted.");
  }
}
