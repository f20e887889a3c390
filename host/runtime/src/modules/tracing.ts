// `tracing` of `cloudflare:workers`: spans that nobody collects. Code runs in them as it would, and
// the active span follows the async context.
import { AsyncLocalStorage } from "node:async_hooks";

export class Span {
  get isTraced(): boolean {
    return false;
  }
  spanContext(): { traceId: string; spanId: string; traceFlags: number } {
    return { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 };
  }
  setAttribute(_key: string, _value: unknown): this {
    return this;
  }
  setAttributes(_attributes: object): this {
    return this;
  }
  recordException(_exception: unknown): void {}
  updateName(_name: string): this {
    return this;
  }
  setStatus(_status: object): this {
    return this;
  }
  end(): void {}
}

const active = new AsyncLocalStorage<Span>();

function enterSpan<T>(_name: string, callback: (span: Span, ...args: unknown[]) => T, ...args: unknown[]): T {
  const span = new Span();
  return active.run(span, () => callback(span, ...args));
}

export const tracing = {
  enterSpan,
  startActiveSpan: enterSpan,
  startSpan: (_name: string): Span => new Span(),
  getActiveSpan: (): Span | undefined => active.getStore(),
  withActiveSpan: <T>(span: Span, callback: (...args: unknown[]) => T, ...args: unknown[]): T =>
    active.run(span, () => callback(...args)),
  Span,
};
