// The offline model: a small OpenAI-compatible server (POST …/chat/completions, GET …/models) that
// follows a script instead of thinking. It reads the conversation, as a model would, and decides by
// rules which tool to call next: run the tests, find the file that fails, read it, mend the one bug
// that the sample workspace has, run the tests again. Every tool call is real.

interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content?: string | { type: string; text?: string }[] | null;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

interface Step {
  text?: string;
  tool?: { name: string; input: Record<string, unknown> };
}

/** A tool call of this turn with what came back for it. */
interface Done {
  name: string;
  input: Record<string, unknown>;
  result: string;
}

const kPause = 12; // ms between two pieces of streamed text: slow enough to be seen, fast to test

export async function answerOffline(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  if (request.method === "GET" && path.endsWith("/models")) {
    return Response.json({ object: "list", data: [{ id: "offline-script", object: "model", owned_by: "coder" }] });
  }
  if (request.method !== "POST" || !path.endsWith("/chat/completions")) {
    return Response.json({ error: { message: `no ${request.method} ${path} here` } }, { status: 404 });
  }
  let body: { messages?: ChatMessage[]; stream?: boolean };
  try {
    body = await request.json();
  } catch {
    return Response.json({ error: { message: "the body is not JSON" } }, { status: 400 });
  }
  if (!Array.isArray(body.messages)) {
    return Response.json({ error: { message: "messages is missing" } }, { status: 400 });
  }
  const step = nextStep(body.messages);
  return body.stream ? streamed(step) : whole(step);
}

function nextStep(messages: ChatMessage[]): Step {
  const lastUser = messages.findLastIndex((message) => message.role === "user");
  const wish = textOf(messages[lastUser]).toLowerCase();
  const done = finishedCalls(messages.slice(lastUser + 1));
  const last = done.at(-1);
  if (/remind me/.test(wish)) return remind(wish, last);
  if (/\b(list|show)\b.*\bfiles?\b/.test(wish)) {
    return last
      ? { text: `The workspace holds:\n\n${asList(last.result)}` }
      : { text: "Let me look.", tool: { name: "list_files", input: { folder: "." } } };
  }
  const run = /^run:?\s+(?!the tests)(.+)/is.exec(textOf(messages[lastUser]).trim());
  if (run) {
    return last
      ? { text: denied(last) ? "All right, I did not run it." : "That is what it printed." }
      : { tool: { name: "run_command", input: { command: run[1]!.trim() } } };
  }
  if (/\b(fix|test|tests|failing|bug|mend|repair)\b/.test(wish)) return mend(done);
  return {
    text:
      "I am the **offline script** of this example, not a model: no key is set, so I follow a few rules. " +
      "Try one of these:\n\n- *Fix the failing test*\n- *List the files*\n- *Run: node --version*\n" +
      "- *Remind me in 10 seconds to take a break*\n\n" +
      "With `OPENROUTER_API_KEY` in `.dev.vars` a real model answers here.",
  };
}

