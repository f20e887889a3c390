// The user's own line in a stack: the first frame that is neither Node's, nor the runtime's, nor a
// dependency's.

const FRAME = /^\s+at (?:.*? \()?(?:file:\/\/)?(\/[^()]*?:\d+:\d+)\)?$/;

/** `/abs/server.ts:12:7`, or undefined. */
export function whereOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? error.stack : undefined;
  if (typeof stack !== "string") return undefined;
  for (const line of stack.split("\n")) {
    const place = FRAME.exec(line)?.[1];
    if (place !== undefined && !place.includes("/node_modules/") && !place.includes("/host.mjs:") &&
        !place.includes("/host/runtime/")) {
      return place;
    }
  }
  return undefined;
}
