// Errors of env.AI: what is missing and where to put it, or what the endpoint answered. Messages
// begin with Workers AI's own numbers where it has one for the case, because clients of Workers AI
// (workers-ai-provider) read from them whether to try again.
import type { AiConfig } from "./ai_config.ts";

export class AiKeyMissingError extends Error {
  override readonly name = "AiKeyMissingError";
  readonly code = "C118";
  readonly status = 401;
  constructor(config: AiConfig) {
    const key = config.keyName || "HEARTH_AI_API_KEY";
    super(`env.AI has no key: ${key} is not set, and ${config.baseUrl} needs it. Put the line ${key}=<your key> into .dev.vars beside wrangler.jsonc (or set it in the environment), or name an endpoint of your own with HEARTH_AI_BASE_URL.`);
  }
}

export class InferenceUpstreamError extends Error {
  override readonly name = "InferenceUpstreamError";
  /** The endpoint's HTTP status; 0 when it could not be reached. */
  readonly status: number;
  /** The endpoint's own code for the error, if it gave one. */
  readonly code: string | null;
  readonly retryable: boolean;
  constructor(message: string, status: number, code: string | null = null, cause?: unknown) {
    const number = workersAiCode(status);
    super(number === null ? message : `${number}: ${message}`, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
    this.retryable = status === 0 || status === 408 || status === 429 || status >= 500;
  }
}

function workersAiCode(status: number): number | null {
  if (status === 429) return 3040;
  if (status === 408) return 3007;
  if (status === 404) return 5007;
  return status >= 500 ? 3043 : null;
}

/** What an endpoint's error body says: `{error: {message, code}}`, `{error: "…"}`, `{message}`, or text. */
function readErrorBody(text: string): { message: string; code: string | null } {
  try {
    const parsed = JSON.parse(text) as { error?: unknown; message?: unknown; code?: unknown };
    const inner = typeof parsed.error === "object" && parsed.error !== null ? (parsed.error as typeof parsed) : parsed;
    const message = typeof parsed.error === "string" ? parsed.error : inner.message;
    if (typeof message === "string") return { message, code: inner.code == null ? null : String(inner.code) };
  } catch {
    // not JSON
  }
  return { message: text.trim().slice(0, 500), code: null };
}

export function upstreamError(config: AiConfig, model: string, status: number, body: string): InferenceUpstreamError {
  const { message, code } = readErrorBody(body);
  let hint = "";
  if (status === 401 || status === 403) hint = ` The key is ${config.keyName || "none"}; is it right for this endpoint?`;
  else if (model.startsWith("@cf/") && (status === 400 || status === 404)) {
    hint = ` "${model}" is a name of Workers AI; say what this endpoint calls it with HEARTH_AI_MODELS='{"${model}":"<its name>"}'.`;
  }
  return new InferenceUpstreamError(`${config.baseUrl} answered ${status} for model "${model}": ${message || "(no message)"}.${hint}`, status, code);
}

/** An error that came inside of a stream that had begun with 200. */
export function streamedError(config: AiConfig, model: string, error: unknown): InferenceUpstreamError {
  const { message, code } = readErrorBody(JSON.stringify({ error }));
  const status = Number(code);
  return new InferenceUpstreamError(`${config.baseUrl} broke off its answer for model "${model}": ${message}`,
    status >= 400 && status < 600 ? status : 502, code);
}
