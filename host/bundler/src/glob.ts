// Globs of module rules, as wrangler reads them: matched against the path as the import writes it,
// where `*` runs over folders too and `?` is a question mark (`**/*.wasm?module` is a default rule).

// The expression that matches what `glob` matches; a leading "**/" also matches no folder at all.
export function globToRegExp(glob: string): RegExp {
  let pattern = "";
  let rest = glob;
  if (rest.startsWith("**/")) {
    pattern = "(?:.*/)?";
    rest = rest.slice(3);
  }
  for (const part of rest.split(/(\*+)/)) {
    pattern += part.startsWith("*") ? ".*" : part.replace(/[.+?^${}()|[\]\\/]/g, "\\$&");
  }
  return new RegExp(`^${pattern}$`);
}
