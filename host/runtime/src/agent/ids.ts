// DurableObjectId: the 64 hex digits that name an agent, and the name they were made from if there
// was one. Ids of one namespace do not open another's agents.
import { inspect } from "node:util";
import { coded } from "../faults/coded.ts";

export class DurableObjectId {
  readonly #hex: string;
  /** The unique key of the namespace that made it, which need not check it again. */
  readonly #madeBy: string;
  readonly name: string | undefined;
  readonly jurisdiction: string | undefined;

  constructor(hex: string, madeBy: string, name?: string, jurisdiction?: string) {
    this.#hex = hex;
    this.#madeBy = madeBy;
    if (name !== undefined) this.name = name;
    if (jurisdiction !== undefined) this.jurisdiction = jurisdiction;
  }

  static belongsTo(id: DurableObjectId, uniqueKey: string): boolean {
    return id.#madeBy === uniqueKey;
  }

  toString(): string {
    return this.#hex;
  }

  equals(other: DurableObjectId): boolean {
    if (!(other instanceof DurableObjectId)) {
      throw new TypeError("Failed to execute 'equals' on 'DurableObjectId': parameter 1 is not of type 'DurableObjectId'.");
    }
    return this.#hex === other.#hex;
  }

  get [Symbol.toStringTag](): string { return "DurableObjectId"; }

  [inspect.custom](): string {
    const name = this.name === undefined ? "" : ` (${JSON.stringify(this.name)})`;
    return `DurableObjectId ${this.#hex}${name}`;
  }
}

const HEX = /^[0-9a-fA-F]{64}$/;

export function checkHex(text: string): string {
  if (!HEX.test(text)) throw coded(new TypeError("Invalid Durable Object ID: must be 64 hex digits"), "R404");
  return text.toLowerCase();
}
