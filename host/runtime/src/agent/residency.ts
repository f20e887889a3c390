// The table of agents that are resident on this host: opens them (by a call from inside, or because
// the core announces an event), keeps one life of each, and lets the idle ones go. The core is told
// of an agent before it is constructed, and answers with its sockets.
import { Elsewhere, isExpectedReset, isRefusal, refusal } from "./errors.ts";
import type { AgentClass, AgentHost } from "./host.ts";
import { Agent, type AgentEvent, type AgentKeeper, clock } from "./instance.ts";
import { Moves } from "./moves.ts";
import { currentAgent } from "./scope.ts";
import { AgentSockets, SocketTable } from "./sockets.ts";
import { DurableObjectState } from "./state.ts";
import type { AgentAddress, AgentInstance, AgentOperation, Dispatcher, NamespaceInfo } from "./types.ts";

const SWEEPS_PER_TIMEOUT = 5;
/** What the SDK's agents have besides the platform's handlers. */
interface Startable {
  __unsafe_ensureInitialized?: () => unknown;
}

/** Constructs it, and lets the SDK start it as for a caller that asks for no more than that. */
export function startAgent(agent: Agent): Promise<unknown> {
  return agent.enter(() => (agent.object as Startable).__unsafe_ensureInitialized?.());
}

const SLEEPING = -1; // an agent's lastSweep from AgentSleep until something happens to it

/** One agent's place in the table; it outlives the agent's lives. */
export class Resident implements AgentKeeper {
  readonly #residency: Residency;
  readonly path: string;
  readonly parent = null;
  readonly sockets: AgentSockets;
  address: AgentAddress;
  /** Events of the core since its AgentWake. */
  events = 0;
  /** The core knows that it has work of its own. */
  working = false;
  busyAtSweep = false;
  #announced: boolean;
  #socketsExpected = 0;
  #autoResponse: { request: string; response: string } | null = null;
  #eventTimeoutMs = 0;
  #agent: Agent | null = null;

  constructor(residency: Residency, address: AgentAddress, path: string, announced: boolean, sockets: AgentSockets | null) {
    this.#residency = residency;
    this.address = address;
    this.path = path;
    this.#announced = announced;
    this.sockets = sockets ?? new AgentSockets(residency.sockets, address.namespace, address.id, () => this.agent);
    this.sockets.agent = () => this.agent;
  }

