// The project's secrets, kept out of what a host tells clients by itself; the core does the same for the
// log and for its own answers (src/log/redactor.h), and knows more forms of them.
import type { WorkerPart } from "../worker/document.ts";

const SECRET_CHARACTERS_MIN = 6; // shorter ones would be found everywhere

/** Gives a text back without the values of the workers' secrets. */
export function redactorOf(workers: readonly WorkerPart[]): (text: string) => string {
  const found = new Map<string, string>();
  for (const { bindings, ai } of workers) {
    for (const binding of bindings) if (binding.type === "secret") found.set(binding.value, binding.name);
    if (ai?.key) found.set(ai.key, ai.keyName || "env.AI's key");
  }
  // One that contains another goes first.
  const secrets = [...found].filter(([value]) => value.length >= SECRET_CHARACTERS_MIN).sort(([a], [b]) => b.length - a.length);
  return (text) => secrets.reduce((rest, [value, name]) => rest.replaceAll(value, () => `[${name} redacted]`), text);
}