/** The demonstration: tests, stack trace, source, patch, tests. */
function mend(done: Done[]): Step {
  const last = done.at(-1);
  if (!last) {
    return {
      text: "I will run the tests first, to see what fails.",
      tool: { name: "run_command", input: { command: "node --test" } },
    };
  }
  if (denied(last)) return { text: "You declined the command, so I stop here. Nothing else was changed." };
  const patched = done.some((call) => call.name === "patch_file");
  if (last.name === "run_command" && /"exitCode":\s*0\b/.test(last.result)) {
    return {
      text: patched
        ? "All tests pass now. The slug kept every run of separators as it was; it now makes one hyphen of each and trims both ends."
        : "All tests pass already; there is nothing to mend.",
    };
  }
  if (last.name === "run_command" && patched) {
    return { text: "The tests still fail after my patch, and my script ends here. The output above says where." };
  }
  if (last.name === "run_command") {
    const test = /((?:test|tests)\/[\w./-]+\.test\.m?js)/.exec(last.result)?.[1];
    if (!test) return { text: "The tests fail, but I cannot tell from the output which file is at fault." };
    return { text: `\`${test}\` fails. Let me read it.`, tool: { name: "read_file", input: { path: test } } };
  }
  if (last.name === "read_file" && String(last.input.path).includes("test")) {
    const source = /from\s+\\?["']\.\.\/(src\/[\w./-]+)\\?["']/.exec(last.result)?.[1];
    if (!source) return { text: "The test imports nothing from `src/`, so I do not know what to mend." };
    return { text: `It tests \`${source}\`.`, tool: { name: "read_file", input: { path: source } } };
  }
  if (last.name === "read_file") {
    const source = String(last.input.path);
    const fault = '.replace(/[^a-z0-9]/g, "-")';
    if (!last.result.replaceAll('\\"', '"').includes(fault)) {
      return { text: `\`${source}\` does not hold the fault that my script knows. A real model would go on from here.` };
    }
    return {
      text: "Found it: each separator becomes a hyphen of its own, and those at the ends stay.",
      tool: {
        name: "patch_file",
        input: { path: source, find: fault, replace: '.replace(/[^a-z0-9]+/g, "-")\n    .replace(/^-|-$/g, "")' },
      },
    };
  }
  if (last.name === "patch_file") {
    if (!/"diff"/.test(last.result)) return { text: `The patch did not apply: ${last.result}` };
    return { text: "Patched. Now the tests again.", tool: { name: "run_command", input: { command: "node --test" } } };
  }
  return { text: "My script does not know how to go on from here." };
}

function remind(wish: string, last: Done | undefined): Step {
  if (last) return { text: "I will come back to you." };
  const amount = /(\d+)\s*(second|minute|hour|day)/.exec(wish);
  const unit: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86_400 };
  const seconds = amount ? Number(amount[1]) * unit[amount[2]!]! : 60;
  const note = /(?:to|that)\s+(.+)$/.exec(wish)?.[1] ?? "You asked me to come back.";
  return { tool: { name: "remind_me", input: { seconds, note } } };
}

function finishedCalls(messages: ChatMessage[]): Done[] {
  const done: Done[] = [];
  for (const message of messages) {
    for (const call of message.tool_calls ?? []) {
      const answer = messages.find((other) => other.role === "tool" && other.tool_call_id === call.id);
      if (answer) {
        done.push({ name: call.function.name, input: JSON.parse(call.function.arguments), result: textOf(answer) });
      }
    }
  }
  return done;
}

function denied(call: Done): boolean {
  return call.name === "run_command" && !/"exitCode"/.test(call.result);
}

function textOf(message: ChatMessage | undefined): string {
  const content = message?.content;
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => part.text ?? "").join("");
}

function asList(json: string): string {
  try {
    return (JSON.parse(json) as string[]).map((path) => `- \`${path}\``).join("\n");
  } catch {
    return json;
  }
}

const head = () => ({
  id: `chatcmpl-${crypto.randomUUID()}`,
  created: Math.floor(Date.now() / 1000),
  model: "offline-script",
});

function toolCall(step: Step): object[] | undefined {
  if (!step.tool) return undefined;
  return [
    {
      index: 0,
      id: `call_${crypto.randomUUID().slice(0, 8)}`,
      type: "function",
      function: { name: step.tool.name, arguments: JSON.stringify(step.tool.input) },
    },
  ];
}

function whole(step: Step): Response {
  const calls = toolCall(step);
  return Response.json({
    ...head(),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        finish_reason: calls ? "tool_calls" : "stop",
        message: { role: "assistant", content: step.text ?? null, ...(calls ? { tool_calls: calls } : {}) },
      },
    ],
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  });
}

function streamed(step: Step): Response {
  const base = { ...head(), object: "chat.completion.chunk" };
  const encoder = new TextEncoder();
  const event = (data: unknown) => encoder.encode(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
  const chunk = (delta: object, reason: string | null = null) =>
    event({ ...base, choices: [{ index: 0, delta, finish_reason: reason }] });
  const calls = toolCall(step);
  async function* pieces() {
    yield chunk({ role: "assistant" });
    for (const word of (step.text ?? "").match(/\S+\s*/g) ?? []) {
      yield chunk({ content: word });
      await new Promise((resolve) => setTimeout(resolve, kPause));
    }
    if (calls) yield chunk({ tool_calls: calls });
    yield chunk({}, calls ? "tool_calls" : "stop");
    yield event("[DONE]");
  }
  const source = pieces();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await source.return(undefined);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-cache" } });
}
