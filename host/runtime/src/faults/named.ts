/** What a value is, for a sentence: "null", "a string", "an object of class Headers". */
export function named(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
  const name = value.constructor?.name;
  return name ? `an object of class ${name}` : "an object";
}
