// ReadableStreamBYOBRequest.atLeast, which Node.js lacks: how many bytes the read that is served still
// needs (the `min` of reader.read(view, { min })). Node keeps that number where only its own code should
// look; if it is not found there, the answer is one byte, which every read needs.

interface PullInto { minimumFill: number; bytesFilled: number }
type Queue<T> = T[] | { head: number; list: T[] };

/** What Node.js keeps of one of its streams' objects. */
function stateOf<T>(object: object): T | undefined {
  const key = Object.getOwnPropertySymbols(object).find(({ description }) => description === "kState");
  return key === undefined ? undefined : (object as Record<symbol, T>)[key];
}

function served(request: object): PullInto | undefined {
  const controller = stateOf<{ controller?: object }>(request)?.controller;
  const pending = controller && stateOf<{ pendingPullIntos?: Queue<PullInto> }>(controller)?.pendingPullIntos;
  if (pending === undefined) return undefined;
  return Array.isArray(pending) ? pending[0] : pending.list?.[pending.head];
}

export function installAtLeast(): void {
  const { prototype } = ReadableStreamBYOBRequest;
  if ("atLeast" in prototype) return;
  Object.defineProperty(prototype, "atLeast", {
    configurable: true, enumerable: true,
    get(this: ReadableStreamBYOBRequest): number | null {
      if (this.view === null) return null;
      const into = served(this);
      return into === undefined ? 1 : Math.max(1, into.minimumFill - into.bytesFilled);
    },
  });
}
