// The module `cloudflare:email`. A message can be made; sending one is the binding's business.

export class EmailMessage {
  readonly from: string;
  readonly to: string;
  readonly raw: ReadableStream | string;

  constructor(from: string, to: string, raw: ReadableStream | string) {
    if (typeof from !== "string" || typeof to !== "string") {
      throw new TypeError("Failed to construct 'EmailMessage': from and to must be strings.");
    }
    this.from = from;
    this.to = to;
    this.raw = raw;
  }
}
