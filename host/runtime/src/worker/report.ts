// What a host tells of errors to the core's log. What it tells clients is in faults/faults.ts.
import type { Addon } from "../addon.ts";
import { isExpectedReset } from "../agent/errors.ts";
import type { ReportDetails } from "../agent/host.ts";
import { currentAgent } from "../agent/scope.ts";
import type { NamespaceInfo } from "../agent/types.ts";
import { tellRejection } from "../web/globals.ts";
import type { Faults } from "../faults/faults.ts";

const ERROR = 3;

export class Reporter {
  readonly #addon: Addon;
  readonly #namespaces: readonly NamespaceInfo[];
  readonly #faults: Faults;

  constructor(addon: Addon, namespaces: readonly NamespaceInfo[], faults: Faults) {
    this.#addon = addon;
    this.#namespaces = namespaces;
    this.#faults = faults;
  }

  report(error: unknown, details: ReportDetails = {}): void {
    try {
      const { agent = currentAgent(), level = ERROR, reference, what, ...rest } = details;
      const { code, message, stack, where } = this.#faults.of(error);
      const told: Record<string, unknown> = { message: reference === undefined ? message : `[${reference}] ${message}`, stack, where, ...rest };
      // R407 is what is known when nothing more is.
      if (told["code"] === undefined || told["code"] === "R407") told["code"] = code;
      if (what !== undefined) told["what"] = what;
      if (agent !== null) {
        told["agent"] = agent.address.name || agent.address.id;
        told["class"] = this.#namespaces[agent.address.namespace]?.className;
      }
      this.#addon.log(level, JSON.stringify(told));
    } catch {
      // What cannot even be described must not end the host.
    }
  }

  /** What no code handles goes to the log, and the host goes on, as the platform does. */
  catchUnhandled(): void {
    process.on("uncaughtException", (error) => {
      if (!isExpectedReset(error)) this.report(error, { code: "R407", what: "uncaught exception" });
    });
    process.on("rejectionHandled", (promise) => void tellRejection("rejectionhandled", promise, undefined));
    process.on("unhandledRejection", (reason, promise) => {
      if (isExpectedReset(reason) || tellRejection("unhandledrejection", promise, reason)) return;
      this.report(reason, { code: "R412", what: "unhandled rejection" });
    });
  }
}
