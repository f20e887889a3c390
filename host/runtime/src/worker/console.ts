// The global `console` of user code: each call becomes one line of the log, with its level, instead of
// bytes on a descriptor that every host shares. Node.js's own console does the formatting (groups,
// tables, counters, format specifiers); only where its text goes is ours. The object stays the same, so
// `node:console` and those who kept a method's owner see it too. With a debugger attached its panel
// shows the calls as before.
import { Console } from "node:console";
import * as inspector from "node:inspector";
import type { LogLevel } from "./log.ts";

const DEBUG = 0, INFO = 1, WARN = 2, ERROR = 3;

/** Which of console's methods write, and at what level; those that only keep something are as they were. */
const LEVELS: Record<string, LogLevel> = {
  debug: DEBUG, log: INFO, info: INFO, warn: WARN, error: ERROR, assert: ERROR, trace: INFO,
  dir: INFO, dirxml: INFO, table: INFO, group: INFO, groupCollapsed: INFO, count: INFO, countReset: WARN,
  time: WARN, timeEnd: INFO, timeLog: INFO,
};
const SILENT = ["groupEnd", "clear"];

type Method = (...args: unknown[]) => void;

/** `write` gets a call's text, which may have several lines, without the last line's end. */
export function installConsole(target: object, write: (level: LogLevel, text: string) => void): void {
  let level: LogLevel = INFO;
  const stream = {
    write(text: string): boolean {
      write(level, text.endsWith("\n") ? text.slice(0, -1) : text);
      return true;
    },
  } as unknown as NodeJS.WritableStream;
  const inner = new Console({ stdout: stream, stderr: stream, ignoreErrors: false, colorMode: false }) as unknown as Record<string, Method>;
  const debuggers = inspector.console as unknown as Record<string, Method | undefined>;
  const replaced: Record<string, Method> = {};
  for (const name of [...Object.keys(LEVELS), ...SILENT]) {
    const own = LEVELS[name] ?? INFO;
    replaced[name] = (...args) => {
      // What is printed may have getters that print.
      const before = level;
      level = own;
      try {
        inner[name]!(...args);
      } finally {
        level = before;
      }
      if (inspector.url() !== undefined) debuggers[name]?.(...args);
    };
    Object.defineProperty(replaced[name], "name", { value: name });
  }
  Object.assign(target, replaced);
}
