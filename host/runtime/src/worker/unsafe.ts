// `workerd:unsafe` across hosts: what it asks is done on the host that has the object, or on all.
import { abortAll, deleteAll, evict, evictAll, type Sockets } from "../agent/eviction.ts";
import type { Residency } from "../agent/residency.ts";
import { currentAgent } from "../agent/scope.ts";
import type { AgentAddress } from "../agent/types.ts";
import type { UnsafeHooks } from "../modules/unsafe.ts";
import type { Rpc } from "../rpc/index.ts";

const DELETED = "Application called deleteAllDurableObjects().";
const ABORTED = "Application called abortAllDurableObjects().";

export function unsafeHooks(residency: Residency, rpc: Rpc): UnsafeHooks {
  const onAll = async (action: string, ...args: unknown[]): Promise<void> => {
    await Promise.all(Array.from({ length: Math.max(1, residency.hostCount) }, (_, slot) =>
      residency.hostCount <= 1 || slot === residency.hostSlot ? answerUnsafe(residency, action, args) : rpc.callHost(slot, action, args)));
  };
  return {
    addressOf: (stub) => rpc.addressOf(stub),
    current: () => currentAgent()?.root.address ?? null,
    evict: (address, sockets) => {
      const owner = residency.ownerOf(address.id);
      if (owner === residency.hostSlot) return evict(residency, address, sockets);
      return rpc.callHost(owner, "evict", [address, sockets]);
    },
    evictAll: (sockets) => onAll("evictAll", sockets),
    abortAll: () => onAll("abortAll"),
    deleteAll: () => onAll("deleteAll"),
  };
}

/** What another host, or this one, asks of this host. */
export async function answerUnsafe(residency: Residency, action: string, args: readonly unknown[]): Promise<void> {
  switch (action) {
    case "evict": return evict(residency, args[0] as AgentAddress, args[1] as Sockets);
    case "evictAll": return evictAll(residency, args[0] as Sockets);
    case "abortAll": return abortAll(residency, ABORTED);
    case "deleteAll": return deleteAll(residency, DELETED);
    default: throw new Error(`This host does not know "${action}".`);
  }
}
