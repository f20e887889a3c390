interface Env extends Cloudflare.Env {
  CoderAgent: DurableObjectNamespace<import("./coder-agent.ts").CoderAgent>;
  WORKSPACE: string;
  MODEL: string;
  APPROVAL_SECONDS: string;
  OPENROUTER_API_KEY?: string;
}
