// ctx.facets: objects that live inside an agent, each with a class, a database and facets of its own,
// resident exactly as long as the agent is. A facet's file is beside its parent's:
// `<parent>.facets/<digest of the name>.sqlite`. A WebSocket that a facet has accepted keeps both resident,
// and closes when the facet ends, as its code could be started again by its parent only.
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { cloneFile, cloneFolder } from "./clone.ts";
import { classOfExport } from "./exported_class.ts";
import { facetsFolder, removeDatabase } from "./files.ts";
import type { AgentClass } from "./host.ts";
import { Agent, type AgentEvent, type AgentKeeper } from "./instance.ts";
import { DurableObjectId } from "./ids.ts";
import { AgentSockets } from "./sockets.ts";
import type { AgentAddress, AgentOperation } from "./types.ts";

const NAME_CHARACTERS_MAX = 256;
const CLOSE_REASON_CHARACTERS = 60;
export interface FacetStartup {
  class: unknown;
  id?: DurableObjectId | string;
  props?: unknown;
}

class Facet implements AgentKeeper {
  readonly parent: Agent;
  readonly path: string;
  readonly sockets: AgentSockets;
  readonly name: string;
  readonly start: () => FacetStartup | Promise<FacetStartup>;
  readonly owner: FacetTable;
  address: AgentAddress;
  agent: Agent | null = null;
  #class: AgentClass | null = null;
  #starting: Promise<Agent> | null = null;

  constructor(owner: FacetTable, parent: Agent, name: string, path: string,
              start: () => FacetStartup | Promise<FacetStartup>) {
    this.owner = owner;
    this.parent = parent;
    this.name = name;
    this.path = path;
    this.start = start;
    this.address = parent.address;
    const { table, namespace, id } = parent.root.keeper.sockets;
    this.sockets = new AgentSockets(table, namespace, id, () => this.agent!, true);
  }

  agentClass(): AgentClass {
    return this.#class!;
  }

  ended(_agent: Agent, reason: unknown, waiting: AgentEvent[]): void {
    this.owner.forget(this);
    const message = reason instanceof Error ? reason.message : String(reason);
    this.sockets.closeAll(1011, message.slice(0, CLOSE_REASON_CHARACTERS));
    for (const event of waiting) event.fail(reason);
  }

  async call(operation: AgentOperation): Promise<unknown> {
    const release = this.parent.hold();
    try {
      const agent = this.agent ?? (await (this.#starting ??= this.#begin()));
      return await agent.call(operation);
    } finally {
      release();
    }
  }

  async #begin(): Promise<Agent> {
    try {
      const startup = await this.start();
      const found = classOfExport(startup.class);
      if (found === undefined) {
        throw new TypeError("The class given to ctx.facets.get() is not a Durable Object class: take it from ctx.exports.");
      }
      this.#class = found;
      const { namespace, id, name } = this.parent.address;
      if (startup.id instanceof DurableObjectId) {
        this.address = { namespace, id: startup.id.toString(), name: startup.id.name ?? "" };
      } else {
        this.address = { namespace, id: startup.id ?? id, name: startup.id === undefined ? name : "" };
      }
      if (this.parent.broken) throw this.parent.reason;
      mkdirSync(dirname(this.path), { recursive: true });
      return (this.agent = new Agent(this.parent.host, this, true));
    } catch (error) {
      this.#starting = null;
      throw error;
    }
  }
}

/** What code sees of them. */
export class DurableObjectFacets {
  readonly #table: FacetTable;

  constructor(table: FacetTable) {
    this.#table = table;
  }

  /** A stub of the facet, which starts at its first use. */
  get(name: string, start: () => FacetStartup | Promise<FacetStartup>): object {
    return this.#table.get(name, start);
  }

  /** Ends it; its storage stays. */
  abort(name: string, reason?: unknown): void {
    this.#table.abort(name, reason);
  }

  /** Ends it and deletes what it and its own facets stored. */
  delete(name: string): void {
    this.#table.delete(name);
  }

