// The core's events for agents: WebSocket messages and closes, and alarms. Each is marked on the
// progress page just before its handler runs and when it has ended. The path of a message to a handler
// that does not wait makes no promise.
import { type Addon, CloseKind } from "../addon.ts";
import { completeClose, deliverMessage } from "../web/websocket.ts";
import { isExpectedReset } from "./errors.ts";
import { limitEvent } from "./event_limit.ts";
import type { AlarmInfo } from "./host.ts";
import { type Agent, type AgentEvent, clock, isThenable } from "./instance.ts";
import { enter } from "./marks.ts";
import type { Residency, Resident } from "./residency.ts";
import type { SocketRecord } from "./sockets.ts";

const ALARM_RETRIES_MAX = 6;
const REDELIVERIES_MAX = 3;

/** How a socket ended: by a close, or by an error of the protocol. */
interface SocketEnd {
  readonly code: number;
  readonly reason: string;
  readonly clean: boolean;
  readonly error: Error | null;
}

export class AgentEvents {
  readonly #residency: Residency;
  readonly #addon: Addon;

  constructor(residency: Residency) {
    this.#residency = residency;
    this.#addon = residency.host.addon;
    residency.sockets.localHandler = (record) => ({
      claimed: () => record.claimed(),
      message: (data) => {
        const automatic = this.#automatic(record);
        if (automatic === null || automatic.request !== data) {
          return this.#local(record, (agent) => callMessage(agent, record, data), "webSocketMessage");
        }
        record.autoResponded(Date.now());
        record.socket.send(automatic.response);
        return undefined;
      },
      close: (code, reason, clean) => void this.#local(record, async (agent) => {
        try {
          await agent.object!.webSocketClose?.(record.socket, code, reason, clean);
        } finally {
          record.home!.remove(record);
          record.claimed();
          record.release?.();
          completeClose(record.socket, code, reason, clean);
        }
      }, "webSocketClose"),
    });
  }

  /** A frame from an end that code holds, here or on another host: no event of the core. Resolves when it begins. */
  #local(record: SocketRecord, work: (agent: Agent) => unknown, what: string): Promise<void> {
    const { namespace, id, name, ofFacet } = record.home!;
    const agent = ofFacet ? record.home!.agent() : this.#residency.open({ namespace, id, name }).agent;
    return new Promise((begun) => {
      let inTime = (): void => {};
      const begin = (): unknown => {
        begun();
        inTime = limitEvent(agent, what, undefined);
        return work(agent);
      };
      const handled = agent.enter(begin).finally(() => inTime()).then(() => {
        if (agent.swallowed !== null) this.#tellSwallowed(agent, null, what);
      });
      handled.catch((error) => {
        begun();
        if (!isExpectedReset(error)) this.#residency.host.report(error, { agent, code: "R407", what });
      });
    });
  }

  /** What is answered to a frame without the code. */
  #automatic(record: SocketRecord): { readonly request: string; readonly response: string } | null {
    const { namespace, id, autoResponse, ofFacet } = record.home!;
    if (ofFacet) return record.home!.agent().state.getWebSocketAutoResponse();
    const resident = this.#residency.find(namespace, id);
    return resident === undefined ? autoResponse : resident.agent.state.getWebSocketAutoResponse();
  }

  /** An event of a facet: no later life gets it, and the core counts it as its root's. */
  #toFacet(record: SocketRecord, slot: number, begin: (agent: Agent) => void): void {
    const agent = record.home!.agent();
    agent.deliver({
      begin,
      fail: () => {
        this.#addon.begun(slot);
        this.#addon.done(slot);
      },
    });
  }

  #facetMessage(record: SocketRecord, slot: number, data: string | ArrayBuffer): void {
    const automatic = record.hibernatable ? this.#automatic(record) : null;
    if (automatic === null || automatic.request !== data) {
      this.#toFacet(record, slot, (life) => this.#message(life, record, slot, data));
      return;
    }
    this.#addon.begun(slot);
    record.autoResponded(Date.now());
    record.socket.send(automatic.response);
    this.#residency.sockets.flush();
    this.#addon.done(slot);
  }

  // ---- WebSockets --------------------------------------------------------------------------------

  socketMessage(slot: number, connection: number, data: string | ArrayBuffer): void {
    const record = this.#residency.sockets.get(connection);
    if (record === undefined || record.home === null) {
      this.#addon.begun(slot);
      record?.contextIn(null)(deliverMessage, record.socket, data);
      this.#residency.sockets.flush();
      this.#addon.done(slot);
      return;
    }
    const resident = this.#resident(record);
    resident.events++;
    if (record.home.ofFacet) {
      this.#facetMessage(record, slot, data);
      return;
    }
    const { agent } = resident;
    if (agent.open) this.#message(agent, record, slot, data);
    else agent.deliver(this.#waiting(resident, slot, record, (life) => this.#message(life, record, slot, data)));
  }

  socketClosed(slot: number, connection: number, code: number, reason: string, kind: CloseKind): void {
    const error = kind === CloseKind.ProtocolError
      ? new Error(`WebSocket protocol error; protocolError.statusCode = ${code}; protocolError.description = ${reason}`) : null;
    const end: SocketEnd = { code, reason, clean: kind === CloseKind.Clean, error };
    const record = this.#residency.sockets.get(connection);
    if (record === undefined || record.home === null) {
      this.#addon.begun(slot);
      if (record !== undefined) {
        this.#residency.sockets.forget(record);
        record.contextIn(null)(tellEnd, record, end);
      }
      this.#residency.sockets.flush();
      this.#addon.done(slot);
      return;
    }
    const resident = this.#resident(record);
    resident.events++;
    if (record.home.ofFacet) {
      this.#toFacet(record, slot, (life) => this.#closed(life, record, slot, end));
      return;
    }
    resident.agent.deliver(this.#waiting(resident, slot, record,
                                         (life) => this.#closed(life, record, slot, end)));
  }

  #resident(record: SocketRecord): Resident {
    const { namespace, id } = record.home!;
    return this.#residency.find(namespace, id)!;
  }

  #message(agent: Agent, record: SocketRecord, slot: number, data: string | ArrayBuffer): void {
    this.#addon.begun(slot);
    this.#residency.sockets.dispatching = true;
    const limitMs = agent.eventTimeoutMs;
    let result: unknown;
    enter(agent);
    try {
      result = record.contextIn(agent)(callMessage, agent, record, data);
    } catch (error) {
      this.#threw(agent, record, error, "webSocketMessage");
    }
    this.#ended(agent, record, slot, result, "webSocketMessage", limitMs);
  }

  #closed(agent: Agent, record: SocketRecord, slot: number, end: SocketEnd): void {
    this.#addon.begun(slot);
    const { home } = record;
    const what = end.error === null ? "webSocketClose" : "webSocketError";
    const limitMs = agent.eventTimeoutMs;
    record.gone = true;
    let result: unknown;
    enter(agent);
    try {
      result = record.contextIn(agent)(callClose, agent, record, end);
    } catch (error) {
      this.#threw(agent, null, error, what);
    }
    this.#residency.sockets.forget(record);
    const forget = (): void => {
      home!.remove(record);
      record.release?.();
      record.release = null;
    };
    if (isThenable(result)) result.then(forget, forget);
    else forget();
    this.#ended(agent, null, slot, result, what, limitMs);
  }

  #ended(agent: Agent, record: SocketRecord | null, slot: number, result: unknown, what: string, limitMs: number): void {
    agent.lastSweep = clock.sweep;
    this.#residency.sockets.flush();
    if (!isThenable(result)) {
      this.#addon.done(slot);
      return;
    }
    // A reset ends it too: the handler may never settle.
    const settled = (): void => {
      inTime();
      if (!agent.unwatch(reset)) return;
      if (agent.swallowed !== null) this.#tellSwallowed(agent, record, what);
      agent.end();
      this.#residency.sockets.flush();
      this.#addon.done(slot);
    };
    const reset = (): void => this.#addon.done(slot);
    agent.begin();
    if (agent.broken) {
      this.#addon.done(slot);
      return;
    }
    agent.watch(reset);
    const inTime = limitEvent(agent, what, record?.connection, limitMs);
    result.then(settled, (error) => {
      this.#threw(agent, record, error, what);
      settled();
    });
  }

  #threw(agent: Agent, record: SocketRecord | null, error: unknown, what: string): void {
    // What the code of a life that was ended on purpose still throws is a consequence.
    if (isExpectedReset(error) || (agent.broken && (error === agent.reason || isExpectedReset(agent.reason)))) return;
    const { host } = this.#residency;
    const details = { agent, code: "R407", what, connection: record?.connection };
    if (record === null || agent.broken) host.report(error, details);
    else record.send(host.faults.told(error, details).frame);
  }

  /** The first is this handler's: they end in the order in which they failed. */
  #tellSwallowed(agent: Agent, record: SocketRecord | null, what: string): void {
    const error = agent.swallowed!.shift();
    if (agent.swallowed!.length === 0) agent.swallowed = null;
    this.#threw(agent, record, error, what);
  }

  /** An event that waits at the input gate; handed to the next life if this one is aborted first. */
  #waiting(resident: Resident, slot: number, record: SocketRecord | null, begin: (agent: Agent) => void): AgentEvent {
    let redeliveries = 0;
    const event: AgentEvent = {
      begin,
      fail: (reason) => {
        if (isExpectedReset(reason) && redeliveries++ < REDELIVERIES_MAX) {
          resident.agent.deliver(event);
          return;
        }
        this.#addon.begun(slot);
        const details = { agent: resident.agent, code: "R407", what: "message", connection: record?.connection };
        record?.send(this.#residency.host.faults.told(reason, details).frame);
        this.#residency.sockets.flush();
        this.#addon.done(slot);
      },
    };
    return event;
  }

  // ---- alarms ------------------------------------------------------------------------------------

  alarm(slot: number, namespace: number, id: string, name: string, scheduledMs: number, retries: number): void {
    const resident = this.#residency.open({ namespace, id, name });
    resident.events++;
    let redeliveries = 0;
    const event: AgentEvent = {
      begin: (agent) => this.#alarm(agent, slot, scheduledMs, retries),
      fail: (reason) => {
        if (isExpectedReset(reason) && redeliveries++ < REDELIVERIES_MAX) {
          resident.agent.deliver(event);
          return;
        }
        this.#addon.begun(slot);
        this.#addon.alarmDone(null, namespace, id, 1, scheduledMs);
        this.#addon.done(slot);
      },
    };
    resident.agent.deliver(event);
  }

  // The alarm stays stored while its handler runs, hidden from it: a host that dies has lost nothing.
  // It is removed with what the handler wrote last, unless the handler has set another.
  #alarm(agent: Agent, slot: number, scheduledMs: number, retries: number): void {
    this.#addon.begun(slot);
    const { namespace, id } = agent.address;
    const stored = agent.database.getAlarm();
    if (stored === null || stored > scheduledMs) {
      this.#addon.alarmDone(agent.gate, namespace, id, 0, scheduledMs);
      this.#addon.done(slot);
      return;
    }
    agent.runningAlarm = stored;
    agent.begin();
    const reset = (reason: unknown): void => {
      this.#finishAlarm(agent, stored, scheduledMs, retries, true, reason);
      this.#addon.done(slot);
    };
    const finish = (error: unknown, failed: boolean): void => {
      if (!agent.unwatch(reset)) return;
      agent.end();
      this.#residency.sockets.flush();
      this.#finishAlarm(agent, stored, scheduledMs, retries, failed, error);
      this.#addon.done(slot);
    };
    agent.watch(reset);
    const info: AlarmInfo = { retryCount: retries, isRetry: retries > 0, scheduledTime: scheduledMs };
    let result: unknown;
    enter(agent);
    try {
      result = agent.context(callAlarm, agent, info);
    } catch (error) {
      finish(error, true);
      return;
    }
    if (isThenable(result)) result.then(() => finish(null, false), (error) => finish(error, true));
    else finish(null, false);
  }

  #finishAlarm(agent: Agent, stored: number, scheduledMs: number, retries: number, failed: boolean, error: unknown): void {
    const { namespace, id } = agent.address;
    const { host } = this.#residency;
    if (failed && !isExpectedReset(error)) host.report(error, { agent, code: "R407", what: "alarm" });
    const over = !failed || retries >= ALARM_RETRIES_MAX || agent.alarmRefused;
    // A handler that set an alarm, be it for the same millisecond, keeps it.
    const replaced = agent.runningAlarm === null;
    agent.runningAlarm = null;
    // A life that was reset has no database any more: the next one forgets the alarm.
    const life = agent.broken ? this.#residency.open(agent.address).agent : agent;
    if (over && !replaced && life.database.getAlarm() === stored) life.database.setAlarm(null);
    // Set for the millisecond that the core knows already: it is told again, or the one that ran would end it.
    if (replaced && life.database.getAlarm() === stored) this.#residency.probeAlarm(namespace, id);
    const outcome = !failed ? 0 : over ? 2 : 1;
    this.#addon.alarmDone(life.gate, namespace, id, outcome, scheduledMs);
  }
}

function callMessage(agent: Agent, record: SocketRecord, data: string | ArrayBuffer): unknown {
  if (!record.hibernatable) {
    deliverMessage(record.socket, data);
    return undefined;
  }
  return agent.object!.webSocketMessage?.(record.socket, data);
}

function tellEnd(record: SocketRecord, { code, reason, clean, error }: SocketEnd): void {
  if (error === null) record.closed(code, reason, clean);
  else record.failed(error);
}

/** After an error of the protocol there is no close, as on the platform. */
function callClose(agent: Agent, record: SocketRecord, end: SocketEnd): unknown {
  tellEnd(record, end);
  if (!record.hibernatable) return undefined;
  if (end.error !== null) return agent.object!.webSocketError?.(record.socket, end.error);
  return agent.object!.webSocketClose?.(record.socket, end.code, end.reason, end.clean);
}

function callAlarm(agent: Agent, info: AlarmInfo): unknown {
  if (typeof agent.object!.alarm !== "function") {
    throw new Error("Your Durable Object class must have an alarm() handler in order to call setAlarm()");
  }
  return agent.object!.alarm(info);
}
