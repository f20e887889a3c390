// The workers' own events: requests, which are the first worker's, and schedules. A request goes to the
// assets first, then to the default export's fetch; its answer is taken apart and sent whole, streamed, or as an upgrade.
import type { Addon } from "../addon.ts";
import type { Assets } from "../bindings/assets.ts";
import { responseOwner } from "../agent/fetch_event.ts";
import type { AgentHost } from "../agent/host.ts";
import { isThenable } from "../agent/instance.ts";
import type { Bound, SocketTable } from "../agent/sockets.ts";
import { runFor, workerContext } from "../agent/scope.ts";
import { coded } from "../faults/coded.ts";
import { named } from "../faults/named.ts";
import { worded } from "../faults/wording.ts";
import { abortRequest, makeRequest, type Request } from "../web/request.ts";
import { isResponse, takeResponse, type Response } from "../web/response.ts";
import { BodyStreams } from "./bodies.ts";
import type { Entrypoints } from "./exports.ts";

const BODY_WHOLE = 1;
const BODY_STREAMED = 2;

export class Dispatcher {
  readonly #host: AgentHost;
  readonly #addon: Addon;
  readonly #entrypoints: Entrypoints;
  readonly #sockets: SocketTable;
  readonly #assets: Assets | null;
  readonly #pending: ReadonlySet<unknown>;
  readonly #streams: BodyStreams;
  readonly #requests = new Map<number, Request>();
  #schedules = 0;

  constructor(host: AgentHost, entrypoints: Entrypoints, sockets: SocketTable, assets: Assets | null,
              pending: ReadonlySet<unknown>) {
    this.#host = host;
    this.#addon = host.addon;
    this.#entrypoints = entrypoints;
    this.#sockets = sockets;
    this.#assets = assets;
    this.#pending = pending;
    this.#streams = new BodyStreams(host.addon);
  }

  /** Something has begun and not ended. */
  get busy(): boolean {
    return this.#requests.size > 0 || this.#schedules > 0 || this.#streams.busy || this.#pending.size > 0;
  }

  // ---- requests ----------------------------------------------------------------------------------

  fetch(slot: number, request: number, bodyKind: number, method: string, url: string, headers: string,
        clientAddress: string, body: Uint8Array | null): void {
    const source = bodyKind === BODY_STREAMED ? this.#streams.expect(request) : bodyKind === BODY_WHOLE ? body : null;
    const incoming = makeRequest(method, url, withClient(headers, clientAddress), source, {});
    this.#requests.set(request, incoming);
    this.#addon.begun(slot);
    let answer: unknown;
    try {
      answer = runFor(null, { request, connection: 0 }, () => this.#answer(incoming, method, url, headers));
    } catch (error) {
      this.#failed(slot, request, error);
      return;
    }
    this.#sockets.flush();
    if (isThenable(answer)) {
      answer.then((value) => this.#answered(slot, request, value), (error) => this.#failed(slot, request, error));
    } else {
      this.#answered(slot, request, answer);
    }
  }

  #answer(incoming: Request, method: string, url: string, headers: string): unknown {
    const asset = this.#assets?.serve(method, url, headers, this.#entrypoints.has("default")) ?? null;
    return asset ?? this.#entrypoints.fetch("default", undefined, incoming);
  }

  #answered(slot: number, request: number, answer: unknown): void {
    if (!isResponse(answer)) {
      this.#failed(slot, request, this.#noResponse(answer));
      return;
    }
    let sent: void | Promise<void>;
    try {
      sent = this.#send(request, answer);
    } catch (error) {
      this.#failed(slot, request, error);
      return;
    }
    if (sent === undefined) this.#addon.done(slot);
    else sent.then(() => this.#addon.done(slot), (error) => this.#failed(slot, request, error));
  }

  #noResponse(answer: unknown): Error {
    const message = `The worker's fetch returned ${named(answer)} instead of a Response` + (answer === null || answer === undefined
      ? ": look for a branch without return, or a result of routeAgentRequest() that may be null" : "");
    const where = this.#entrypoints.placeOfHandler("default", "fetch");
    return worded(coded(new TypeError(message), "R406"), () => (typeof answer === "string"
      ? { where, fix: "Return new Response(text)." } : { where }));
  }

