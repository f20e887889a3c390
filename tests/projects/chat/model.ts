import { MockLanguageModelV3 } from "ai/test";

type Part = Record<string, unknown>;

/** Answers by what the last message says: "weather in X" calls the tool and tells its result, "slowly"
 *  takes its time, anything else is repeated word by word. */
export function scriptedModel() {
  return new MockLanguageModelV3({
    doStream: async ({ prompt, abortSignal }) => {
      const last = prompt.at(-1)!;
      const text = JSON.stringify(last.content);
      const city = /weather in (\w+)/.exec(text)?.[1];
      const parts = last.role === "tool" ? words(`It is ${/"sky":"(\w+)"/.exec(text)?.[1]}.`)
        : city ? [{ type: "tool-call", toolCallId: `call-${city}`, toolName: "weather", input: JSON.stringify({ city }) }]
        : words(/"text":"([^"]*)"/.exec(text)?.[1] ?? "nothing");
      const reason = parts[0]!.type === "tool-call" ? "tool-calls" : "stop";
      return { stream: slowly([{ type: "stream-start", warnings: [] }, ...parts, finish(reason)], text.includes("slowly") ? 150 : 2, abortSignal) } as never;
    },
  });
}

function words(text: string): Part[] {
  const deltas = text.split(/(?<= )/).map((delta) => ({ type: "text-delta", id: "t", delta }));
  return [{ type: "text-start", id: "t" }, ...deltas, { type: "text-end", id: "t" }];
}

function finish(reason: string): Part {
  const tokens = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0, text: 1, reasoning: 0 };
  return { type: "finish", finishReason: { unified: reason, raw: reason }, usage: { inputTokens: tokens, outputTokens: tokens } };
}

function slowly(parts: Part[], delayMs: number, signal: AbortSignal | undefined): ReadableStream<Part> {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (at === parts.length) return controller.close();
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (signal?.aborted) return controller.error(signal.reason);
      controller.enqueue(parts[at++]!);
    },
  });
}
