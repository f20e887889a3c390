// What the platform's classes ask of the rest of the runtime. Set once at start by whoever runs
// agents; until then nothing is gated and errors go to the console. Called on the JavaScript thread.

/** What a request may be sent to in place of its URL's host. */
export interface Fetcher {
  fetch(request: globalThis.Request): Promise<globalThis.Response>;
}

export interface WebHooks {
  /**
   * What must be waited for before anything leaves this host on behalf of the code that now runs (the
   * output gate of its agent), or null when nothing has to be.
   */
  outputGate(): Promise<void> | null;
  /** Whether that is a stub of a service or a Durable Object. */
  isFetcher(value: unknown): value is Fetcher;
  /** An error that no code of the user handles (a listener that threw, `reportError`). */
  reportError(error: unknown): void;
}

export const hooks: WebHooks = {
  outputGate: () => null,
  isFetcher: (_value): _value is Fetcher => false,
  reportError: (error) => console.error(error),
};

export function setHooks(changes: Partial<WebHooks>): void {
  Object.assign(hooks, changes);
}
