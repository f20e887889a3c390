// Calls from and to agents: the caller's output gate, order, contexts, and what keeps an agent alive.
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import net from "node:net";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { makeWorld, type FakeAgent } from "./harness.ts";

const { DurableObject, RpcTarget } = await import("cloudflare:workers" as string) as {
  DurableObject: new (ctx: object, env: object) => object; RpcTarget: new () => object;
};
const { connect } = await import("cloudflare:sockets" as string);
type Stub = Record<string, (...args: unknown[]) => any>;

const userContext = new AsyncLocalStorage<string>();
const log: string[] = [];
let writing: (() => () => void) | null = null;

class Agent extends DurableObject {
  note(what: string): string {
    log.push(what);
    return what;
  }
  async writeThenCall(other: Stub): Promise<void> {
    const first = (async () => other.note!("before the write"))();
    const durable = writing!();
    const calls = [other.note!("after the write"), other.note!("and again")];
    await first;
    setTimeout(() => {
      log.push("durable");
      durable();
    }, 20);
    await Promise.all(calls);
  }
  context(): string | null {
    return userContext.getStore() ?? null;
  }
  async callback(call: (value: unknown) => Promise<unknown>): Promise<unknown> {
    return userContext.run("callee", () => call(1));
  }
  callWithOwn(other: Stub): Promise<unknown> {
    return other.callback!(() => this.context());
  }
  streamOf(): ReadableStream {
    return new ReadableStream({ pull: (controller) => {
      controller.enqueue(new TextEncoder().encode(String(this.context())));
      controller.close();
    } });
  }
  target(): object {
    const agent = this;
    return new (class extends RpcTarget {
      context(): string | null {
        return agent.context();
      }
    })();
  }
}

function two(): { one: Stub; other: Stub; agents: Map<string, FakeAgent> } {
  const world = makeWorld({ classes: { Agent: Agent as never } });
  const namespace = world.hosts[0]!.namespace("Agent") as { getByName(name: string): Stub };
  return { one: namespace.getByName("one"), other: namespace.getByName("other"), agents: world.hosts[0]!.agents };
}

describe("an agent's socket", () => {
  it("sends nothing before what was written earlier is durable", async () => {
    let received = "";
    const listening = net.createServer((socket) => socket.on("data", (data) => (received += data.toString())));
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const { one, agents } = two();
    await one.note!("start");
    const agent = [...agents.values()][0]!;
    let durable!: () => void;
    const sent = agent.enter(async () => {
      const socket = connect({ hostname: "127.0.0.1", port: (listening.address() as net.AddressInfo).port });
      await socket.opened;
      durable = agent.write();
      await socket.writable.getWriter().write(new TextEncoder().encode("late"));
      return socket;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(received, "");
    durable();
    const socket = await sent;
    for (let i = 0; i < 100 && received === ""; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(received, "late");
    await socket.close();
    await new Promise((resolve) => listening.close(resolve));
  });
});

describe("an agent's calls", () => {
  it("wait until what it wrote before is durable, in order", async () => {
    const { one, other, agents } = two();
    await one.note!("start");
    log.length = 0;
    writing = () => [...agents.values()].find((agent) => agent.address.name === "one")!.write();
    await one.writeThenCall!(other);
    assert.deepEqual(log, ["before the write", "durable", "after the write", "and again"]);
  });

  it("begin in the order in which they were made", async () => {
    const { one } = two();
    log.length = 0;
    await Promise.all(["a", "b", "c", "d"].map((what) => one.note!(what)));
    assert.deepEqual(log, ["a", "b", "c", "d"]);
  });

  it("do not see the caller's async context, nor callbacks the callee's", async () => {
    const { one, other } = two();
    await userContext.run("caller", async () => {
      assert.equal(await one.context!(), null);
      assert.equal(await (await one.target!()).context(), null);
      assert.equal(await new Response(await one.streamOf!()).text(), "null");
    });
    assert.equal(await one.callWithOwn!(other), null);
    const seen = await userContext.run("mine", () => one.callback!(() => userContext.getStore()));
    assert.equal(seen, "mine");
  });

  it("keep an agent in memory while somebody holds what it gave", async () => {
    const { one, agents } = two();
    const target = await one.target!();
    const agent = [...agents.values()][0]!;
    assert.equal(agent.holds, 1);
    const second = target.dup();
    target[Symbol.dispose]();
    assert.equal(agent.holds, 1);
    second[Symbol.dispose]();
    assert.equal(agent.holds, 0);
    const stream = (await one.streamOf!()) as ReadableStream;
    assert.equal(agent.holds, 1);
    await stream.cancel();
    assert.equal(agent.holds, 0);
  });

  it("tell those who asked when the agent was reset", async () => {
    const { one, agents } = two();
    const target = await one.target!();
    let told: unknown = null;
    target.onRpcBroken((error: unknown) => (told = error));
    [...agents.values()][0]!.abort("gone");
    await assert.rejects(async () => target.context(), { message: "gone", durableObjectReset: true });
    assert.equal((told as Error).message, "gone");
  });

  it("let go of an agent when a stub is forgotten without being disposed of", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const { one, agents } = two();
    await (async () => assert.equal(await (await one.target!()).context(), null))();
    const agent = [...agents.values()][0]!;
    assert.equal(agent.holds, 1);
    for (let i = 0; i < 100 && agent.holds > 0; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    assert.equal(agent.holds, 0);
  });

  it("do not leave a rejection behind that nobody awaited", async () => {
    const { one } = two();
    const rejections: unknown[] = [];
    const listener = (reason: unknown): void => void rejections.push(reason);
    process.on("unhandledRejection", listener);
    void one.missing!();
    void one.missing!().further.still();
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off("unhandledRejection", listener);
    assert.deepEqual(rejections, []);
  });
});
