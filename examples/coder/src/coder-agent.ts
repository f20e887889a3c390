import { AIChatAgent, type ChatResponseResult, type OnChatMessageOptions } from "@cloudflare/ai-chat";
import { callable } from "agents";
import { convertToModelMessages, stepCountIs, streamText, type UIMessage } from "ai";
import { chooseModel } from "./model.ts";
import { makeTools } from "./tools.ts";
import { Workspace } from "./workspace.ts";

const kStepsMax = 24;

/** What every page that is open on this agent sees at once. */
export interface CoderState {
  model: string;
  offline: boolean;
  workspace: string;
  approvalSeconds: number;
}

export interface Reminder {
  id: string;
  note: string;
  /** Milliseconds since the epoch. */
  at: number;
}

const kInstructions = `You are a careful coding agent working in one folder of the user's machine.
Look before you change: list, search and read first. Make small patches with patch_file.
Run the tests with run_command before and after a change; the user approves each command.
When a command is declined, respect that and say what you would have done. Be brief.`;

export class CoderAgent extends AIChatAgent<Env, CoderState> {
  override initialState: CoderState = { model: "", offline: true, workspace: "", approvalSeconds: 0 };
  override maxPersistedMessages = 400;

  #workspace: Promise<Workspace> | undefined;

  override async onStart(): Promise<void> {
    const workspace = await this.workspace();
    const { label, offline } = chooseModel(this.env);
    const state = { model: label, offline, workspace: workspace.root, approvalSeconds: this.approvalSeconds };
    if (JSON.stringify(state) !== JSON.stringify(this.state)) this.setState(state);
  }

  override async onChatMessage(_onFinish: unknown, options?: OnChatMessageOptions): Promise<Response> {
    await this.declinePassedOver();
    const workspace = await this.workspace();
    const { model } = chooseModel(this.env);
    const tools = makeTools(workspace, (seconds, note) => this.remind(seconds, note));
    const result = streamText({
      model,
      system: kInstructions,
      messages: await convertToModelMessages(this.messages, { tools }),
      tools,
      stopWhen: stepCountIs(kStepsMax),
      abortSignal: options?.abortSignal,
    });
    return result.toUIMessageStreamResponse({
      onError: (error) => (error instanceof Error ? error.message : String(error)),
    });
  }

  /** A command that nobody approves is declined after a while, so that no turn waits for ever. */
  protected override async onChatResponse(result: ChatResponseResult): Promise<void> {
    for (const call of waitingCalls(result.message)) {
      await this.schedule(this.approvalSeconds, "declineUnanswered", { toolCallId: call });
    }
  }

  async declineUnanswered({ toolCallId }: { toolCallId: string }): Promise<void> {
    await this.declineCalls([toolCallId], "no answer in time");
  }

  /** Whoever writes something else has answered: a call without a result is nothing that models take. */
  private async declinePassedOver(): Promise<void> {
    if (this.messages.at(-1)?.role !== "user") return;
    await this.declineCalls(this.messages.flatMap(waitingCalls), "you wrote something else");
  }

  /** Those of the calls that still wait. */
  private async declineCalls(calls: readonly string[], reason: string): Promise<void> {
    if (!this.messages.some((message) => waitingCalls(message).some((call) => calls.includes(call)))) return;
    await this.persistMessages(
      this.messages.map((message) => ({ ...message, parts: message.parts.map((part) => decline(part, calls, reason)) })),
    );
  }

  /** The scheduled task: the agent speaks up on its own, whether or not a page is open. */
  async remind(seconds: number, note: string): Promise<string> {
    const task = await this.schedule(seconds, "sayReminder", { note });
    return new Date(task.time * 1000).toISOString();
  }

  async sayReminder({ note }: { note: string }): Promise<void> {
    await this.persistMessages([
      ...this.messages,
      { id: crypto.randomUUID(), role: "assistant", parts: [{ type: "text", text: `⏰ **Reminder:** ${note}` }] },
    ]);
  }

  @callable()
  async reminders(): Promise<Reminder[]> {
    const tasks = await this.listSchedules();
    return tasks
      .filter((task) => task.callback === "sayReminder")
      .map((task) => ({ id: task.id, note: (task.payload as unknown as { note: string }).note, at: task.time * 1000 }));
  }

  @callable()
  async files(): Promise<string[]> {
    return (await this.workspace()).list();
  }

  private get approvalSeconds(): number {
    return Number(this.env.APPROVAL_SECONDS);
  }

  /** Opened once per life of the object; a failure is not remembered. */
  private workspace(): Promise<Workspace> {
    this.#workspace ??= Workspace.open(this.env.WORKSPACE, "sample").catch((error: unknown) => {
      this.#workspace = undefined;
      throw error;
    });
    return this.#workspace;
  }
}

type Part = UIMessage["parts"][number];

function waitingCalls(message: UIMessage): string[] {
  return message.parts.flatMap((part) =>
    "state" in part && part.state === "approval-requested" && "toolCallId" in part ? [part.toolCallId] : [],
  );
}

function decline(part: Part, calls: readonly string[], reason: string): Part {
  if (!("toolCallId" in part) || !calls.includes(part.toolCallId)) return part;
  if (!("state" in part) || part.state !== "approval-requested") return part;
  const approval = { ...("approval" in part ? part.approval : {}), approved: false, reason };
  return { ...part, state: "output-denied", approval } as Part;
}
