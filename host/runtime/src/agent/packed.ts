// The wire's lists: strings, each ended by NUL.

export function unpack(packed: string): string[] {
  if (packed === "") return [];
  const parts = packed.split("\0");
  parts.pop();
  return parts;
}
