import { Agent } from "agents";

/** Reached only through its parent. */
export class ChildAgent extends Agent<Cloudflare.Env, { count: number }> {
  initialState = { count: 0 };

  increment(by: number) {
    this.setState({ count: this.state.count + by });
    return { name: this.name, count: this.state.count, parent: this.parentPath.at(-1)?.name };
  }
}
