import type { Named, Plain, Probe } from "./classes.ts";

export interface Env {
  TEXT: string;
  JSON: { list: number[] };
  SELF: Fetcher;
  NAMED: Service<Named>;
  PROBE: DurableObjectNamespace<Probe>;
  PLAIN: DurableObjectNamespace<Plain>;
}
