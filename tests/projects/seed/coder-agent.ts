import { Agent, callable, type Connection } from "agents";

export interface Env {
  [name: string]: unknown;
}

export class CoderAgent extends Agent<Env, { notes: string[] }> {
  initialState = { notes: [] as string[] };

  override async onRequest(request: Request): Promise<Response> {
    if (new URL(request.url).pathname.endsWith("/throw")) throw new Error("thrown in onRequest");
    return Response.json({ name: this.name, notes: this.state.notes });
  }

  override onMessage(connection: Connection, message: string | ArrayBuffer): void {
    connection.send(`echo: ${message}`);
  }

  @callable()
  note(text: string): number {
    this.setState({ notes: [...this.state.notes, text] });
    return this.state.notes.length;
  }
}
