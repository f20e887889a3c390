// The small files that steer assets: `.assetsignore` (as .gitignore), `_redirects`, `_headers`, and
// the patterns of `run_worker_first`. All are parsed once and matched against a decoded path.
// Source: Cloudflare's documentation of static assets (routing, headers, redirects).

const special = /[.+^${}()|[\]\\]/g;
const redirectsMax = 2100;
const headerRulesMax = 100;

/** One pattern of a .gitignore as a test of a path without its leading slash. */
function ignorePattern(line: string): { test: RegExp; ignore: boolean } {
  const ignore = !line.startsWith("!");
  let pattern = ignore ? line : line.slice(1);
  const folder = pattern.endsWith("/");
  if (folder) pattern = pattern.slice(0, -1);
  const anchored = pattern.includes("/");
  if (pattern.startsWith("/")) pattern = pattern.slice(1);
  const body = pattern.replace(special, "\\$&").replace(/\/\*\*\/|\*\*\/|\/\*\*|\*\*|\*|\?/g, (part) =>
    part === "/**/" ? "/(?:.*/)?" : part === "**/" ? "(?:.*/)?" : part === "/**" ? "/.*" : part === "**" ? ".*" : part === "*" ? "[^/]*" : "[^/]");
  return { test: new RegExp(`^${anchored ? "" : "(?:.*/)?"}${body}${folder ? "/.*" : "(?:/.*)?"}$`), ignore };
}

/** Never served, whatever .assetsignore says. */
const always = ["/.assetsignore", "/_headers", "/_redirects", "/_worker.js", ".git", "node_modules", ".DS_Store", ".dev.vars*", ".env*"].map(ignorePattern);

export function parseIgnore(text: string): (path: string) => boolean {
  const patterns = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#")).map(ignorePattern);
  return (path) => {
    const bare = path.replace(/^\//, "");
    if (always.some(({ test }) => test.test(bare))) return true;
    let ignored = false;
    for (const { test, ignore } of patterns) if (test.test(bare)) ignored = ignore;
    return ignored;
  };
}

/** A rule's pattern: `*` once as `:splat`, `:name` for one segment. */
function rulePattern(pattern: string): RegExp {
  const body = pattern.replace(special, "\\$&").replace("*", "(?<splat>.*)").replace(/\*/g, ".*").replace(/:([A-Za-z]\w*)/g, "(?<$1>[^/]+)");
  return new RegExp(`^${body}$`);
}

function fill(text: string, groups: Record<string, string> | undefined): string {
  return groups === undefined ? text : text.replace(/:([A-Za-z]\w*)/g, (whole, name: string) => groups[name] ?? whole);
}

export interface Redirect { readonly location: string; readonly status: number }

/** `/from /to [status]` lines. Status 200 is a rewrite. The first match counts. */
export function parseRedirects(text: string): ((path: string) => Redirect | null) | null {
  const rules: { test: RegExp; to: string; status: number }[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [from, to, code] = line.trim().split(/\s+/);
    if (from === undefined || from === "" || from.startsWith("#") || to === undefined || !from.startsWith("/")) continue;
    const status = code === undefined ? 302 : Number(code);
    if (![200, 301, 302, 303, 307, 308].includes(status) || rules.length >= redirectsMax) continue;
    rules.push({ test: rulePattern(from), to, status });
  }
  if (rules.length === 0) return null;
  return (path) => {
    for (const { test, to, status } of rules) {
      const match = test.exec(path);
      if (match !== null) return { location: fill(to, match.groups), status };
    }
    return null;
  };
}

export type HeaderChange = readonly [name: string, value: string | null];

/** `_headers`: a path, then indented `Name: value` lines; `! Name` takes one away. All matches count. */
export function parseHeaders(text: string): ((path: string) => HeaderChange[]) | null {
  const rules: { test: RegExp; changes: HeaderChange[] }[] = [];
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    if (!/^\s/.test(line)) {
      if (rules.length >= headerRulesMax) break;
      rules.push({ test: rulePattern(trimmed), changes: [] });
    } else if (rules.length > 0) {
      const changes = rules[rules.length - 1]!.changes;
      const colon = trimmed.indexOf(":");
      if (trimmed.startsWith("!")) changes.push([trimmed.slice(1).trim(), null]);
      else if (colon > 0) changes.push([trimmed.slice(0, colon).trim(), trimmed.slice(colon + 1).trim()]);
    }
  }
  if (rules.length === 0) return null;
  return (path) => rules.flatMap(({ test, changes }) => {
    const match = test.exec(path);
    return match === null ? [] : changes.map(([name, value]): HeaderChange => [name, value === null ? null : fill(value, match.groups)]);
  });
}

/** run_worker_first: true, or patterns of which a negative one (`!/x`) wins. */
export function parseWorkerFirst(setting: boolean | readonly string[] | undefined): (path: string) => boolean {
  if (setting === undefined || typeof setting === "boolean") return () => setting === true;
  const compile = (pattern: string) => new RegExp(`^${pattern.replace(special, "\\$&").replace(/\?/g, "\\?").replace(/\*+/g, ".*")}$`);
  const first = setting.filter((pattern) => !pattern.startsWith("!")).map(compile);
  const not = setting.filter((pattern) => pattern.startsWith("!")).map((pattern) => compile(pattern.slice(1)));
  return (path) => first.some((test) => test.test(path)) && !not.some((test) => test.test(path));
}