  get agent(): Agent {
    if (this.#agent === null) {
      this.#agent = new Agent(this.#residency.host, this, this.#announced);
      this.#agent.eventTimeoutMs = this.#eventTimeoutMs;
      const auto = this.#autoResponse;
      if (auto !== null) DurableObjectState.restoreAutoResponse(this.#agent.state, auto.request, auto.response);
    }
    return this.#agent;
  }

  get life(): Agent | null {
    return this.#agent;
  }

  /** The core has told of it. */
  get announced(): boolean {
    return this.#announced;
  }

  agentClass(): AgentClass {
    return this.#residency.classOf(this.address.namespace);
  }

  wake(name: string, autoRequest: string | null, autoResponse: string | null, sockets: number, eventTimeoutMs: number): void {
    this.events = 0;
    if (this.#announced) return;
    this.#eventTimeoutMs = eventTimeoutMs;
    if (this.#agent !== null) this.#agent.eventTimeoutMs = eventTimeoutMs;
    if (this.address.name === "" && name !== "") this.address = { ...this.address, name };
    if (autoRequest !== null) this.#autoResponse = { request: autoRequest, response: autoResponse ?? "" };
    if (this.#autoResponse !== null && this.#agent !== null) {
      DurableObjectState.restoreAutoResponse(this.#agent.state, this.#autoResponse.request, this.#autoResponse.response);
    }
    this.#socketsExpected = sockets;
    if (sockets === 0) this.#complete();
  }

  socketTold(): void {
    if (!this.#announced && this.#socketsExpected > 0 && --this.#socketsExpected === 0) this.#complete();
  }

  #complete(): void {
    this.#announced = true;
    this.#agent?.announced();
  }

  ended(agent: Agent, reason: unknown, waiting: AgentEvent[]): void {
    const pair = agent.state.getWebSocketAutoResponse();
    this.#autoResponse = pair === null ? null : { request: pair.request, response: pair.response };
    this.#eventTimeoutMs = agent.eventTimeoutMs;
    const message = reason instanceof Error ? reason.message : String(reason);
    this.sockets.lifeEnded(message.slice(0, 60));
    this.#agent = null;
    this.#afterRestore(agent);
    if (!isExpectedReset(reason) && !isRefusal(reason)) {
      agent.failed(reason);
      this.#residency.host.report(reason, { agent, what: "reset" });
    }
    for (const event of waiting) event.fail(reason);
  }

  dropped(): void {
    const auto = this.#agent === null ? this.#autoResponse : this.#agent.state.getWebSocketAutoResponse();
    this.sockets.name = this.address.name;
    this.sockets.autoResponse = auto === null ? null : { request: auto.request, response: auto.response };
    this.sockets.dropAll();
    const agent = this.#agent;
    agent?.evict();
    this.#agent = null;
    if (agent !== null) this.#afterRestore(agent);
  }

  /** The restored file may have another alarm than the core knows of: nothing else may open it soon. */
  #afterRestore(agent: Agent): void {
    const { namespace, id } = this.address;
    if (agent.restorePending) setImmediate(() => this.#residency.probeAlarm(namespace, id));
  }
}

export class Residency implements Dispatcher {
  readonly host: AgentHost;
  readonly sockets: SocketTable;
  hostSlot = 0;
  hostCount = 1;
  readonly moves: Moves;
  readonly #residents: Map<string, Resident>[];
  /** Sockets of agents that sleep, whose other ends are held by code: by the agent's path. */
  readonly #parked = new Map<string, AgentSockets>();
  #sweeper: NodeJS.Timeout | null = null;

  constructor(host: AgentHost) {
    this.host = host;
    this.sockets = new SocketTable(host.addon, host.faults);
    this.moves = new Moves(this);
    this.#residents = host.namespaces.map(() => new Map());
  }

  get namespaces(): readonly NamespaceInfo[] {
    return this.host.namespaces;
  }

  get currentAgent(): AgentInstance | null {
    return currentAgent();
  }

  start(): void {
    const period = Math.max(50, Math.ceil(this.host.idleTimeoutMs / SWEEPS_PER_TIMEOUT));
    this.#sweeper = setInterval(() => this.#sweep(), period);
    this.#sweeper.unref();
  }

  ownerOf(id: string): number {
    if (this.hostCount <= 1) return this.hostSlot;
    let value = 0n;
    for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(parseInt(id.slice(2 * i, 2 * i + 2), 16));
    return Number(value % BigInt(this.hostCount));
  }

  classOf(namespace: number): AgentClass {
    const info = this.host.namespaces[namespace]!;
    const found = this.host.classOf(info);
    if (found === undefined) {
      throw new Error(`Durable Object class "${info.className}" is not exported from the worker's main module: add \`export { ${info.className} }\` to it.`);
    }
    return found;
  }

  callAgent(address: AgentAddress, operation: AgentOperation): Promise<unknown> {
    const caller = currentAgent();
    caller?.entered();
    if (caller !== null && !caller.durable && !caller.insideTransaction) {
      return new Promise((resolve, reject) => {
        caller.afterDurable((error) => {
          if (error) reject(error);
          else this.open(address).agent.call(operation).then(resolve, reject);
        });
      });
    }
    return this.open(address).agent.call(operation);
  }

  /** The agent's place; a new one is announced to the core. */
  open(address: AgentAddress): Resident {
    const known = this.find(address.namespace, address.id);
    if (known !== undefined) {
      if (known.address.name === "" && address.name !== "" && known.life === null) known.address = address;
      return known;
    }
    const resident = this.#add(address, false);
    this.host.addon.agentOpened(address.namespace, address.id, address.name);
    return resident;
  }

  find(namespace: number, id: string): Resident | undefined {
    return this.#residents[namespace]?.get(id);
  }

  pathOf(namespace: number, id: string): string {
    return `${this.host.stateDirectory}/do/${this.host.namespaces[namespace]!.uniqueKey}/${id}.sqlite`;
  }

  #add(address: AgentAddress, announced: boolean): Resident {
    const path = this.pathOf(address.namespace, address.id);
    const resident = new Resident(this, address, path, announced, this.#parked.get(path) ?? null);
    this.#parked.delete(path);
    this.#residents[address.namespace]!.set(address.id, resident);
    return resident;
  }

  // ---- what the core tells -----------------------------------------------------------------------

  wake(namespace: number, id: string, name: string, autoRequest: string | null, autoResponse: string | null,
       sockets: number, eventTimeoutMs: number): void {
    const resident = this.find(namespace, id) ?? this.#add({ namespace, id, name }, false);
    resident.wake(name, autoRequest, autoResponse, sockets, eventTimeoutMs);
  }

  socket(namespace: number, id: string, connection: number, url: string, protocol: string, tags: string,
         attachment: Uint8Array | null, autoMs: number): void {
    const resident = this.find(namespace, id);
    if (resident === undefined) return;
    resident.sockets.restore(connection, url, protocol, tags, attachment, autoMs);
    resident.socketTold();
  }

  sleepAccepted(namespace: number, id: string): void {
    const resident = this.find(namespace, id);
    if (resident === undefined) return;
    const agent = resident.life;
    if (agent !== null && (agent.busy || agent.lastSweep !== SLEEPING)) {
      // Something inside called it meanwhile: it stays, and the core hears so.
      this.host.addon.agentOpened(namespace, id, resident.address.name);
      return;
    }
    this.drop(resident);
  }

  /** Its life is over, its database closed. */
  drop(resident: Resident): void {
    resident.dropped();
    const { address: { namespace, id }, path, sockets } = resident;
    this.#residents[namespace]!.delete(id);
    if (sockets.size > 0) this.#parked.set(path, sockets);
  }

  /** The slot gets another host. Agents that sleep here with sockets that code holds are awake until then. */
  leave(): void {
    for (const { namespace, id, name } of [...this.#parked.values()]) this.open({ namespace, id, name });
  }

  /** It was to be opened here: whoever waits for it asks there. */
  elsewhere(namespace: number, id: string, host: number): void {
    const resident = this.find(namespace, id);
    if (resident === undefined || resident.announced) return;
    this.#residents[namespace]!.delete(id);
    resident.life?.reset(new Elsewhere(host));
  }

  // The SDK takes interrupted work up again when it starts, which it does before the first request,
  // message or alarm, and for callers that ask for no more than that (its getAgentByName). So such
  // a call is made; an object without that method is only constructed. No handler is called early.
  resume(namespace: number, id: string): void {
    const { agent } = this.open({ namespace, id, name: "" });
    startAgent(agent).catch((error: unknown) => {
      if (!isExpectedReset(error)) this.host.report(error, { agent, code: "R407", what: "start after its host's end" });
    });
  }

  refused(namespace: number, id: string, message: string): void {
    const resident = this.find(namespace, id);
    if (resident === undefined) return;
    this.#residents[namespace]!.delete(id);
    resident.life?.reset(refusal(message));
  }

  probeAlarm(namespace: number, id: string): void {
    const name = this.find(namespace, id)?.address.name ?? "";
    this.host.addon.reportAlarm(namespace, id, this.pathOf(namespace, id), name, this.host.historyMs);
  }

  /** A commit of some agent could not be made durable. */
  agentOf(gate: object): Agent | null {
    for (const agent of this.#lives()) {
      const found = agent.gate === gate ? agent : (agent.facets?.find(gate) ?? null);
      if (found !== null) return found;
    }
    return null;
  }

  // ---- idleness ----------------------------------------------------------------------------------

  #sweep(): void {
    clock.sweep++;
    for (const residents of this.#residents) {
      for (const resident of residents.values()) this.#consider(resident);
    }
  }

  #consider(resident: Resident): void {
    const { agent } = resident;
    const { namespace, id } = resident.address;
    // Work that lasts from one sweep to the next: if this host dies, the next one is told to go on.
    const working = agent.busy && resident.busyAtSweep;
    resident.busyAtSweep = agent.busy;
    if (working !== resident.working) {
      resident.working = working;
      this.host.addon.agentWorking(namespace, id, working ? 1 : 0);
    }
    if (agent.busy || agent.lastSweep === SLEEPING) return;
    if (clock.sweep - agent.lastSweep < SWEEPS_PER_TIMEOUT) return;
    agent.lastSweep = SLEEPING;
    this.host.addon.agentSleep(namespace, id, resident.events);
  }

  /** The lives whose objects are there, or about to be. */
  *running(): Iterable<Agent> {
    for (const agent of [...this.#lives()]) if (agent.object !== null || agent.busy) yield agent;
  }

  *#lives(): Iterable<Agent> {
    for (const residents of this.#residents) {
      for (const resident of residents.values()) if (resident.life !== null) yield resident.life;
    }
  }

  get busy(): boolean {
    for (const agent of this.#lives()) if (agent.working) return true;
    return false;
  }

  /** Everything that was written is made durable, and every database closed. */
  async close(): Promise<void> {
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    const lives = [...this.#lives()];
    await Promise.allSettled(lives.map((agent) => agent.whenAllDurable()));
    for (const agent of lives) agent.evict();
  }
}
