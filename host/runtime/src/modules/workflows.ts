// The module `cloudflare:workflows`.

/** Thrown by a step that must not be tried again. */
export class NonRetryableError extends Error {
  constructor(message: string, name = "NonRetryableError") {
    super(message);
    this.name = name;
  }
}
