// Timers of agents: one that is due keeps its agent resident, as on the platform, and one of a life
// that has ended never fires. Timers of the worker and of the runtime are Node's own.
import type { Agent } from "./instance.ts";
import { enterAnew } from "./marks.ts";
import { currentAgent } from "./scope.ts";

type Callback = (...args: unknown[]) => void;
const releases = new WeakMap<object, () => void>();

function guarded(agent: Agent, callback: Callback, before: () => void): Callback {
  return (...args) => {
    before();
    enterAnew(agent);
    if (!agent.broken) callback(...args);
    agent.keeper.sockets.flush();
  };
}

/** Replaces the global timers. Called once, before the user's bundle is loaded. */
export function installTimers(): void {
  const native = {
    setTimeout: globalThis.setTimeout, setInterval: globalThis.setInterval,
    clearTimeout: globalThis.clearTimeout, clearInterval: globalThis.clearInterval,
  };

  const setTimeout = (callback: Callback, delay?: number, ...args: unknown[]): NodeJS.Timeout => {
    const agent = currentAgent();
    if (agent === null || typeof callback !== "function") return native.setTimeout(callback, delay, ...args);
    const release = agent.hold(true);
    const timer = native.setTimeout(guarded(agent, callback, release), delay, ...args);
    releases.set(timer, release);
    return timer;
  };

  const setInterval = (callback: Callback, delay?: number, ...args: unknown[]): NodeJS.Timeout => {
    const agent = currentAgent();
    if (agent === null || typeof callback !== "function") return native.setInterval(callback, delay, ...args);
    const release = agent.hold(true);
    const timer: NodeJS.Timeout = native.setInterval(guarded(agent, callback, () => {
      if (agent.broken) native.clearInterval(timer);
    }), delay, ...args);
    releases.set(timer, release);
    return timer;
  };

  const clear = (timer: unknown): void => {
    if (typeof timer === "object" && timer !== null) releases.get(timer)?.();
    native.clearTimeout(timer as NodeJS.Timeout);
  };

  // util.promisify(setTimeout) goes on to mean what it means in Node.
  for (const name of ["setTimeout", "setInterval"] as const) {
    const symbols = Object.getOwnPropertySymbols(native[name]);
    const target = name === "setTimeout" ? setTimeout : setInterval;
    for (const symbol of symbols) {
      Object.defineProperty(target, symbol, Object.getOwnPropertyDescriptor(native[name], symbol)!);
    }
  }
  Object.assign(globalThis, { setTimeout, setInterval, clearTimeout: clear, clearInterval: clear });
}
