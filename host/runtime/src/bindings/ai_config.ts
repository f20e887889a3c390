// Where env.AI sends its requests: an OpenAI-compatible endpoint, its key, and the names under which
// it knows the models that a project asks for.

export interface AiConfig {
  /** Such as https://openrouter.ai/api/v1; paths like /chat/completions are appended. */
  baseUrl: string;
  /** The name of the key's variable, for errors; empty: the endpoint needs no key. */
  keyName: string;
  key: string;
  /** Model names as the project writes them to names as the endpoint knows them; "*" for all others. */
  models?: Record<string, string>;
}

/** What stands when the worker document has no `ai`. */
export const defaultAiConfig: AiConfig = { baseUrl: "https://openrouter.ai/api/v1", keyName: "OPENROUTER_API_KEY", key: "" };

/** Whether the endpoint is on this machine, where no key is the rule. */
export function isLocal(baseUrl: string): boolean {
  try {
    const { hostname } = new URL(baseUrl);
    return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.") || hostname.endsWith(".localhost");
  } catch {
    return false;
  }
}
