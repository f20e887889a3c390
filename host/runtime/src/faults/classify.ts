// Which fault of the catalogue an error is the sign of, with what the core needs to word it. What is no
// particular fault is R407: the code threw.
import { NO_RESPONSE, OVERLOADED } from "../agent/errors.ts";
import type { FaultCode } from "./catalogue.ts";
import { codeOf } from "./coded.ts";
import { unboundIn } from "./unbound.ts";

export interface Classified {
  code: FaultCode;
  status?: number;
  binding?: string;
  text?: true;
}

/** What the SDKs say of an agent that has no name: reached by an id of newUniqueId, or past the SDK. */
const UNNAMED = / could not determine its Durable Object name\. |^Attempting to read \.name on .* before it was set|^Missing namespace or room headers when connecting to /;
/** A name or an id that is not usable is most often the client's; another host's end passes. */
const STATUS: Partial<Record<FaultCode, number>> = { R404: 400, R413: 503, R415: 503 };

export function classify(error: unknown, bound: (name: string) => boolean): Classified {
  const marked = codeOf(error);
  const code = marked ?? byText(error);
  if (code !== undefined) {
    const status = marked === undefined && code !== "R415" ? undefined : STATUS[code];
    return status === undefined ? { code } : { code, status };
  }
  const unbound = unboundIn(error, bound);
  if (unbound === undefined) return { code: "R407" };
  return { code: "R403", binding: unbound.binding, ...(unbound.text ? { text: true } : {}) };
}

function byText(error: unknown): FaultCode | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.message === NO_RESPONSE) return "R406";
  if (UNNAMED.test(error.message)) return "R404";
  if (error.message.startsWith(OVERLOADED)) return "R415";
  return undefined;
}
