// What of api.json is there: for each name the members that are missing, or "absent".
import api from "./api.json";
import type { Env } from "./env.ts";

type Answer = "absent" | string[];
interface Entry { kind: string; members?: string[]; statics?: string[] }

const lacks = (value: object, names: string[]): string[] => names.filter((name) => !(name in value));

function global(name: string, { kind, members = [], statics = [] }: Entry): Answer {
  const value = (globalThis as Record<string, unknown>)[name];
  if (kind === "function") return typeof value === "function" ? [] : "absent";
  if (value === undefined) return name in globalThis ? [] : "absent";
  if (kind !== "class") return value === null || typeof value !== "object" ? [] : lacks(value, members);
  if (typeof value !== "function") return "absent";
  const prototype = (value as { prototype: object }).prototype;
  return [...lacks(prototype, members), ...lacks(value, statics).map((each) => `${name}.${each}`)];
}

export async function present(env: Env, ctx: ExecutionContext, host: string): Promise<Record<string, Record<string, Answer>>> {
  const globals = Object.fromEntries(Object.entries(api.globals as Record<string, Entry>).map(([name, entry]) => [name, global(name, entry)]));
  const lists = api.objects as Record<string, string[]>;
  const objects: Record<string, Answer> = {
    ExecutionContext: lacks(ctx, lists.ExecutionContext!),
    DurableObjectNamespace: lacks(env.PROBE, lists.DurableObjectNamespace!),
    DurableObjectId: lacks(env.PROBE.idFromName("x"), lists.DurableObjectId!),
    Tracing: ctx.tracing === undefined ? "absent" : lacks(ctx.tracing, lists.Tracing!),
    Socket: await socket(host, lists.Socket!),
    ...(await env.PROBE.getByName("present").lacking(lists)),
  };
  const modules: Record<string, Answer> = {};
  for (const [name, exports] of Object.entries(api.modules as Record<string, string[]>)) {
    modules[name] = await (platform[name] ?? (() => load(name)))().then((module) => lacks(module, exports), () => "absent" as const);
  }
  return { globals, objects, modules };
}

async function socket(host: string, names: string[]): Promise<Answer> {
  const { connect } = await import("cloudflare:sockets");
  const open = connect(host);
  const lacking = lacks(open, names);
  await open.close();
  return lacking;
}

// Written out, as code does: the bundler sees them.
const platform: Record<string, () => Promise<Record<string, unknown>>> = {
  "cloudflare:workers": () => import("cloudflare:workers"),
  "cloudflare:email": () => import("cloudflare:email"),
  "cloudflare:sockets": () => import("cloudflare:sockets"),
  "cloudflare:workflows": () => import("cloudflare:workflows"),
  "cloudflare:node": () => import("cloudflare:node"),
  "cloudflare:durable-objects": () => import("cloudflare:durable-objects"),
};

/** What each of these modules of Node.js exports, of those that are there. */
export async function exported(names: string[]): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const name of names) {
    const module = await load(name).catch(() => null);
    if (module) found[name] = Object.keys(module).sort();
  }
  return found;
}

/** A specifier that the bundler does not see. */
export const load = (name: string): Promise<Record<string, unknown>> => import(name);
