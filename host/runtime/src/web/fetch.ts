import type { Request, RequestInit } from "./request.ts";
import type { Response } from "./response.ts";
/** The global fetch: outgoing HTTP, held at the output gate of the code that calls it. */
export function fetch(_input: Request | URL | string, _init?: RequestInit): Promise<Response> { throw new Error("unwritten"); }
