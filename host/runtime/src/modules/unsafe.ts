// The module `workerd:unsafe`, of the compatibility flag unsafe_module: ends objects on demand, so that a
// test sees what outlives them. Everything is done on the hosts that have the objects.
import type { Sockets } from "../agent/eviction.ts";
import type { AgentAddress } from "../agent/types.ts";

/** What it asks of the worker. */
export interface UnsafeHooks {
  /** Whose stub that is; null: no stub of a Durable Object. */
  addressOf(stub: unknown): AgentAddress | null;
  /** Whether code of an object runs: that one's address. */
  current(): AgentAddress | null;
  evict(address: AgentAddress, sockets: Sockets): Promise<void>;
  evictAll(sockets: Sockets): Promise<void>;
  abortAll(): Promise<void>;
  deleteAll(): Promise<void>;
}

interface EvictOptions { webSockets?: string }

let hooks: UnsafeHooks | null = null;
export function configureUnsafe(given: UnsafeHooks): void {
  hooks = given;
}

function worker(): UnsafeHooks {
  if (hooks === null) throw new Error("workerd:unsafe is not available before the worker is loaded.");
  return hooks;
}

function socketsOf(options: EvictOptions | null | undefined): Sockets {
  const given = options?.webSockets ?? "hibernate";
  if (given === "hibernate" || given === "close") return given;
  throw new TypeError('options.webSockets must be "hibernate" or "close".');
}

class UnsafeModule {
  /** Ends one object's memory once it is idle. Its storage stays, and its WebSockets unless told otherwise. */
  async evict(stub: unknown, options?: EvictOptions): Promise<void> {
    const address = worker().addressOf(stub);
    if (address === null) throw new TypeError("Failed to execute 'evict' on 'UnsafeModule': parameter 1 is not of type 'Fetcher'.");
    const sockets = socketsOf(options);
    const current = worker().current();
    if (current?.namespace === address.namespace && current.id === address.id) {
      throw new Error("Cannot evict Durable Object: its own code asks, and would wait for itself to end.");
    }
    await worker().evict(address, sockets);
  }

  async evictAllDurableObjects(options?: EvictOptions): Promise<void> {
    const sockets = socketsOf(options);
    if (worker().current() !== null) {
      throw new Error("Cannot evict all Durable Objects: code of one of them asks, and would wait for itself to end.");
    }
    await worker().evictAll(sockets);
  }

  /** Cuts off whatever runs. */
  async abortAllDurableObjects(): Promise<void> {
    await worker().abortAll();
  }

  /** Cuts off whatever runs, and deletes everything that objects of any class have stored. */
  async deleteAllDurableObjects(): Promise<void> {
    await worker().deleteAll();
  }

  isTestAutogateEnabled(): boolean {
    return false;
  }
}

const unsafe = new UnsafeModule();
export default unsafe;
