// The user's own line in a stack: the first frame that is neither Node's, nor the runtime's, nor a
// dependency's; of the error itself, else of what caused it.
import { isForeignFrame } from "./stack.ts";

const FRAME = /^\s+at (?:.*? \()?(?:file:\/\/)?(\/[^()]*?:\d+:\d+)\)?$/;
const CAUSES_MAX = 5;

let root = "";

/** Places inside this folder are told relative to it. */
export function setRoot(folder: string | undefined): void {
  root = folder === undefined || folder === "" ? "" : folder.endsWith("/") ? folder : `${folder}/`;
}

/** `/abs/server.ts:12:7`, or undefined. */
export function placeOf(error: unknown): string | undefined {
  for (let depth = 0; depth < CAUSES_MAX && error instanceof Error; depth++) {
    for (const line of typeof error.stack === "string" ? error.stack.split("\n") : []) {
      const place = FRAME.exec(line)?.[1];
      if (place !== undefined && !isForeignFrame(line) && !place.includes("/node_modules/")) return place;
    }
    error = error.cause;
  }
  return undefined;
}

/** The same as people read it: `server.ts:12:7`. */
export function whereOf(error: unknown): string | undefined {
  const place = placeOf(error);
  return place === undefined ? undefined : relativePlace(place);
}

export function relativePlace(place: string): string {
  return root !== "" && place.startsWith(root) ? place.slice(root.length) : place;
}
