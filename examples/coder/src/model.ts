// Which model answers: OpenRouter's when there is a key, else the offline one, which is a script.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel } from "ai";
import { answerOffline } from "./offline-model.ts";

export interface ModelChoice {
  model: LanguageModel;
  /** Shown in the page. */
  label: string;
  offline: boolean;
}

export function chooseModel(env: Env): ModelChoice {
  if (env.OPENROUTER_API_KEY) {
    const openrouter = createOpenAICompatible({
      name: "openrouter",
      baseURL: "https://openrouter.ai/api/v1",
      apiKey: env.OPENROUTER_API_KEY,
    });
    return { model: openrouter(env.MODEL), label: env.MODEL, offline: false };
  }
  const offline = createOpenAICompatible({
    name: "offline",
    baseURL: "http://offline.invalid/offline/v1",
    // The same protocol, one function call away instead of a network.
    fetch: async (input, init) => answerOffline(new Request(input as RequestInfo, init)),
  });
  return { model: offline("offline-script"), label: "offline script", offline: true };
}
