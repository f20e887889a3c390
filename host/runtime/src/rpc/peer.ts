// The sessions with other hosts: one for each that this one has spoken with, by its number, and one for a slot
// that no host serves just now, which the next one gets. On the JavaScript thread.
import type { AgentAddress, Peers, RuntimeServices } from "../agent/types.ts";
import { Payload, type Reply } from "./hook.ts";
import type { PeerCalls } from "./local.ts";
import { type MakeHooks, Session, targetOf } from "./peer_session.ts";
import { invoke } from "./stub.ts";

export class PeerSessions implements Peers, PeerCalls {
  readonly #services: RuntimeServices;
  readonly #make: MakeHooks;
  readonly #sessions = new Map<number, Session>();
  /** Of slots that no host serves yet. */
  readonly #waiting = new Map<number, Session>();
  /** The host of each slot, by its number; 0: none. */
  readonly #hosts: number[] = [];

  constructor(services: RuntimeServices, make: MakeHooks) {
    this.#services = services;
    this.#make = make;
  }

  #session(peer: number): Session {
    let session = this.#sessions.get(peer);
    if (session === undefined) {
      session = new Session(peer, this.#services, this.#make);
      this.#sessions.set(peer, session);
    }
    return session;
  }

  #serving(slot: number): Session {
    const host = this.#hosts[slot] ?? 0;
    if (host !== 0) return this.#session(host);
    let session = this.#waiting.get(slot);
    if (session === undefined) {
      session = new Session(null, this.#services, this.#make);
      this.#waiting.set(slot, session);
    }
    return session;
  }

  #owner(address: AgentAddress): Session {
    return this.#serving(this.#services.dispatcher.ownerOf(address.id));
  }

  fetch(address: AgentAddress, request: Request): Promise<Response> {
    return this.#owner(address).fetch(targetOf(address), request);
  }

  callAgent(address: AgentAddress, path: readonly string[], args: Payload | null): Reply {
    return this.#owner(address).call(targetOf(address), path, args);
  }

  call(address: AgentAddress, path: readonly string[], args: readonly unknown[]): Promise<unknown> {
    return invoke(this.#make.agent(address), path, args);
  }

  callThere(host: number, address: AgentAddress, path: readonly string[], args: Payload | null): Reply {
    return this.#there(host, address).call(targetOf(address), path, args);
  }

  fetchThere(host: number, address: AgentAddress, request: Request): Promise<Response> {
    return this.#there(host, address).fetch(targetOf(address), request);
  }

  #there(host: number, address: AgentAddress): Session {
    return host === 0 ? this.#owner(address) : this.#session(host);
  }

  get busy(): boolean {
    for (const session of this.#sessions.values()) if (session.busy) return true;
    return this.#waiting.size > 0;
  }

  /** Asks the host of another slot itself. */
  async callHost(slot: number, action: string, args: readonly unknown[]): Promise<void> {
    await this.#serving(slot).call(["host"], [action], new Payload(args)).promise;
  }

  serves(slot: number, host: number): void {
    this.#hosts[slot] = host;
    const session = this.#waiting.get(slot);
    if (session === undefined) return;
    this.#waiting.delete(slot);
    this.#sessions.set(host, session);
    session.reaches(host);
  }

  received(peer: number, data: Uint8Array): void {
    this.#session(peer).receive(data);
  }

  gone(peer: number): void {
    const slot = this.#hosts.indexOf(peer);
    if (slot >= 0) this.#hosts[slot] = 0;
    const session = this.#sessions.get(peer);
    this.#sessions.delete(peer);
    session?.break();
  }
}