  /** A promise for a socket of another host, which has to give it to the core first. */
  #send(request: number, response: Response): void | Promise<void> {
    const owner = responseOwner(response);
    const { status, statusText, headers, webSocket, bodyKind, body } = takeResponse(response);
    if (!this.#requests.has(request)) {
      // The client has left: nobody reads what is made for it.
      if (bodyKind === BODY_STREAMED) body.cancel(new Error("The client disconnected.")).catch(() => {});
      return;
    }
    if (webSocket !== null) {
      const upgrade = ({ connection, gate }: Bound): void => {
        this.#requests.delete(request);
        // If the client has left meanwhile, the core closes the connection.
        this.#addon.respondUpgrade(gate, request, connection, headers);
      };
      const bound = this.#sockets.bind(webSocket);
      return isThenable(bound) ? bound.then(upgrade) : upgrade(bound);
    }
    const gate = owner?.gate ?? null;
    const url = this.#requests.get(request)!.url;
    if (bodyKind !== BODY_STREAMED) {
      this.#requests.delete(request);
      const fault = this.#host.faults.ofAnswer(url, status, body);
      if (fault !== undefined) return this.#addon.responseFailed(gate, request, JSON.stringify(fault));
      this.#addon.respond(gate, request, status, statusText, headers, bodyKind, body);
      return;
    }
    this.#addon.respond(gate, request, status, statusText, headers, BODY_STREAMED, null);
    this.#streams.send(request, body, owner).then(
      () => this.#requests.delete(request),
      (error) => {
        if (!this.#requests.delete(request)) return;
        this.#host.report(error, { request, what: "response body" });
        this.#addon.responseFailed(owner?.gate ?? null, request, JSON.stringify(this.#host.faults.of(error)));
      });
  }

  #failed(slot: number, request: number, error: unknown): void {
    this.#sockets.flush();
    const incoming = this.#requests.get(request);
    if (incoming !== undefined) {
      this.#requests.delete(request);
      this.#addon.responseFailed(null, request, JSON.stringify(this.#host.faults.ofRequest(error, incoming.url)));
    }
    this.#addon.done(slot);
  }

  requestGone(request: number, reason: string): void {
    const incoming = this.#requests.get(request);
    const error = new DOMException(reason || "The client disconnected.", "AbortError");
    this.#requests.delete(request);
    if (incoming !== undefined) abortRequest(incoming, error);
    this.#streams.gone(request, error);
  }

  bodyData(request: number, data: Uint8Array): void {
    this.#streams.data(request, data);
  }

  bodyEnd(request: number): void {
    this.#streams.end(request);
  }

  responseCredit(request: number, bytes: number): void {
    this.#streams.credit(request, bytes);
  }

  // ---- schedules ---------------------------------------------------------------------------------

  scheduled(slot: number, entrypoints: Entrypoints, cron: string, scheduledMs: number): void {
    this.#addon.begun(slot);
    this.#schedules++;
    workerContext(async () => {
      try {
        await entrypoints.scheduled({ cron, scheduledTime: scheduledMs, type: "scheduled", noRetry() {} });
      } catch (error) {
        this.#host.report(error, { code: "R407", what: `scheduled "${cron}"` });
      } finally {
        this.#schedules--;
        this.#sockets.flush();
        this.#addon.done(slot);
      }
    });
  }
}

/** The client's address, as the platform's edge says it; one that the client sent itself is dropped. */
function withClient(headers: string, address: string): string {
  if (/connecting-ip\0/i.test(headers)) {
    const parts = headers.split("\0");
    let kept = "";
    for (let i = 0; i + 1 < parts.length; i += 2) {
      if (parts[i]!.toLowerCase() !== "cf-connecting-ip") kept += `${parts[i]}\0${parts[i + 1]}\0`;
    }
    headers = kept;
  }
  return address === "" ? headers : `${headers}CF-Connecting-IP\0${address}\0`;
}
