// What a host tells of errors: to the core's log, and to a client whose message made a handler throw.
import type { Addon } from "../addon.ts";
import { describe, isExpectedReset } from "../agent/errors.ts";
import type { ReportDetails } from "../agent/host.ts";
import { currentAgent } from "../agent/scope.ts";
import type { NamespaceInfo } from "../agent/types.ts";
import { whereOf } from "./where.ts";

const ERROR = 3;

export class Reporter {
  readonly #addon: Addon;
  readonly #namespaces: readonly NamespaceInfo[];
  readonly #mode: "dev" | "serve";
  #references = 0;

  constructor(addon: Addon, namespaces: readonly NamespaceInfo[], mode: "dev" | "serve") {
    this.#addon = addon;
    this.#namespaces = namespaces;
    this.#mode = mode;
  }

  report(error: unknown, details: ReportDetails = {}): void {
    try {
      const { agent = currentAgent(), level = ERROR, what, ...rest } = details;
      const told: Record<string, unknown> = { ...describe(error), ...rest };
      if (what !== undefined) told["what"] = what;
      const where = whereOf(error);
      if (where !== undefined) told["where"] = where;
      if (agent !== null) {
        told["agent"] = agent.address.name || agent.address.id;
        told["class"] = this.#namespaces[agent.address.namespace]?.className;
      }
      this.#addon.log(level, JSON.stringify(told));
    } catch {
      // What cannot even be described must not end the host.
    }
  }

  /** In production a client gets the code and a reference, which the log has with the cause. */
  errorFrame(error: unknown): string {
    const code = "R407";
    if (this.#mode === "serve") {
      const reference = `${process.pid.toString(36)}-${(++this.#references).toString(36)}`;
      this.report(error, { code, what: `reference ${reference}`, level: 1 });
      return JSON.stringify({ error: "Internal error", code, reference });
    }
    return JSON.stringify({ error: describe(error).message, code, where: whereOf(error) });
  }

  /** What no code handles goes to the log, and the host goes on, as the platform does. */
  catchUnhandled(): void {
    process.on("uncaughtException", (error) => {
      if (!isExpectedReset(error)) this.report(error, { code: "R407", what: "uncaught exception" });
    });
    process.on("unhandledRejection", (reason) => {
      if (!isExpectedReset(reason)) this.report(reason, { code: "R412", what: "unhandled rejection" });
    });
  }
}
