import { useState, type KeyboardEvent } from "react";

/** The line to write on: Enter sends, Shift+Enter makes a new line. */
export function Composer(props: { busy: boolean; send: (text: string) => void; stop: () => void }) {
  const [text, setText] = useState("");
  const submit = () => {
    if (props.busy || text.trim() === "") return;
    props.send(text.trim());
    setText("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        aria-label="Message"
        placeholder="Ask for a change…"
        rows={Math.min(8, text.split("\n").length)}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {props.busy ? (
        <button type="button" onClick={props.stop}>
          Stop
        </button>
      ) : (
        <button type="submit" disabled={text.trim() === ""}>
          Send
        </button>
      )}
    </form>
  );
}
