import { AgentClient } from "agents/client";
export const client = new AgentClient({ agent: "Coder", name: "default", host: "localhost" });
