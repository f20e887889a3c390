// JSON with comments and trailing commas, as wrangler.jsonc is written: enough of it for the
// projects of these tests, which are all ours. hearth reads them with its own parser.

export function parseJsonc(text) {
  let out = "";
  let i = 0;
  while (i < text.length) {
    const c = text[i];
    if (c === '"') {
      const start = i++;
      while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      out += text.slice(start, ++i);
    } else if (c === "/" && text[i + 1] === "/") {
      while (i < text.length && text[i] !== "\n") i++;
    } else if (c === "/" && text[i + 1] === "*") {
      i = text.indexOf("*/", i + 2) + 2;
      if (i < 2) throw new Error("a comment is not closed");
    } else {
      out += c;
      i++;
    }
  }
  return JSON.parse(dropTrailingCommas(out));
}

function dropTrailingCommas(text) {
  return text.replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, string) => string ?? "");
}
