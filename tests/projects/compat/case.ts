// What a case is, and how its answer is made comparable: JSON, errors by their name.
import type { Env } from "./env.ts";

export interface Given { env: Env; ctx: ExecutionContext; request: Request; url: URL }
export type Case = (given: Given) => unknown;
/** An API of the platform, its cases named by sentences that are true of the platform. */
export interface Area { api: string; cases: Record<string, Case> }

const kPatienceMs = 8_000;

export async function answer(run: () => unknown): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const late = new Promise((resolve) => { timer = setTimeout(() => resolve({ late: true }), kPatienceMs); });
    return { value: plain(await Promise.race([Promise.resolve().then(run), late])) };
  } catch (error) {
    return { throws: String((error as Error)?.name ?? error), message: String((error as Error)?.message ?? "") };
  } finally {
    clearTimeout(timer);
  }
}

/** What `look` gives once it gives something; undefined if that takes too long. */
export async function until<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (const end = Date.now() + kPatienceMs - 1_000; Date.now() < end; await scheduler.wait(20)) {
    const seen = await look();
    if (seen !== undefined) return seen;
  }
  return undefined;
}

/** The name of what `run` throws or rejects with; "nothing" if it does not. */
export async function failure(run: () => unknown): Promise<string> {
  try {
    await run();
    return "nothing";
  } catch (error) {
    return (error as Error)?.name ?? String(error);
  }
}

/** The same with its message: where code of others matches the text. */
export async function reason(run: () => unknown): Promise<string> {
  try {
    await run();
    return "nothing";
  } catch (error) {
    return `${(error as Error)?.name}: ${(error as Error)?.message}`;
  }
}

/** What JSON cannot say is written as text. */
function plain(value: unknown): unknown {
  if (value === undefined) return "(undefined)";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value === "function") return "(function)";
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return [...value].map(plain);
  if (value instanceof Set) return [...value].map(plain);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

export const text = (stream: ReadableStream | null): Promise<string> => new Response(stream).text();
