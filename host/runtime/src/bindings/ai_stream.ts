// A streamed answer as Workers AI gives it: `data: {"response":"…"}` for each piece, tool calls and
// usage in the same form, `data: [DONE]` at the end. Reads the endpoint's chat completion chunks.
import type { Json } from "./ai_chat.ts";

const encoder = new TextEncoder();
const lineMax = 4 * 1024 * 1024;
const done = "data: [DONE]\n\n";

interface Chunk {
  choices?: { delta?: Json; finish_reason?: string | null }[];
  usage?: Json | null;
  error?: unknown;
}

function line(value: Json): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** One chunk of the endpoint's in Workers AI's form; empty if it says nothing. */
export function translateChunk(chunk: Chunk): string {
  const choice = chunk.choices?.[0];
  const delta = choice?.delta ?? {};
  const text = typeof delta["content"] === "string" ? delta["content"] : "";
  const calls = Array.isArray(delta["tool_calls"]) && delta["tool_calls"].length > 0 ? delta["tool_calls"] : null;
  const reasoning = delta["reasoning_content"] ?? delta["reasoning"];
  const finish = choice?.finish_reason ?? null;
  const value: Json = { response: text };
  if (calls !== null) value["tool_calls"] = calls;
  // Workers AI's own chunks have no place for reasoning; its newer models put it here.
  if (typeof reasoning === "string" && reasoning !== "") value["choices"] = [{ index: 0, delta: { reasoning_content: reasoning } }];
  if (finish !== null) value["finish_reason"] = finish;
  if (chunk.usage) value["usage"] = chunk.usage;
  const silent = text === "" && calls === null && value["choices"] === undefined && finish === null && !chunk.usage;
  return silent ? "" : line(value);
}

/** A whole answer in the form of a stream, for an endpoint that does not stream. */
export function streamOfWhole(answer: Json): ReadableStream<Uint8Array> {
  const { response, tool_calls, usage } = answer;
  const calls = Array.isArray(tool_calls) ? tool_calls.map((call: Json, index) => ({
    index, id: call["id"], type: "function", function: { name: call["name"], arguments: JSON.stringify(call["arguments"]) },
  })) : null;
  const text = line({ response: typeof response === "string" ? response : JSON.stringify(response), ...(calls ? { tool_calls: calls } : {}) });
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(text + line({ response: "", usage: usage as Json, finish_reason: calls ? "tool_calls" : "stop" }) + done));
      controller.close();
    },
  });
}

/**
 * Reads server-sent events from `source`, gives Workers AI's. Pulls only as its reader does, and
 * cancels the source when it is cancelled. `fault` makes the error of a chunk that carries one.
 */
export function translateStream(source: ReadableStream<Uint8Array>, fault: (error: unknown) => Error): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let ended = false;

  const translate = (text: string): string => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    if (rest.length > lineMax) throw fault({ message: `a line of the stream is longer than ${lineMax} characters` });
    let out = "";
    for (const one of lines) {
      if (!one.startsWith("data:") || ended) continue;
      const data = one.slice(5).trim();
      if (data === "[DONE]") {
        ended = true;
        out += done;
        continue;
      }
      let chunk: Chunk;
      try {
        chunk = JSON.parse(data) as Chunk;
      } catch {
        throw fault({ message: `an event of the stream is not JSON: ${data.slice(0, 200)}` });
      }
      if (chunk.error) throw fault(chunk.error);
      out += translateChunk(chunk);
    }
    return out;
  };

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const { done: over, value } = await reader.read();
          const out = over ? translate(decoder.decode() + "\n") : translate(decoder.decode(value, { stream: true }));
          if (out !== "") controller.enqueue(encoder.encode(out));
          if (over && !ended) throw fault({ message: "the stream ended before data: [DONE]" });
          if (ended) {
            controller.close();
            await reader.cancel();
            return;
          }
          if (out !== "") return;
        }
      } catch (error) {
        reader.cancel(error).catch(() => {});
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
