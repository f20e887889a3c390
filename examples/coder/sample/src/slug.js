/** Turns a title into a piece of a URL: lower case, words joined by single hyphens. */
export function slug(title) {
  return title
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9]/g, "-");
}
