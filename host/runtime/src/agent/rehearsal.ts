// A rehearsal of new code on a copy of an agent (docs/deploying.md): the agent is constructed and
// starts as for a caller, the core is told how that went, and its life ends. What it wrote by then is
// durable, so a failing commit is told too. No handler of the user's is called.
import { expectReset } from "./errors.ts";
import { type Residency, startAgent } from "./residency.ts";

export async function rehearse(residency: Residency, namespace: number, id: string): Promise<void> {
  const { addon, faults } = residency.host;
  let json = "";
  try {
    await startAgent(residency.open({ namespace, id, name: "" }).agent);
  } catch (error) {
    json = JSON.stringify(faults.of(error));
  }
  const over = new Error("The rehearsal of this Durable Object is over.");
  expectReset(over);
  residency.find(namespace, id)?.life?.reset(over);
  addon.agentRehearsed(namespace, id, json);
}
