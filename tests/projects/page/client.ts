import { AgentClient } from "agents/client";

const output = document.querySelector("output")!;
const status = document.querySelector("#status")!;
const client = new AgentClient<unknown, { count: number }>({
  agent: new URLSearchParams(location.search).get("agent") ?? "Counter", onConnectionError: (error) => { console.error(error.message); }, name: "page", host: location.host, onStateUpdate: (state) => { output.textContent = String(state.count); },
});
client.addEventListener("open", () => { status.textContent = "open"; });
client.addEventListener("close", (event) => { status.textContent = `closed ${event.code} ${event.reason}`; });
document.querySelector("button")!.addEventListener("click", () => void client.call("add", [1]));
Object.assign(window, { client });
