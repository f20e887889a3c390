import { useAgentChat } from "@cloudflare/ai-chat/react";
import { useAgent } from "agents/react";
import { StrictMode, Suspense, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import type { CoderAgent, CoderState, Reminder } from "../coder-agent.ts";
import { Composer } from "./composer.tsx";
import { Message } from "./message.tsx";
import "./app.css";

// One agent per name: /?session=NAME opens another conversation on the same workspace.
const session = new URLSearchParams(location.search).get("session") ?? "default";

function Chat() {
  const [state, setState] = useState<CoderState>();
  const [status, setStatus] = useState<"connecting" | "connected" | "reconnecting">("connecting");
  const [reason, setReason] = useState("");
  const agent = useAgent<CoderAgent, CoderState>({
    agent: "CoderAgent",
    name: session,
    onStateUpdate: setState,
    onOpen: () => {
      setStatus("connected");
      setReason("");
    },
    onClose: (event) => {
      setStatus("reconnecting");
      setReason(event.reason || (event.code ? `closed with code ${event.code}` : ""));
    },
  });
  const chat = useAgentChat({ agent });
  const { messages, sendMessage, addToolApprovalResponse, clearHistory, stop, error } = chat;
  const busy = chat.isStreaming || chat.status === "submitted";
  const bottom = useRef<HTMLDivElement>(null);
  const follow = useRef(true);

  useEffect(() => {
    const onScroll = () => {
      follow.current = window.innerHeight + window.scrollY > document.body.scrollHeight - 160;
    };
    window.addEventListener("scroll", onScroll, { passive: true });
    return () => window.removeEventListener("scroll", onScroll);
  }, []);
  useEffect(() => {
    if (follow.current) bottom.current?.scrollIntoView({ block: "end" });
  }, [messages]);

  return (
    <div className="page">
      <header>
        <h1>coder</h1>
        <span className={`status ${status}`} role="status" title={reason}>
          {status}
        </span>
        <span className="model" title={state?.workspace}>
          {state?.model ?? "…"}
        </span>
        <button className="quiet" onClick={clearHistory} disabled={messages.length === 0}>
          New chat
        </button>
      </header>
      {status === "reconnecting" && reason !== "" && <p className="notice">The connection ended: {reason}</p>}
      {state?.offline && (
        <p className="notice">
          No model key is set, so the <strong>offline script</strong> answers: it follows rules, but its tools are real.
          Put <code>OPENROUTER_API_KEY=…</code> into <code>examples/coder/.dev.vars</code> for a real model.
        </p>
      )}
      <main aria-live="polite">
        {messages.length === 0 && <Welcome workspace={state?.workspace} send={(text) => void sendMessage({ text })} />}
        {messages.map((message) => (
          <Message
            key={message.id}
            message={message}
            approvalSeconds={state?.approvalSeconds ?? 300}
            answer={(id, approved) => void addToolApprovalResponse({ id, approved })}
          />
        ))}
        {busy && <p className="thinking" aria-label="working" />}
        {error && <p className="fault">{error.message}</p>}
        <Reminders list={() => agent.stub.reminders()} version={messages.length + (busy ? 0 : 1)} />
        <div ref={bottom} />
      </main>
      <Composer busy={busy} send={(text) => void sendMessage({ text })} stop={() => void stop()} />
    </div>
  );
}

function Welcome(props: { workspace: string | undefined; send: (text: string) => void }) {
  const offers = ["Fix the failing test", "List the files", "Remind me in 10 seconds to take a break"];
  return (
    <section className="welcome">
      <h2>What shall we work on?</h2>
      <p>
        I read and change files in <code>{props.workspace ?? "…"}</code>. You see every diff, and approve every command.
      </p>
      <div className="offers">
        {offers.map((offer) => (
          <button key={offer} onClick={() => props.send(offer)}>
            {offer}
          </button>
        ))}
      </div>
    </section>
  );
}

function Reminders(props: { list: () => Promise<Reminder[]>; version: number }) {
  const [reminders, setReminders] = useState<Reminder[]>([]);
  const { list, version } = props;
  useEffect(() => {
    let current = true;
    list().then(
      (found) => current && setReminders(found),
      () => {},
    );
    return () => {
      current = false;
    };
    // The list changes only with the conversation.
  }, [version]);
  if (reminders.length === 0) return null;
  return (
    <ul className="reminders">
      {reminders.map((reminder) => (
        <li key={reminder.id}>
          ⏰ {new Date(reminder.at).toLocaleTimeString()} · {reminder.note}
        </li>
      ))}
    </ul>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <Suspense fallback={<p className="loading">Connecting to the agent…</p>}>
      <Chat />
    </Suspense>
  </StrictMode>,
);
