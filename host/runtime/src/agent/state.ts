// DurableObjectState: the `ctx` of an agent's constructor.
import { autoResponseAt, type WebSocket, WebSocketRequestResponsePair } from "../web/websocket.ts";
import { DurableObjectFacets, FacetTable } from "./facets.ts";
import { DurableObjectId } from "./ids.ts";
import type { Agent } from "./instance.ts";
import { type AgentSockets, TAG_CHARACTERS_MAX, TAGS_MAX } from "./sockets.ts";
import { DurableObjectStorage } from "./storage.ts";

const AUTO_RESPONSE_CHARACTERS_MAX = 2048;
const EVENT_TIMEOUT_MS_MAX = 604_800_000; // seven days, the platform's bound

export class DurableObjectState {
  readonly #agent: Agent;
  #id: DurableObjectId | null = null;
  #storage: DurableObjectStorage | null = null;
  #facets: DurableObjectFacets | null = null;
  #autoResponse: WebSocketRequestResponsePair | null = null;
  readonly props: unknown = {};
  /** Containers are not run by hearth. */
  readonly container = undefined;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  get id(): DurableObjectId {
    return (this.#id ??= this.#makeId());
  }

  #makeId(): DurableObjectId {
    const { namespace, id, name } = this.#agent.address;
    return new DurableObjectId(id, this.#agent.host.namespaces[namespace]!.uniqueKey, name === "" ? undefined : name);
  }

  get storage(): DurableObjectStorage {
    return (this.#storage ??= new DurableObjectStorage(this.#agent));
  }

  get exports(): object {
    return this.#agent.host.workerOf(this.#agent.address.namespace).exports;
  }

  get facets(): DurableObjectFacets {
    return (this.#facets ??= new DurableObjectFacets((this.#agent.facets = new FacetTable(this.#agent))));
  }

  waitUntil(promise: unknown): void {
    const agent = this.#agent;
    agent.begin();
    Promise.resolve(promise).then(() => agent.end(), (error) => {
      agent.end();
      agent.host.report(error, { agent, what: "waitUntil" });
    });
  }

  blockConcurrencyWhile<T>(callback: () => T | Promise<T>): Promise<T> {
    return this.#agent.blockConcurrencyWhile(callback);
  }

  abort(reason?: unknown, options?: { retryAlarm?: boolean }): never {
    return this.#agent.abort(reason, options?.retryAlarm ?? true);
  }

  // ---- hibernatable WebSockets -------------------------------------------------------------------

  acceptWebSocket(socket: WebSocket, tags?: readonly string[]): void {
    const given = tags === undefined ? [] : [...tags];
    if (given.length > TAGS_MAX) {
      throw new Error(`a Hibernatable WebSocket cannot have more than ${TAGS_MAX} tags`);
    }
    const unique = new Set<string>();
    for (const tag of given.map(String)) {
      if (tag.length > TAG_CHARACTERS_MAX) {
        throw new Error(`"${tag}" is longer than the max tag length (${TAG_CHARACTERS_MAX} characters).`);
      }
      if (tag.includes("\0")) throw new TypeError("A tag of a WebSocket cannot contain the character NUL.");
      unique.add(tag);
    }
    this.#sockets.accept(socket, [...unique]);
  }

  getWebSockets(tag?: string): WebSocket[] {
    return this.#sockets.get(tag);
  }

  getTags(socket: WebSocket): string[] {
    return this.#sockets.tagsOf(socket);
  }

  setWebSocketAutoResponse(pair?: WebSocketRequestResponsePair): void {
    if (pair !== undefined && !(pair instanceof WebSocketRequestResponsePair)) {
      throw new TypeError("Failed to execute 'setWebSocketAutoResponse' on 'DurableObjectState': parameter 1 is not of type 'WebSocketRequestResponsePair'.");
    }
    if (pair !== undefined) {
      for (const [name, text] of [["Request", pair.request], ["Response", pair.response]] as const) {
        if (text.length > AUTO_RESPONSE_CHARACTERS_MAX) {
          throw new RangeError(`${name} cannot be larger than ${AUTO_RESPONSE_CHARACTERS_MAX} bytes. A ${name.toLowerCase()} of size ${text.length} was provided.`);
        }
      }
    }
    const { namespace, id } = this.#agent.address;
    this.#autoResponse = pair ?? null;
    if (this.#agent.isFacet) return; // its sockets are answered for here
    this.#agent.host.addon.autoResponse(this.#agent.gate, namespace, id, pair?.request ?? null, pair?.response ?? null);
  }

  getWebSocketAutoResponse(): WebSocketRequestResponsePair | null {
    return this.#autoResponse;
  }

  getWebSocketAutoResponseTimestamp(socket: WebSocket): Date | null {
    const at = autoResponseAt(socket);
    return at > 0 ? new Date(at) : null;
  }

  setHibernatableWebSocketEventTimeout(timeoutMs?: number): void {
    if (timeoutMs !== undefined && !(timeoutMs >= 0 && timeoutMs <= EVENT_TIMEOUT_MS_MAX)) {
      throw new Error(`Event timeout should not exceed ${EVENT_TIMEOUT_MS_MAX} ms.`);
    }
    const { namespace, id } = this.#agent.address;
    this.#agent.eventTimeoutMs = Math.trunc(timeoutMs ?? 0);
    if (this.#agent.isFacet) return;
    this.#agent.host.addon.eventTimeout(this.#agent.gate, namespace, id, this.#agent.eventTimeoutMs);
  }

  getHibernatableWebSocketEventTimeout(): number | null {
    return this.#agent.eventTimeoutMs || null;
  }

  /** What the core told of an automatic response that was set in an earlier life. */
  static restoreAutoResponse(state: DurableObjectState, request: string, response: string): void {
    state.#autoResponse = new WebSocketRequestResponsePair(request, response);
  }

  get [Symbol.toStringTag](): string { return "DurableObjectState"; }

  get #sockets(): AgentSockets {
    return this.#agent.keeper.sockets;
  }
}
