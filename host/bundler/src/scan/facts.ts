// What one source file says that concerns the configuration: entries of `env` that it reads, calls of
// routeAgentRequest, agents that clients ask for, classes, and what it imports and exports. Places are
// offsets in bytes; judging them is the core's part (src/worker/code_checks).
import { isBuiltin } from "node:module";

import { closing, tokenize, unquoted, type Token } from "./lexer.ts";

export interface Insertion {
  offset: number;
  text: string;
}

export interface EnvUse {
  name: string;
  offset: number;
  /** The code goes on without it: it is tested, or has a default. */
  guarded: boolean;
  /** The method that is called on it, or "getAgentByName". */
  method: string | null;
}

export interface RouteCall {
  offset: number;
  fault: "env" | "await";
  edits: Insertion[];
}

export interface ClientCall {
  api: string;
  agent: string;
  /** Of the text inside the quotes. */
  offset: number;
  length: number;
}

export interface ClassFact {
  name: string;
  offset: number;
  exported: "no" | "named" | "default";
}

export interface Reexport {
  local: string;
  name: string;
  offset: number;
}

export interface Facts {
  env: EnvUse[];
  optionalEnv: string[];
  routes: RouteCall[];
  clients: ClientCall[];
  classes: ClassFact[];
  exports: Reexport[];
  imports: { local: string; from: string }[];
  builtins: { name: string; offset: number }[];
  /** The end of the last import statement. */
  importsEnd: number;
}

const GUARDS = new Set(["??", "||", "&&", "?.", "?", "===", "!==", "==", "!=", "=", "??=", "||="]);
const CLIENTS = new Set(["useAgent", "AgentClient", "agentFetch"]);
const HOLDERS = new Set(["this", "c", "ctx", "context", "self"]);

export function factsOf(text: string): Facts {
  const scan = new Scan(tokenize(text));
  return scan.run();
}

