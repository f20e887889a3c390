// The cases of inside.ts, each run in an object of its own.
import type { Area } from "../case.ts";
import { inside } from "./inside.ts";

export const storage: Area[] = inside.map(({ api, cases }) => ({
  api,
  cases: Object.fromEntries(Object.keys(cases).map((sentence) => [sentence, async ({ env }) => {
    const namespace = api.includes("new_classes") ? env.PLAIN : env.PROBE;
    const answer = (await namespace.getByName(`${api} ${sentence} ${crypto.randomUUID()}`).run(api, sentence)) as { value?: unknown; throws?: string; message?: string };
    if (answer.throws !== undefined) throw Object.assign(new Error(answer.message), { name: answer.throws });
    return answer.value;
  }])),
}));
