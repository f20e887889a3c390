// The module `cloudflare:durable-objects`.

const marked = new WeakSet<object>();

/** Marks methods that may be run again after a disconnect. A mark only: no call is repeated by itself. */
export function retryable(...methods: unknown[]): void {
  for (const method of methods) {
    if (typeof method !== "function") throw new TypeError("retryable() takes functions.");
    marked.add(method);
  }
}

export function isRetryable(method: object): boolean {
  return marked.has(method);
}
