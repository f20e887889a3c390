import { Agent, callable } from "agents";

interface Bindings { AGENT_TOKEN: string; SESSION_KEY: string; PAGE_ORIGIN: string; Notes: DurableObjectNamespace<Notes> }
declare global { interface Env extends Bindings {} }

export class Notes extends Agent<Env, { notes: string[] }> {
  initialState = { notes: [] as string[] };

  override async onRequest(request: Request): Promise<Response> {
    if (request.method === "POST") this.note(await request.text());
    return Response.json({ name: this.name, notes: this.state.notes });
  }

  @callable()
  note(text: string): number {
    this.setState({ notes: [...this.state.notes, text] });
    return this.state.notes.length;
  }
}
