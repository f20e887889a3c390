import type { ReactNode } from "react";

export interface ToolPart {
  type: string;
  toolName?: string;
  toolCallId: string;
  state: string;
  input?: Record<string, unknown>;
  output?: unknown;
  errorText?: string;
  approval?: { id: string; approved?: boolean; reason?: string };
}

/** What each state of a call is called on the page. */
const kStates: Record<string, string> = {
  "input-streaming": "preparing",
  "input-available": "running",
  "approval-requested": "waiting for you",
  "approval-responded": "running",
  "output-available": "done",
  "output-error": "failed",
  "output-denied": "declined",
};

export function ToolCall(props: {
  part: ToolPart;
  approvalSeconds: number;
  answer: (approvalId: string, approved: boolean) => void;
}) {
  const { part } = props;
  const name = part.toolName ?? part.type.replace(/^tool-/, "");
  const approval = part.state === "approval-requested" ? part.approval : undefined;
  const open = part.state !== "output-available" || name === "patch_file" || name === "write_file" || name === "run_command";
  return (
    <details className={`tool ${part.state}`} open={open} data-tool={name}>
      <summary>
        <span className="name">{name.replaceAll("_", " ")}</span> <code>{title(part)}</code>
        <span className="state">{kStates[part.state] ?? part.state}</span>
      </summary>
      {approval && (
        <div className="approval">
          <pre className="command">{String(part.input?.command ?? JSON.stringify(part.input))}</pre>
          <button className="approve" onClick={() => props.answer(approval.id, true)}>
            Approve
          </button>
          <button className="reject" onClick={() => props.answer(approval.id, false)}>
            Reject
          </button>
          <small>Declined by itself after {duration(props.approvalSeconds)}.</small>
        </div>
      )}
      {part.state === "output-denied" && <p className="fault">{part.approval?.reason ?? "You declined this."}</p>}
      {part.errorText && <p className="fault">{part.errorText}</p>}
      {part.output !== undefined && <Output output={part.output} />}
    </details>
  );
}

function title(part: ToolPart): string {
  const input = part.input ?? {};
  return String(input.path ?? input.command ?? input.text ?? input.note ?? input.folder ?? "");
}

function Output({ output }: { output: unknown }): ReactNode {
  if (isRecord(output) && typeof output.diff === "string") return <Diff text={output.diff} />;
  if (isRecord(output) && typeof output.output === "string") {
    const how = output.timedOut ? "stopped at its time limit" : `exit code ${String(output.exitCode)}`;
    return (
      <>
        <pre className="terminal">{output.output}</pre>
        <small className={output.exitCode === 0 ? "good" : "bad"}>
          {how}, {String(output.milliseconds)} ms
        </small>
      </>
    );
  }
  if (Array.isArray(output)) return <pre className="terminal">{output.join("\n") || "nothing found"}</pre>;
  return <pre className="terminal">{typeof output === "string" ? output : JSON.stringify(output, null, 2)}</pre>;
}

/** A unified diff with its lines coloured, from the first hunk on: the title has said which file. */
function Diff({ text }: { text: string }) {
  const hunks = text.slice(Math.max(0, text.indexOf("@@"))).trimEnd();
  const lines = hunks.split("\n").filter((line) => !line.startsWith("\\"));
  return (
    <pre className="diff">
      {lines.map((line, index) => (
        <span key={index} className={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "hunk" : ""}>
          {line || " "}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function duration(seconds: number): string {
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}
