import page from "./page.html";
import prompt from "./prompts/system.md";
import bytes from "./bytes.bin";
import add from "./add.wasm";
import settings from "./settings.json";
import inline from "./prompts/system.md" with { type: "text" };
import answer from "the-answer";

declare const VERSION: string;

export default {
  async fetch(): Promise<Response> {
    const { exports } = await WebAssembly.instantiate(add);
    return Response.json({
      page, prompt, settings, answer,
      version: VERSION,
      same: inline === prompt,
      bytes: [...new Uint8Array(bytes)],
      sum: (exports["add"] as (a: number, b: number) => number)(40, 2),
    });
  },
};
