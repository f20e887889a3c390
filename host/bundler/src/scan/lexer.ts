// The tokens of a TypeScript or JSX source, enough to recognize calls and names outside of comments
// and strings. Not a parser: what it cannot tell (JSX text, above all) comes out as harmless tokens.
// Texts are latin1, so that offsets are bytes, as the core counts them.

export type TokenKind = "name" | "text" | "template" | "number" | "pattern" | "mark";

export interface Token {
  kind: TokenKind;
  text: string;
  /** In bytes; of a text the opening quote's. */
  offset: number;
}

const NAME_START = /[A-Za-z_$\x80-\xff]/;
const NAME = /[\w$\x80-\xff]+/y;
const NUMBER = /[\d.][\w.]*/y;
const MARKS = /\?\?=|\|\|=|&&=|===|!==|\.\.\.|\?\?|\?\.(?!\d)|\|\||&&|=>|==|!=|[^]/y;
/** After these a slash begins a pattern, not a division. */
const BEFORE_PATTERN = new Set(["return", "typeof", "case", "in", "of", "await", "delete", "void", "throw", "new", "do", "else", "yield"]);

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  /** Braces open inside each `${`; the template goes on when its count falls below zero. */
  const templates: number[] = [];
  let at = 0;
  const push = (kind: TokenKind, end: number): void => {
    tokens.push({ kind, text: text.slice(at, end), offset: at });
    at = end;
  };
  while (at < text.length) {
    const c = text[at]!;
    if (c === " " || c === "\t" || c === "\n" || c === "\r") {
      at++;
    } else if (c === "/" && text[at + 1] === "/") {
      const end = text.indexOf("\n", at);
      at = end < 0 ? text.length : end;
    } else if (c === "/" && text[at + 1] === "*") {
      const end = text.indexOf("*/", at + 2);
      at = end < 0 ? text.length : end + 2;
    } else if (c === '"' || c === "'") {
      const end = quoted(text, at, c);
      push(end < 0 ? "mark" : "text", end < 0 ? at + 1 : end);
    } else if (c === "`" || (c === "}" && templates.at(-1) === 0)) {
      if (c === "}") templates.pop();
      const [end, opened] = template(text, at + 1);
      push("template", end);
      if (opened) templates.push(0);
    } else if (NAME_START.test(c)) {
      push("name", sticky(NAME, text, at));
    } else if (/\d/.test(c)) {
      push("number", sticky(NUMBER, text, at));
    } else if (c === "/" && isPattern(tokens.at(-1), text[at + 1]!)) {
      const end = pattern(text, at);
      push(end < 0 ? "mark" : "pattern", end < 0 ? at + 1 : end);
    } else {
      if (templates.length > 0 && (c === "{" || c === "}")) templates[templates.length - 1]! += c === "{" ? 1 : -1;
      push("mark", sticky(MARKS, text, at));
    }
  }
  return tokens;
}

function sticky(expression: RegExp, text: string, at: number): number {
  expression.lastIndex = at;
  return at + (expression.exec(text)?.[0].length ?? 1);
}

/** The end of the string that opens at `at`; -1 when its line ends first. */
function quoted(text: string, at: number, quote: string): number {
  for (let i = at + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === quote) return i + 1;
  }
  return -1;
}

/** The end of a template's piece, and whether an expression follows. */
function template(text: string, from: number): [number, boolean] {
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "`") return [i + 1, false];
    else if (text[i] === "$" && text[i + 1] === "{") return [i + 2, true];
  }
  return [text.length, false];
}

function isPattern(before: Token | undefined, next: string): boolean {
  if (next === ">") return false; // the end of a JSX element
  if (before === undefined) return true;
  if (before.kind === "name") return BEFORE_PATTERN.has(before.text);
  return before.kind === "mark" && ![")", "]", "}", "<"].includes(before.text);
}

function pattern(text: string, at: number): number {
  let inClass = false;
  for (let i = at + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return sticky(/\w*/y, text, i + 1);
  }
  return -1;
}

/** The index of the mark that closes the one at `open`; the end of the list when nothing does. */
export function closing(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind === "template") continue;
    if (token.kind !== "mark") continue;
    if ("([{".includes(token.text)) depth++;
    else if (")]}".includes(token.text) && --depth === 0) return i;
  }
  return tokens.length;
}

export const unquoted = (text: string): string => Buffer.from(text.slice(1, -1), "latin1").toString("utf8");
