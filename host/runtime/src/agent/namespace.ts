// DurableObjectNamespace: ids, and stubs from ids. Ids are made by the addon exactly as workerd makes
// them from the namespace's unique key, so that state can be brought along and taken away.
import type { Addon } from "../addon.ts";
import { coded } from "../faults/coded.ts";
import { checkHex, DurableObjectId } from "./ids.ts";
import type { AgentAddress, NamespaceInfo } from "./types.ts";

const NAME_BYTES_MAX = 1024;
const NAMES_KEPT = 4096;
/** Those that Cloudflare names. Everything is on this machine, so they mean nothing more. */
const JURISDICTIONS: readonly unknown[] = ["eu", "us", "fedramp", "fedramp-high"];

function checkJurisdiction(jurisdiction: string | null | undefined): string | undefined {
  if (jurisdiction === undefined || jurisdiction === null) return undefined;
  if (JURISDICTIONS.includes(jurisdiction)) return jurisdiction;
  throw new TypeError(`Unknown jurisdiction "${jurisdiction}"; there are ${JURISDICTIONS.join(", ")}.`);
}

export type StubMaker = (address: AgentAddress, id: DurableObjectId) => object;

export interface NewUniqueIdOptions { jurisdiction?: string }
/** `locationHint` is accepted and has no meaning on one machine. */
export interface GetOptions { locationHint?: string }

export class DurableObjectNamespace {
  readonly #addon: Addon;
  readonly #info: NamespaceInfo;
  readonly #makeStub: StubMaker;
  readonly #jurisdiction: string | undefined;
  /** Ids of the names that were asked for lately: an HMAC costs more than all else in a stub. */
  readonly #named = new Map<string, string>();

  constructor(addon: Addon, info: NamespaceInfo, makeStub: StubMaker, jurisdiction?: string) {
    this.#addon = addon;
    this.#info = info;
    this.#makeStub = makeStub;
    this.#jurisdiction = jurisdiction;
  }

  static infoOf(namespace: DurableObjectNamespace): NamespaceInfo {
    return namespace.#info;
  }

  newUniqueId(options?: NewUniqueIdOptions): DurableObjectId {
    const { uniqueKey } = this.#info;
    return new DurableObjectId(this.#addon.newUniqueId(uniqueKey), uniqueKey, undefined,
                               checkJurisdiction(options?.jurisdiction) ?? this.#jurisdiction);
  }

  idFromName(name: string): DurableObjectId {
    if (name === undefined) {
      throw coded(new TypeError("Failed to execute 'idFromName' on 'DurableObjectNamespace': parameter 1 is not of type 'string'."), "R404");
    }
    const text = String(name);
    if (text.length * 3 > NAME_BYTES_MAX && Buffer.byteLength(text) > NAME_BYTES_MAX) {
      throw coded(new TypeError(`A Durable Object's name cannot be longer than ${NAME_BYTES_MAX} bytes. This one has ${Buffer.byteLength(text)}.`), "R404");
    }
    return new DurableObjectId(this.#hexOf(text), this.#info.uniqueKey, text, this.#jurisdiction);
  }

  #hexOf(name: string): string {
    let hex = this.#named.get(name);
    if (hex !== undefined) return hex;
    hex = this.#addon.idFromName(this.#info.uniqueKey, name);
    if (this.#named.size >= NAMES_KEPT) this.#named.clear();
    this.#named.set(name, hex);
    return hex;
  }

  idFromString(id: string): DurableObjectId {
    const hex = checkHex(String(id));
    this.#checkOwn(hex);
    return new DurableObjectId(hex, this.#info.uniqueKey, undefined, this.#jurisdiction);
  }

  get(id: DurableObjectId, _options?: GetOptions): object {
    if (!(id instanceof DurableObjectId)) {
      throw coded(new TypeError("Failed to execute 'get' on 'DurableObjectNamespace': parameter 1 is not of type 'DurableObjectId'."), "R404");
    }
    if (this.#jurisdiction !== undefined && id.jurisdiction !== this.#jurisdiction) {
      throw new TypeError("get called on jurisdictional subnamespace with an ID from a different jurisdiction");
    }
    const hex = id.toString();
    if (!DurableObjectId.belongsTo(id, this.#info.uniqueKey)) this.#checkOwn(hex);
    return this.#makeStub({ namespace: this.#info.index, id: hex, name: id.name ?? "" }, id);
  }

  getByName(name: string, options?: GetOptions): object {
    return this.get(this.idFromName(name), options);
  }

  jurisdiction(jurisdiction?: string): DurableObjectNamespace {
    return new DurableObjectNamespace(this.#addon, this.#info, this.#makeStub, checkJurisdiction(jurisdiction));
  }

  get [Symbol.toStringTag](): string { return "DurableObjectNamespace"; }

  #checkOwn(hex: string): void {
    if (!this.#addon.idBelongs(this.#info.uniqueKey, hex)) {
      throw coded(new TypeError("Durable Object ID is not valid for this namespace."), "R404");
    }
  }
}
