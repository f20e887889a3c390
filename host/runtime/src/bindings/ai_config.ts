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

const openRouter = "https://openrouter.ai/api/v1";

/**
 * The configuration from the worker document, or, where that has none, from variables: a base URL of
 * one's own (HEARTH_AI_BASE_URL with HEARTH_AI_KEY, OPENAI_BASE_URL with OPENAI_API_KEY), else
 * OpenRouter by OPENROUTER_API_KEY. HEARTH_AI_MODELS: a JSON object, or `name=name,name=name`.
 */
export function aiConfig(given: Partial<AiConfig> | null | undefined, variables: Record<string, string | undefined>): AiConfig {
  const models = parseModels(variables["HEARTH_AI_MODELS"]) ?? given?.models;
  const extra = models === undefined ? {} : { models };
  if (given?.baseUrl) return { baseUrl: given.baseUrl, keyName: given.keyName ?? "", key: given.key ?? "", ...extra };
  for (const [url, keyName] of [["HEARTH_AI_BASE_URL", "HEARTH_AI_KEY"], ["OPENAI_BASE_URL", "OPENAI_API_KEY"]] as const) {
    const baseUrl = variables[url];
    if (!baseUrl) continue;
    const name = variables[keyName] ? keyName : variables["OPENAI_API_KEY"] ? "OPENAI_API_KEY" : keyName;
    return { baseUrl, keyName: name, key: variables[name] ?? "", ...extra };
  }
  return { baseUrl: openRouter, keyName: "OPENROUTER_API_KEY", key: variables["OPENROUTER_API_KEY"] ?? "", ...extra };
}

function parseModels(text: string | undefined): Record<string, string> | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  if (text.trim().startsWith("{")) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw new Error(`HEARTH_AI_MODELS is not JSON: ${(error as Error).message}. Write {"@cf/name": "name of the endpoint"} or @cf/name=name.`);
    }
    return Object.fromEntries(Object.entries(parsed as object).map(([name, value]) => [name, String(value)]));
  }
  const pairs = text.split(",").map((pair) => pair.trim()).filter(Boolean).map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new Error(`HEARTH_AI_MODELS has "${pair}" where name=name is expected.`);
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** Whether the endpoint is on this machine, where no key is the rule. */
export function isLocal(baseUrl: string): boolean {
  try {
    const { hostname } = new URL(baseUrl);
    return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.") || hostname.endsWith(".localhost");
  } catch {
    return false;
  }
}
