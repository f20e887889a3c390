import { AIChatAgent, type OnChatMessageOptions } from "@cloudflare/ai-chat";
import { routeAgentRequest } from "agents";
import { convertToModelMessages, stepCountIs, streamText, tool, type StreamTextOnFinishCallback, type ToolSet } from "ai";
import { z } from "zod";

import { scriptedModel } from "./model.ts";

export class Chat extends AIChatAgent {
  async onChatMessage(onFinish: StreamTextOnFinishCallback<ToolSet>, options?: OnChatMessageOptions) {
    const result = streamText({
      model: scriptedModel(),
      messages: await convertToModelMessages(this.messages),
      stopWhen: stepCountIs(4),
      abortSignal: options?.abortSignal,
      tools: {
        weather: tool({
          description: "The weather in a city", inputSchema: z.object({ city: z.string() }),
          execute: async ({ city }) => {
            this.sql`CREATE TABLE IF NOT EXISTS asked (city TEXT)`;
            this.sql`INSERT INTO asked VALUES (${city})`;
            return { city, sky: "clear" };
          },
        }),
      },
      onFinish,
    });
    return result.toUIMessageStreamResponse();
  }
}

export default {
  async fetch(request: Request, env: Cloudflare.Env) {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
};
