import type { Request, RequestInit } from "../web/request.ts";
import type { Response } from "../web/response.ts";
export interface AssetsConfig {
  directory: string; notFound?: "single-page-application" | "404-page" | "none"; html?: string;
  runWorkerFirst?: boolean | string[];
}
/** env.ASSETS, and what is served before the worker is asked. */
export class Assets {
  constructor(_config: AssetsConfig) {}
  /** `hasWorker`: false when the project has no main module. null: the worker answers. */
  serve(_method: string, _url: string, _headers: string, _hasWorker?: boolean): Promise<Response> | null { throw new Error("unwritten"); }
  fetch(_input: Request | URL | string, _init?: RequestInit): Promise<Response> { throw new Error("unwritten"); }
}
