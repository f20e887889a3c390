// Whose code runs: marked on the progress page whenever an agent's code is entered, by an event, a
// timer, a call of its storage or one of its sockets, and once more, exactly, before the process ends
// itself. When a host has died, or is ended because it blocks, the core reads there which agent it
// was, whichever event began last. A mark is one store; it holds until another agent is entered or
// the turn of the loop is over.
import type { Addon } from "../addon.ts";
import type { Agent } from "./instance.ts";
import { currentAgent } from "./scope.ts";

/** As wire::ProgressPage::kMarks and kWorkersOwn (src/wire/progress_page.h), and its words. */
const PLACES = 1024;
const WORKERS_OWN = 0xffffffff;
const AGENT = 0;
const ENTRIES = 1;

let words = new Uint32Array(2); // the page's own, once there is one
let nameMark: Addon["nameMark"] | null = null;
let named = 0; // agents so far: the last so many have their places

/** What an agent's mark is; those of facets are their root's. */
function markOf(agent: Agent): number {
  const root = agent.root;
  if (root.marked === 0 || root.marked <= named - PLACES) {
    root.marked = ++named;
    const { namespace, id } = root.address;
    nameMark?.((named - 1) % PLACES, namespace, id);
  }
  return (root.marked - 1) % PLACES + 1;
}

/** The agent's code runs from here on; answers who was marked before, for leave(). */
export function enter(agent: Agent): number {
  const before = words[AGENT]!;
  words[AGENT] = markOf(agent);
  return before;
}

/** Back in the code that called. Of the loop's own calls the mark stays, for the microtasks that follow. */
export function leave(before: number): void {
  if (before !== 0) words[AGENT] = before;
}

/** The loop enters an agent's code, maybe not for the first time in this turn. */
export function enterAnew(agent: Agent): void {
  words[ENTRIES] = words[ENTRIES]! + 1;
  words[AGENT] = markOf(agent);
}

/** Marks whose code runs by what is known across awaits. */
function markCurrent(): void {
  const agent = currentAgent();
  words[AGENT] = agent === null ? WORKERS_OWN : markOf(agent);
}

/** Called once, when the host has started. */
export function installMarks(addon: Addon): void {
  words = new Uint32Array(addon.marks());
  nameMark = addon.nameMark;
  named = 0;
  process.on("exit", markCurrent);
  const { abort, kill } = process;
  process.abort = (): never => {
    markCurrent();
    return abort.call(process);
  };
  process.kill = (pid, signal): true => {
    if (pid === process.pid) markCurrent();
    return kill.call(process, pid, signal);
  };
  // For the thread that takes the stack of code which blocks this one (src/watcher).
  Object.defineProperty(globalThis, Symbol.for("hearth.mark"), { value: markCurrent });
}
