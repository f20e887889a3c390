// What a host tells of errors to the core's log. What it tells clients is in faults/faults.ts.
import { isExpectedReset } from "../agent/errors.ts";
import type { ReportDetails } from "../agent/host.ts";
import { tellRejection } from "../web/globals.ts";
import type { Faults } from "../faults/faults.ts";
import type { HostLog } from "./log.ts";

const ERROR = 3;

export class Reporter {
  readonly #log: HostLog;
  readonly #faults: Faults;

  constructor(log: HostLog, faults: Faults) {
    this.#log = log;
    this.#faults = faults;
  }

  report(error: unknown, details: ReportDetails = {}): void {
    try {
      const { level = ERROR, ...rest } = details;
      const { code, message, stack, where } = this.#faults.of(error);
      // R407 is what is known when nothing more is.
      const known = rest.code === undefined || rest.code === "R407" ? code : rest.code;
      this.#log.write(level, message, { stack, where, ...rest, code: known });
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