  /** What `from` and its own facets stored, copied to `to` in place of what that had; `to` ends. */
  clone(from: string, to: string): void {
    if (arguments.length < 2) {
      throw new TypeError("Failed to execute 'clone' on 'DurableObjectFacets': parameter 2 is not of type 'string'.");
    }
    this.#table.clone(from, to);
  }

  get [Symbol.toStringTag](): string { return "DurableObjectFacets"; }
}

export class FacetTable {
  readonly #parent: Agent;
  readonly #folder: string;
  readonly #running = new Map<string, Facet>();

  constructor(parent: Agent) {
    this.#parent = parent;
    this.#folder = facetsFolder(parent.keeper.path);
  }

  get(name: string, start: () => FacetStartup | Promise<FacetStartup>): object {
    const key = this.#check(name);
    let facet = this.#running.get(key);
    if (facet === undefined) {
      facet = new Facet(this, this.#parent, key, this.#path(key), start);
      this.#running.set(key, facet);
    }
    const running = facet;
    return this.#parent.host.facetStub(this.#parent.address, (operation) => running.call(operation));
  }

  abort(name: string, reason?: unknown): void {
    const facet = this.#running.get(this.#check(name));
    if (facet === undefined) return;
    this.#running.delete(facet.name);
    facet.agent?.reset(reason);
  }

  delete(name: string, reason = new Error("The facet was deleted.")): void {
    const key = this.#check(name);
    this.abort(key, reason);
    removeDatabase(this.#path(key));
  }

  clone(from: string, to: string): void {
    const source = this.#path(this.#check(from));
    const key = this.#check(to);
    const target = this.#path(key);
    const { addon } = this.#parent.host;
    mkdirSync(this.#folder, { recursive: true });
    const ended = new Error("The facet was replaced by a clone.");
    if (source === target) {
      this.abort(key, ended);
      return;
    }
    const file = cloneFile(addon, source);
    const inner = cloneFolder(addon, facetsFolder(source));
    this.delete(key, ended);
    inner.install(facetsFolder(target));
    file.install(target);
  }

  get busy(): boolean {
    for (const facet of this.#running.values()) if (facet.agent?.busy) return true;
    return false;
  }

  get engaged(): boolean {
    for (const facet of this.#running.values()) if (facet.agent?.engaged) return true;
    return false;
  }

  get working(): boolean {
    for (const facet of this.#running.values()) if (facet.agent?.working) return true;
    return false;
  }

  get allDurable(): boolean {
    for (const facet of this.#running.values()) if (facet.agent?.allDurable === false) return false;
    return true;
  }

  async whenAllDurable(): Promise<void> {
    await Promise.all([...this.#running.values()].map((facet) => facet.agent?.whenAllDurable()));
  }

  /** The facet, or one inside it, whose database this is. */
  find(gate: object): Agent | null {
    for (const { agent } of this.#running.values()) {
      if (agent === null) continue;
      if (agent.gate === gate) return agent;
      const inner = agent.facets?.find(gate) ?? null;
      if (inner !== null) return inner;
    }
    return null;
  }

  reset(reason: unknown): void {
    for (const facet of [...this.#running.values()]) facet.agent?.reset(reason);
    this.#running.clear();
  }

  evict(): void {
    for (const facet of this.#running.values()) facet.agent?.evict();
    this.#running.clear();
  }

  forget(facet: Facet): void {
    if (this.#running.get(facet.name) === facet) this.#running.delete(facet.name);
  }

  #check(name: string): string {
    const text = String(name);
    if (text === "") throw new TypeError("Facet name cannot be empty");
    if (text.length > NAME_CHARACTERS_MAX) throw new TypeError(`Facet name is too long (max ${NAME_CHARACTERS_MAX} characters).`);
    return text;
  }

  #path(name: string): string {
    return `${this.#folder}/${createHash("sha256").update(name).digest("hex")}.sqlite`;
  }
}
