export interface AiConfig { baseUrl: string; keyName: string; key: string; models?: Record<string, string> }
/** env.AI */
export class Ai {
  constructor(_config: AiConfig) {}
  run(_model: string, _inputs: Record<string, unknown>, _options?: Record<string, unknown>): Promise<unknown> { throw new Error("unwritten"); }
}
