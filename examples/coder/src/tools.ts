// What the model can do in the workspace. Reading and changing files needs nobody's leave, as the
// page shows each diff; a command waits for the user's approval.
import { tool, type ToolSet } from "ai";
import { z } from "zod";
import { kCommandSecondsMax, runCommand } from "./commands.ts";
import type { Workspace } from "./workspace.ts";

export function makeTools(
  workspace: Workspace,
  schedule: (seconds: number, note: string) => Promise<string>,
): ToolSet {
  return {
    list_files: tool({
      description: "List the files of the workspace, or of one of its folders.",
      inputSchema: z.object({ folder: z.string().default(".") }),
      execute: ({ folder }) => workspace.list(folder),
    }),
    search: tool({
      description: "Find lines that contain a text, in all files or below a folder.",
      inputSchema: z.object({ text: z.string().min(1), folder: z.string().default(".") }),
      execute: ({ text, folder }) => workspace.search(text, folder),
    }),
    read_file: tool({
      description: "Read a file of the workspace.",
      inputSchema: z.object({ path: z.string() }),
      execute: ({ path }) => workspace.read(path),
    }),
    write_file: tool({
      description: "Write a whole file, making it and its folders where they are missing.",
      inputSchema: z.object({ path: z.string(), content: z.string() }),
      execute: ({ path, content }) => workspace.write(path, content),
    }),
    patch_file: tool({
      description: "Replace one passage of a file. `find` must occur in it exactly once.",
      inputSchema: z.object({ path: z.string(), find: z.string(), replace: z.string() }),
      execute: ({ path, find, replace }) => workspace.patch(path, find, replace),
    }),
    run_command: tool({
      description: `Run a shell command in the workspace (at most ${kCommandSecondsMax} s). The user approves it first.`,
      inputSchema: z.object({ command: z.string().min(1), seconds: z.number().int().positive().optional() }),
      needsApproval: true,
      execute: ({ command, seconds }, { abortSignal }) =>
        runCommand(command, workspace.root, { seconds, signal: abortSignal }),
    }),
    remind_me: tool({
      description: "Come back to the user after some seconds with a note, even if they are away until then.",
      inputSchema: z.object({ seconds: z.number().int().min(1).max(30 * 86_400), note: z.string().min(1) }),
      execute: async ({ seconds, note }) => ({ scheduled: await schedule(seconds, note) }),
    }),
  };
}
