// Translation between Workers AI's text generation and OpenAI's chat completions: prompts, messages,
// tools in either shape, JSON mode, whole answers. Streams are ai_stream.ts.

export type Json = Record<string, unknown>;

// Inputs of Workers AI that chat completions do not have, or know by another name.
const dropped = new Set(["prompt", "raw", "lora", "model", "random_seed", "safe_prompt", "stream", "text", "images"]);

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A tool as Workers AI (`{name, description, parameters}`) or OpenAI writes it, as OpenAI's. */
function toTool(tool: unknown): unknown {
  if (!isRecord(tool) || isRecord(tool["function"])) return tool;
  const { name, description, parameters } = tool;
  return { type: "function", function: { name, description, parameters } };
}

function toToolCall(call: unknown, makeId: () => string): unknown {
  if (!isRecord(call)) return call;
  const inner = isRecord(call["function"]) ? call["function"] : call;
  const args = inner["arguments"] ?? {};
  return {
    id: typeof call["id"] === "string" && call["id"] !== "" ? call["id"] : makeId(), type: "function",
    function: { name: inner["name"], arguments: typeof args === "string" ? args : JSON.stringify(args) },
  };
}

/**
 * Messages with what OpenAI asks for and Workers AI does not: ids on tool calls and on their results.
 * A result whose call is not in the conversation becomes plain text of the user's side.
 */
export function toMessages(messages: readonly unknown[]): unknown[] {
  let made = 0;
  const open: { id: string; name: unknown }[] = [];
  return messages.map((message) => {
    if (!isRecord(message)) return message;
    if (Array.isArray(message["tool_calls"]) && message["tool_calls"].length > 0) {
      const calls = message["tool_calls"].map((call) => toToolCall(call, () => `call_${made++}`));
      for (const call of calls) {
        if (isRecord(call)) open.push({ id: call["id"] as string, name: (call["function"] as Json)["name"] });
      }
      return { ...message, content: message["content"] || null, tool_calls: calls };
    }
    if (message["role"] !== "tool") return message;
    const given = message["tool_call_id"];
    const at = open.findIndex((call) => typeof given === "string" ? call.id === given : message["name"] === undefined || call.name === message["name"]);
    const content = typeof message["content"] === "string" ? message["content"] : JSON.stringify(message["content"]);
    if (at >= 0) return { role: "tool", content, tool_call_id: open.splice(at, 1)[0]!.id };
    if (typeof given === "string") return { role: "tool", content, tool_call_id: given };
    return { role: "user", content: `The tool ${String(message["name"] ?? "")} answered: ${content}` };
  });
}

function toResponseFormat(format: unknown): unknown {
  if (!isRecord(format) || format["type"] !== "json_schema" || !isRecord(format["json_schema"])) return format;
  const schema = format["json_schema"];
  if (isRecord(schema["schema"])) return format; // OpenAI's own envelope
  const title = typeof schema["title"] === "string" ? schema["title"].replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64) : "";
  return { type: "json_schema", json_schema: { name: title || "response", schema } };
}

export function toChatBody(model: string, inputs: Json): Json {
  const body: Json = { model };
  for (const [name, value] of Object.entries(inputs)) if (!dropped.has(name) && value !== undefined) body[name] = value;
  if (inputs["random_seed"] !== undefined) body["seed"] ??= inputs["random_seed"];
  body["messages"] = Array.isArray(inputs["messages"]) ? toMessages(inputs["messages"]) : [{ role: "user", content: String(inputs["prompt"]) }];
  if (Array.isArray(inputs["tools"])) body["tools"] = inputs["tools"].map(toTool);
  if (Array.isArray(body["tools"]) && body["tools"].length === 0) delete body["tools"];
  if (body["tools"] === undefined) delete body["tool_choice"];
  if (body["response_format"] !== undefined) body["response_format"] = toResponseFormat(body["response_format"]);
  if (inputs["stream"] === true) {
    body["stream"] = true;
    body["stream_options"] ??= { include_usage: true };
  }
  return body;
}

function parsedArguments(text: unknown): unknown {
  if (typeof text !== "string") return text ?? {};
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return text; // a model's broken JSON is the caller's to judge
  }
}

/** A whole completion as Workers AI gives it; `choices` stay beside it, as its newer models have them. */
export function fromCompletion(completion: Json, jsonMode: boolean): Json {
  const choices = completion["choices"] as { message?: Json; finish_reason?: string }[] | undefined;
  const message = choices?.[0]?.message ?? {};
  const text = typeof message["content"] === "string" ? message["content"] : "";
  const calls = message["tool_calls"];
  let response: unknown = text;
  if (jsonMode && text !== "") {
    const parsed = parsedArguments(text);
    if (typeof parsed === "object") response = parsed;
  }
  return {
    response,
    ...(Array.isArray(calls) && calls.length > 0 ? {
      tool_calls: calls.map((call: Json) => {
        const inner = (call["function"] ?? {}) as Json;
        return { id: call["id"], name: inner["name"], arguments: parsedArguments(inner["arguments"]) };
      }),
    } : {}),
    usage: completion["usage"] ?? { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    choices: choices ?? [],
  };
}

export function isJsonMode(inputs: Json): boolean {
  const format = inputs["response_format"];
  return isRecord(format) && (format["type"] === "json_schema" || format["type"] === "json_object");
}
