// The names of the platform's classes. The host's own bundle is made without esbuild's keepNames, which
// defines the name of every closure each time it is made (a third of a request's cost); a class that
// was renamed in bundling gets its name back here, where code of the user can see it.

function rename(name: string, value: unknown): void {
  if (typeof value !== "function" || value.name === name) return;
  if (value.name.replace(/^_/, "").replace(/\d+$/, "") !== name) return;
  Object.defineProperty(value, "name", { value: name, configurable: true });
}

/** Gives every class in a table the name of its entry, if only bundling made it differ. */
export function restoreNames(table: object): void {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(table))) rename(name, value);
}
