// The modules that the platform provides under `cloudflare:`, hearth its own, and the names that each
// exports.
// The bundler makes an ES module of each entry (its bindings must be known before anything runs), and
// the runtime fills the table `globalThis[Symbol.for("hearth.modules")]` with the values. Nothing
// is imported here, so that both sides may.

/** Specifier → the names that it exports. None has a default export. */
export const NAMES: Record<string, readonly string[]> = {
  "cloudflare:workers": [
    "DurableObject",
    "RpcPromise",
    "RpcProperty",
    "RpcStub",
    "RpcTarget",
    "ServiceStub",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "abortIsolate",
    "cache",
    "env",
    "exports",
    "restore",
    "tracing",
    "waitUntil",
    "withEnv",
    "withEnvAndExports",
    "withExports",
  ],
  "cloudflare:email": ["EmailMessage"],
  "cloudflare:sockets": ["connect", "internalNewHttpClient"],
  "cloudflare:workflows": ["NonRetryableError"],
  "cloudflare:node": ["connectHandler", "handleAsNodeConnection", "handleAsNodeRequest", "httpServerHandler"],
  "cloudflare:durable-objects": ["retryable"],
  hearth: ["analyzeAgentEnvironment"],
};

/** The same for those that a compatibility flag allows; this one has a default export only. */
export const UNSAFE_NAMES: Record<string, readonly string[]> = { "workerd:unsafe": ["default"] };

/** Where the runtime keeps the modules' values: `globalThis[Symbol.for(MODULES_KEY)][specifier]`. */
export const MODULES_KEY = "hearth.modules";

/** Where a worker other than the first finds a module that has members of its own for each worker. */
export function moduleKey(specifier: string, worker: string | null): string {
  return worker !== null && specifier === "cloudflare:workers" ? `${specifier}@${worker}` : specifier;
}
