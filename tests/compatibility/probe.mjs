// Asks the probe project (tests/projects/compat) on a target for everything it knows.
import { http } from "../lib/clients.mjs";

/** {api: {globals, objects, modules}, cases: {area: {sentence: answer}}} of a started target. */
export async function ask(target) {
  const api = await json(`${target.url}/api`);
  const cases = {};
  for (const [area, sentences] of Object.entries(await json(`${target.url}/cases`))) {
    cases[area] = {};
    for (const sentence of sentences) {
      cases[area][sentence] = await json(`${target.url}/case/${encodeURIComponent(area)}/${encodeURIComponent(sentence)}`);
    }
  }
  return { api, cases };
}

/** What modules of Node.js export there. */
export const exported = (target, names) => json(`${target.url}/node`, { method: "POST", body: JSON.stringify(names) });

async function json(url, options) {
  const answer = await http(url, { timeoutMs: 20_000, ...options });
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${answer.text}`);
  return answer.json();
}

/** What a target logs as errors because a case means it to. */
export const kExpectedErrors = [/on purpose/];

/** Every answer of a probe as [path, answer], the path for people to read. */
export function* entries({ api, cases }) {
  for (const [kind, names] of Object.entries(api)) for (const [name, answer] of Object.entries(names)) yield [`${kind} / ${name}`, answer];
  for (const [area, sentences] of Object.entries(cases)) for (const [sentence, answer] of Object.entries(sentences)) yield [`${area} / ${sentence}`, answer];
}

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Whether hearth lacks something that the platform's runtime has: its extra members are no difference. */
export function lacks(path, onWorkerd, onHearth) {
  if (!/^(globals|objects|modules) \//.test(path)) return !same(onWorkerd, onHearth);
  if (onWorkerd === "absent") return false;
  return onHearth === "absent" || onHearth.some((name) => !onWorkerd.includes(name));
}
