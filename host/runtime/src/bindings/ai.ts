// env.AI: Workers AI's interface over any OpenAI-compatible endpoint. Text generation (prompt or
// messages, tools, JSON mode, streaming) and embeddings; what such an endpoint cannot do says so.
// Requests go through our fetch, so they wait at the output gate of the agent that makes them.
import { fetch } from "../web/fetch.ts";
import type { Response } from "../web/response.ts";
import { fromCompletion, isJsonMode, toChatBody, type Json } from "./ai_chat.ts";
import { defaultAiConfig, isLocal, type AiConfig } from "./ai_config.ts";
import { AiKeyMissingError, InferenceUpstreamError, streamedError, upstreamError } from "./ai_errors.ts";
import { streamOfWhole, translateStream } from "./ai_stream.ts";

export { type AiConfig, AiKeyMissingError, InferenceUpstreamError };

export interface AiOptions {
  /** The endpoint's own response, not translated and not checked. */
  returnRawResponse?: boolean;
  signal?: AbortSignal;
  extraHeaders?: Record<string, string>;
  [other: string]: unknown;
}

function unsupported(what: string, instead: string): Error {
  return new Error(`env.AI.${what} is not supported by hearth: env.AI speaks to an OpenAI-compatible endpoint, which has no such thing. ${instead}`);
}

export class Ai {
  readonly #config: AiConfig;
  /** AI Gateway's log id; there is no gateway here. */
  readonly aiGatewayLogId: string | null = null;

  constructor(config: AiConfig) {
    const given = config.baseUrl === "" ? { ...defaultAiConfig, ...(config.models ? { models: config.models } : {}) } : config;
    this.#config = { ...given, key: given.key ?? "", keyName: given.keyName ?? "", baseUrl: given.baseUrl.replace(/\/+$/, "") };
  }

  async run(model: string, inputs: Json = {}, options: AiOptions = {}): Promise<unknown> {
    if (typeof model !== "string" || model === "") throw new TypeError("env.AI.run needs a model's name as its first argument.");
    if (typeof inputs !== "object" || inputs === null) throw new TypeError("env.AI.run needs an object of inputs as its second argument.");
    if (this.#config.key === "" && this.#config.keyName !== "" && !isLocal(this.#config.baseUrl)) throw new AiKeyMissingError(this.#config);
    if (options["websocket"] === true) throw unsupported("run(…, { websocket: true })", "Use stream: true.");
    if (Array.isArray(inputs["messages"]) || inputs["prompt"] !== undefined) return this.#generate(model, inputs, options);
    if (inputs["text"] !== undefined) return this.#embed(model, inputs, options);
    throw unsupported(`run("${model}", { ${Object.keys(inputs).join(", ")} })`,
      "Supported are text generation (prompt or messages) and embeddings (text).");
  }

  gateway(id?: string): never {
    throw unsupported(`gateway("${id ?? ""}")`, "Call env.AI.run, or the provider by fetch.");
  }
  models(): never {
    throw unsupported("models()", `The endpoint lists its models at ${this.#config.baseUrl}/models.`);
  }
  toMarkdown(): never {
    throw unsupported("toMarkdown()", "Convert the file in your own code.");
  }
  autorag(id?: string): never {
    throw unsupported(`autorag("${id ?? ""}")`, "Search in your own code, for example with the agent's SQL.");
  }

  #modelName(model: string): string {
    const { models } = this.#config;
    return models?.[model] ?? (model.startsWith("@") ? models?.["*"] : undefined) ?? model;
  }

  async #post(path: string, model: string, body: Json, options: AiOptions): Promise<Response> {
    const headers: Record<string, string> = { "content-type": "application/json", ...options.extraHeaders };
    if (this.#config.key !== "") headers["authorization"] = `Bearer ${this.#config.key}`;
    let response: Response;
    try {
      response = await fetch(`${this.#config.baseUrl}${path}`, {
        method: "POST", headers, body: JSON.stringify(body), ...(options.signal ? { signal: options.signal } : {}),
      });
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      const reason = error instanceof Error ? (error.cause instanceof Error ? error.cause.message || String((error.cause as { code?: string }).code) : error.message) : String(error);
      throw new InferenceUpstreamError(`env.AI cannot reach ${this.#config.baseUrl}: ${reason}`, 0, null, error);
    }
    if (response.ok || options.returnRawResponse === true) return response;
    throw upstreamError(this.#config, model, response.status, await response.text().catch(() => ""));
  }

  async #generate(model: string, inputs: Json, options: AiOptions): Promise<unknown> {
    const response = await this.#post("/chat/completions", model, toChatBody(this.#modelName(model), inputs), options);
    if (options.returnRawResponse === true) return response;
    const type = response.headers.get("content-type") ?? "";
    if (inputs["stream"] === true && type.includes("event-stream") && response.body !== null) {
      return translateStream(response.body, (error) => streamedError(this.#config, model, error));
    }
    const answer = fromCompletion(await this.#json(response, model), isJsonMode(inputs));
    return inputs["stream"] === true ? streamOfWhole(answer) : answer;
  }

  async #embed(model: string, inputs: Json, options: AiOptions): Promise<unknown> {
    const text = inputs["text"];
    const input = Array.isArray(text) ? text : [text];
    const response = await this.#post("/embeddings", model, { model: this.#modelName(model), input }, options);
    if (options.returnRawResponse === true) return response;
    const body = await this.#json(response, model);
    const rows = (body["data"] as { index?: number; embedding: number[] }[] | undefined) ?? [];
    const data = rows.map((row, index) => ({ at: row.index ?? index, row: row.embedding })).sort((a, b) => a.at - b.at).map(({ row }) => row);
    return { shape: [data.length, data[0]?.length ?? 0], data, ...(body["usage"] ? { usage: body["usage"] } : {}) };
  }

  async #json(response: Response, model: string): Promise<Json> {
    const text = await response.text();
    let body: Json;
    try {
      body = JSON.parse(text) as Json;
    } catch {
      throw new InferenceUpstreamError(`${this.#config.baseUrl} answered ${response.status} with text that is not JSON: ${text.slice(0, 200)}`, 502);
    }
    if (body["error"]) throw streamedError(this.#config, model, body["error"]);
    return body;
  }
}
