// An error's stack in the user's own lines: without the frames of Node.js and of the runtime, and with
// what caused it. Source maps are applied by Node.js (process.setSourceMapsEnabled).

const FRAME = /^\s+at /;
const CAUSES_MAX = 5;
const MEMBERS_MAX = 3; // of an AggregateError

/** Whether a stack's line is a frame of Node.js or of the runtime itself. */
export function isForeignFrame(line: string): boolean {
  return /[( ]node:/.test(line) || line.includes("/host/runtime/src/") || line.includes("/host.mjs:") ||
         /[( ]native\b/.test(line);
}

/** The lines of a stack that are not foreign; what is no frame stays. */
export function ownFrames(stack: string): string {
  return stack.split("\n").filter((line) => !FRAME.test(line) || !isForeignFrame(line)).join("\n");
}

/** The stack of an error and of its causes, outermost first; undefined if it has none. */
export function stackOf(error: unknown): string | undefined {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  const add = (value: unknown, title: string, depth: number): void => {
    if (depth > CAUSES_MAX || seen.has(value)) return;
    seen.add(value);
    if (!(value instanceof Error)) {
      if (depth > 0 && value !== undefined) parts.push(`${title}${brief(value)}`);
      return;
    }
    parts.push(title + (typeof value.stack === "string" && value.stack !== "" ? ownFrames(value.stack) : String(value)));
    if (value.cause !== undefined) add(value.cause, "Caused by: ", depth + 1);
    if (value instanceof AggregateError && Array.isArray(value.errors)) {
      for (const member of value.errors.slice(0, MEMBERS_MAX)) add(member, "Among its errors: ", depth + 1);
    }
  };
  add(error, "", 0);
  const told = parts.join("\n");
  return told.includes("\n") ? told : undefined; // its first line alone is the message again
}

function brief(value: unknown): string {
  try {
    return (typeof value === "string" ? value : JSON.stringify(value) ?? String(value)).slice(0, 500);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
