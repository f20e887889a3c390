// Agents that are to move: another host has this one's slot, and each agent goes there as soon as nothing
// of it is at work here. Everything is looked at in one turn: whoever is quiet is closed, and the core
// hears so, before anything else can begin.
import type { Addon } from "../addon.ts";
import type { Residency, Resident } from "./residency.ts";
import { workerContext } from "./scope.ts";

const LOOK_MS = 5;
/** Closed at once: they wait for the disk together, and JavaScript for them. */
const CLOSED_AT_ONCE = 32;

interface Move {
  readonly namespace: number;
  readonly id: string;
  readonly until: number;
  /** Only what is being handled or sent keeps it. */
  readonly hurry: boolean;
}

export class Moves {
  readonly #residency: Residency;
  readonly #addon: Addon;
  #asked: Move[] = [];
  #looking = false;

  constructor(residency: Residency) {
    this.#residency = residency;
    this.#addon = residency.host.addon;
  }

  ask(namespace: number, id: string, patienceMs: number, hurry: boolean): void {
    this.#asked.push({ namespace, id, until: Date.now() + patienceMs, hurry });
    this.#lookSoon(0);
  }

  #lookSoon(waitMs: number): void {
    if (this.#looking) return;
    this.#looking = true;
    const look = (): void => {
      this.#looking = false;
      this.#look();
    };
    workerContext(() => (waitMs === 0 ? setImmediate(look) : setTimeout(look, waitMs)));
  }

  #look(): void {
    const now = Date.now();
    const moved: Move[] = [];
    const rest: Move[] = [];
    for (const move of this.#asked) {
      const { namespace, id } = move;
      const resident = this.#residency.find(namespace, id);
      if (resident !== undefined && !quiet(resident, move.hurry)) {
        if (now < move.until) rest.push(move);
        else this.#addon.agentStays(namespace, id);
      } else if (moved.length === CLOSED_AT_ONCE) {
        rest.push(move);
      } else {
        if (resident !== undefined) this.#residency.drop(resident);
        moved.push(move);
      }
    }
    this.#asked = rest;
    for (const { namespace, id } of moved) this.#addon.agentMoved(namespace, id);
    if (rest.length > 0) this.#lookSoon(moved.length === CLOSED_AT_ONCE ? 0 : LOOK_MS);
  }
}

/** Nothing of it is at work, all that it wrote is durable, and nothing of it can only be here. */
function quiet({ life, sockets, announced }: Resident, hurry: boolean): boolean {
  if (!announced || sockets.bound) return false;
  return life === null || (!(hurry ? life.engaged : life.busy) && life.allDurable && !life.restorePending);
}
