import { useAgent } from "agents/react";
// It's the page: useAgent({ agent: "nobody" }) is only a comment.
export const App = () => {
  const agent = useAgent<{ n: number }>({ agent: "CoderAgent", name: "default" });
  return <p>Don't panic {agent.name}</p>;
};