class Scan {
  readonly #tokens: Token[];
  readonly #facts: Facts = {
    env: [], optionalEnv: [], routes: [], clients: [], classes: [], exports: [], imports: [], builtins: [], importsEnd: 0,
  };
  #foreignEnv = false;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  run(): Facts {
    this.#foreignEnv = this.#hasForeignEnv();
    for (let i = 0; i < this.#tokens.length; i++) {
      const token = this.#tokens[i]!;
      if (token.kind !== "name" || this.#is(i - 1, ".") && token.text !== "env") continue;
      if (token.text === "env") this.#env(i);
      else if (token.text === "routeAgentRequest") this.#route(i);
      else if (CLIENTS.has(token.text)) this.#client(i);
      else if (token.text === "class") this.#class(i);
      else if (token.text === "export") this.#export(i);
      else if (token.text === "import") this.#import(i);
      else if (token.text === "Env" && this.#is(i - 1, "interface")) this.#interface(i);
    }
    const { classes, exports } = this.#facts;
    for (const each of classes) {
      if (each.exported === "no" && exports.some(({ local, name }) => local === each.name && name === local)) each.exported = "named";
    }
    return this.#facts;
  }

  #text(i: number): string {
    const token = this.#tokens[i];
    return token === undefined || token.kind === "text" ? "" : token.text;
  }

  #is(i: number, text: string): boolean {
    return this.#text(i) === text;
  }

  /** A variable of the file's own that happens to be called env. */
  #hasForeignEnv(): boolean {
    return this.#tokens.some((token, i) => token.text === "env" && token.kind === "name" &&
      (["const", "let", "var"].includes(this.#text(i - 1)) ||
       (this.#is(i + 1, "}") && this.#is(i + 2, "from") && /process/.test(this.#tokens[i + 3]?.text ?? ""))));
  }

  #env(i: number): void {
    const member = this.#is(i - 1, ".") || this.#is(i - 1, "?.");
    if (member ? !HOLDERS.has(this.#text(i - 2)) : this.#foreignEnv) return;
    const start = member ? i - 2 : i;
    const { env } = this.#facts;
    if (this.#is(i + 1, ".") && this.#tokens[i + 2]?.kind === "name") {
      const next = this.#text(i + 3);
      const tested = this.#is(start - 1, "!") || this.#is(start - 1, "typeof") ||
        (next === ")" && this.#is(start - 1, "(") && ["if", "while"].includes(this.#text(start - 2)));
      const argument = this.#is(start - 1, "(") && this.#is(start - 2, "getAgentByName");
      const method = next === "." && this.#is(i + 5, "(") ? this.#text(i + 4) : argument ? "getAgentByName" : null;
      env.push({ name: this.#text(i + 2), offset: this.#tokens[i + 2]!.offset, guarded: tested || GUARDS.has(next), method });
    } else if (this.#is(start - 1, "=") && this.#is(start - 2, "}") && !["?.", "["].includes(this.#text(i + 1))) {
      this.#destructured(start - 2);
    }
  }

  #destructured(close: number): void {
    for (let i = close - 1; i >= 0 && !this.#is(i, "{"); i--) {
      if (this.#tokens[i]!.kind !== "name" || !["{", ","].includes(this.#text(i - 1))) continue;
      this.#facts.env.push({ name: this.#text(i), offset: this.#tokens[i]!.offset, guarded: this.#is(i + 1, "="), method: null });
    }
  }

  #interface(i: number): void {
    while (i < this.#tokens.length && !this.#is(i, "{")) i++;
    const end = closing(this.#tokens, i);
    for (let at = i + 1; at < end; at++) {
      if (this.#tokens[at]!.kind === "name" && this.#is(at + 1, "?") && this.#is(at + 2, ":")) this.#facts.optionalEnv.push(this.#text(at));
    }
  }

  /** After a name and its type arguments: the index of `(`, or -1. */
  #call(i: number): number {
    let at = i + 1;
    if (this.#is(at, "<")) {
      for (let depth = 0; at < this.#tokens.length; at++) {
        if (this.#is(at, "<")) depth++;
        else if (this.#is(at, ">") && --depth === 0) break;
        else if (this.#is(at, ";")) return -1;
      }
      at++;
    }
    return this.#is(at, "(") ? at : -1;
  }

  #route(i: number): void {
    const open = this.#call(i);
    if (open < 0 || this.#is(i - 1, "function")) return;
    const close = closing(this.#tokens, open);
    if (close === this.#tokens.length) return;
    const commas = this.#commas(open, close);
    const spread = this.#tokens.slice(open, close).some((token) => token.text === "...");
    const offset = this.#tokens[i]!.offset;
    if (commas === 0 && close > open + 1 && !spread) {
      const last = this.#tokens[close - 1]!;
      const end = last.text === "," ? last.offset : this.#tokens[close]!.offset;
      const parameter = this.#envParameter(i);
      this.#facts.routes.push({ offset, fault: "env", edits: parameter === null ? [] : [...parameter, { offset: end, text: ", env" }] });
    }
    if (this.#unawaited(i, close)) {
      const async = this.#asyncHandler(i);
      this.#facts.routes.push({ offset, fault: "await", edits: async === null ? [] : [...async, { offset, text: "await " }] });
    }
  }

  #commas(open: number, close: number): number {
    let count = 0;
    for (let i = open + 1; i < close; i++) {
      if (this.#tokens[i]!.kind === "mark" && "([{".includes(this.#text(i))) i = closing(this.#tokens, i);
      else if (this.#is(i, ",") && i + 1 < close) count++;
    }
    return count;
  }

  #unawaited(i: number, close: number): boolean {
    if (this.#is(i - 1, "await")) return false;
    if (["||", "??"].includes(this.#text(close + 1))) return true;
    if (this.#is(i - 1, "(") && this.#is(i - 2, "if")) return true;
    const name = this.#text(i - 2);
    if (!this.#is(i - 1, "=") || !["const", "let", "var"].includes(this.#text(i - 3)) || this.#is(close + 1, ".")) return false;
    // It may be awaited or returned later.
    return !this.#tokens.some((token, at) => token.text === name && token.kind === "name" &&
      (this.#is(at - 1, "await") || (this.#is(at - 1, "return") && this.#is(at + 1, ";")) || this.#is(at + 1, ".") && this.#is(at + 2, "then")));
  }

  /** The handler's name before `i` and its parameters' brackets; null when it is no `fetch(...)` method. */
  #handler(i: number): { name: number; open: number; close: number } | null {
    for (let at = i; at >= 0; at--) {
      if (this.#is(at, "=>") || this.#is(at, "function")) return null;
      if (!this.#is(at, "fetch") || !this.#is(at + 1, "(") || this.#is(at - 1, ".")) continue;
      const close = closing(this.#tokens, at + 1);
      return close < i ? { name: at, open: at + 1, close } : null;
    }
    return null;
  }

  #envParameter(i: number): Insertion[] | null {
    const handler = this.#handler(i);
    if (handler === null) return null;
    const parameters = this.#tokens.slice(handler.open, handler.close);
    if (parameters.some((token) => token.text === "env")) return [];
    if (this.#commas(handler.open, handler.close) > 0) return null;
    const typed = parameters.some((token) => token.text === ":");
    return [{ offset: this.#tokens[handler.close]!.offset, text: typed ? ", env: Env" : ", env" }];
  }

  #asyncHandler(i: number): Insertion[] | null {
    const handler = this.#handler(i);
    if (handler === null) return null;
    if (this.#is(handler.name - 1, "async")) return [];
    return ["{", ","].includes(this.#text(handler.name - 1)) ? [{ offset: this.#tokens[handler.name]!.offset, text: "async " }] : null;
  }

  #client(i: number): void {
    const open = this.#call(i);
    if (open < 0 || !this.#is(open + 1, "{")) return;
    const end = closing(this.#tokens, open + 1);
    let agent: Token | null = null;
    for (let at = open + 2; at < end; at++) {
      const token = this.#tokens[at]!;
      if (token.kind === "mark" && "([{".includes(token.text)) {
        at = closing(this.#tokens, at);
        continue;
      }
      if (!this.#is(at + 1, ":") || token.kind !== "name") continue;
      const value = this.#tokens[at + 2]!;
      // These lead elsewhere than to /agents/ of this server.
      if (["basePath", "prefix", "path"].includes(token.text)) return;
      if (token.text === "host" && value.kind === "text" && !/localhost|127\.0\.0\.1/.test(value.text)) return;
      if (token.text === "agent" && value.kind === "text") agent = value;
    }
    if (agent === null) return;
    this.#facts.clients.push({ api: this.#text(i), agent: unquoted(agent.text), offset: agent.offset + 1, length: agent.text.length - 2 });
  }

  #class(i: number): void {
    const name = this.#tokens[i + 1];
    if (name?.kind !== "name" || name.text === "extends") return;
    const first = this.#is(i - 1, "abstract") ? i - 1 : i;
    const exported = this.#is(first - 1, "export") ? "named" : this.#is(first - 1, "default") ? "default" : "no";
    this.#facts.classes.push({ name: name.text, offset: this.#tokens[first]!.offset, exported });
  }

  #export(i: number): void {
    if (!this.#is(i + 1, "{")) return;
    const close = closing(this.#tokens, i + 1);
    for (let at = i + 2; at < close; at++) {
      if (this.#tokens[at]!.kind !== "name" || !["{", ","].includes(this.#text(at - 1))) continue;
      const name = this.#is(at + 1, "as") ? this.#text(at + 2) : this.#text(at);
      this.#facts.exports.push({ local: this.#text(at), name, offset: this.#tokens[at]!.offset });
    }
  }

  #import(i: number): void {
    if (this.#is(i + 1, "(") || this.#is(i + 1, ".")) return;
    let at = i + 1;
    const names: string[] = [];
    for (; at < this.#tokens.length && this.#tokens[at]!.kind !== "text"; at++) {
      if (this.#is(at, ";") || this.#is(at, "=")) return;
      if (this.#tokens[at]!.kind === "name" && [",", "}", "from"].includes(this.#text(at + 1)) && !this.#is(at, "from")) names.push(this.#text(at));
    }
    const source = this.#tokens[at];
    if (source === undefined) return;
    const from = unquoted(source.text);
    const ended = this.#is(at + 1, ";") ? this.#tokens[at + 1]! : source;
    this.#facts.importsEnd = ended.offset + ended.text.length;
    for (const local of names) this.#facts.imports.push({ local, from });
    if (isBuiltin(from) && !this.#is(i + 1, "type")) this.#facts.builtins.push({ name: from, offset: source.offset + 1 });
  }
}
