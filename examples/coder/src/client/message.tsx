import type { UIMessage } from "ai";
import Markdown from "react-markdown";
import { ToolCall, type ToolPart } from "./tool-call.tsx";

export function Message(props: {
  message: UIMessage;
  approvalSeconds: number;
  answer: (approvalId: string, approved: boolean) => void;
}) {
  const { message } = props;
  return (
    <article className={`message ${message.role}`}>
      {message.parts.map((part, index) => {
        if (part.type === "text") {
          return (
            <div className="text" key={index}>
              <Markdown>{part.text}</Markdown>
            </div>
          );
        }
        if (part.type === "reasoning") {
          return (
            <details className="reasoning" key={index}>
              <summary>Thoughts</summary>
              {part.text}
            </details>
          );
        }
        if (part.type.startsWith("tool-") || part.type === "dynamic-tool") {
          const tool = part as unknown as ToolPart;
          return (
            <ToolCall key={tool.toolCallId} part={tool} approvalSeconds={props.approvalSeconds} answer={props.answer} />
          );
        }
        return null;
      })}
    </article>
  );
}
