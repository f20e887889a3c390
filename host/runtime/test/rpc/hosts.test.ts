// RPC and fetch between hosts: streams under credit, upgrades, the end of a host, what is released.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeWorld, type FakeAgent, type World } from "./harness.ts";

const { DurableObject, RpcTarget } = await import("cloudflare:workers" as string) as {
  DurableObject: new (ctx: object, env: object) => object; RpcTarget: new () => object;
};

type Stub = Record<string, (...args: unknown[]) => any> & { fetch(input: unknown, init?: object): Promise<Response> };

class Counter extends RpcTarget {
  count = 0;
  static disposed = 0;
  increment(): number {
    return ++this.count;
  }
  [Symbol.dispose](): void {
    Counter.disposed++;
  }
}

let produced = 0;
let cancelled: unknown = null;
let aborted: unknown = null;

class Far extends DurableObject {
  kept: Stub | null = null;
  counter(): Counter {
    return new Counter();
  }
  counters(): unknown {
    return { list: [new Counter(), new Counter()], name: "two" };
  }
  hang(): Promise<never> {
    return new Promise(() => {});
  }
  keep(callback: { dup(): Stub }): void {
    this.kept = callback.dup();
  }
  size(bytes: Uint8Array): number {
    return bytes.byteLength;
  }
  endless(): ReadableStream {
    return new ReadableStream({
      pull(controller) {
        produced += 64 * 1024;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
      cancel(reason) {
        cancelled = reason;
      },
    }, { highWaterMark: 0 });
  }
  broken(): ReadableStream {
    let sent = false;
    return new ReadableStream({
      pull(controller) {
        if (sent) throw new RangeError("the source broke");
        sent = true;
        controller.enqueue(new TextEncoder().encode("first"));
      },
    });
  }
  async sink(stream: WritableStream): Promise<void> {
    const writer = stream.getWriter();
    for (let i = 0; i < 20; i++) await writer.write(new Uint8Array(100_000).fill(i));
    await writer.close();
  }
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/upgrade") {
      const pair = new (globalThis as unknown as { WebSocketPair: new () => [WebSocket, WebSocket] }).WebSocketPair();
      return new Response(null, { status: 101, webSocket: pair[0] } as ResponseInit);
    }
    if (pathname === "/echo") return new Response(request.body, { status: 201, headers: { "x-method": request.method } });
    if (pathname === "/hang") {
      return new Promise((_resolve, reject) => {
        request.signal.addEventListener("abort", () => {
          aborted = request.signal.reason;
          reject(new Error("aborted"));
        });
      });
    }
    if (pathname === "/throw") throw new TypeError("fetch failed here");
    return new Response("plain");
  }
}

function world(): { world: World; far: Stub; agent: () => FakeAgent } {
  const made = makeWorld({ classes: { Far: Far as never }, hosts: 2, place: () => 1 });
  const far = (made.hosts[0]!.namespace("Far") as { getByName(name: string): Stub }).getByName("far");
  return { world: made, far, agent: () => [...made.hosts[1]!.agents.values()][0]! };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const lost = { message: "Network connection lost.", retryable: true };

describe("calls between hosts", () => {
  it("pipeline without waiting for the result", async () => {
    const { far, world: made } = world();
    const before = made.frames();
    const counter = far.counter!();
    const first = counter.increment();
    const second = counter.increment();
    assert.deepEqual(await Promise.all([first, second]), [1, 2]);
    // Three calls, three answers, three finishes: no round trip in between.
    assert.ok(made.frames() - before <= 9, `${made.frames() - before} frames`);
  });

  it("release what was disposed of, and keep the agent only as long as it is referred to", async () => {
    const { far, agent } = world();
    Counter.disposed = 0;
    const result = await far.counters!();
    assert.equal(agent().holds, 2);
    assert.equal(await result.list[1].increment(), 1);
    result[Symbol.dispose]();
    await settle();
    assert.equal(Counter.disposed, 2);
    assert.equal(agent().holds, 0);
    await assert.rejects(async () => result.list[0].increment(), { message: "RPC stub used after being disposed." });
  });

  it("fail, all that wait, when the host is gone, and go on with its successor", async () => {
    const { far, world: made } = world();
    const counter = await far.counter!();
    let told: unknown = null;
    counter.onRpcBroken((error: unknown) => (told = error));
    const hanging = [far.hang!(), far.hang!().more.and.more(), counter.increment()];
    made.kill(1);
    for (const call of hanging) await assert.rejects(async () => call, lost);
    assert.deepEqual({ ...(told as Error) }, { retryable: true });
    await assert.rejects(async () => counter.increment(), lost);
  });

  it("refuse a value over 32 MiB, and go on", async () => {
    const { far } = world();
    await assert.rejects(async () => far.size!(new Uint8Array(33 * 1024 * 1024)), /limited to 32MiB, but the size/);
    assert.equal(await far.size!(new Uint8Array(1024 * 1024)), 1024 * 1024);
  });

  it("break the callbacks that a dead host held", async () => {
    const { far, world: made } = world();
    const before = Counter.disposed;
    await far.keep!(new Counter());
    assert.equal(Counter.disposed, before);
    made.kill(1);
    await settle();
    assert.equal(Counter.disposed, before + 1);
  });
});

describe("streams between hosts", () => {
  it("are not produced faster than they are read", async () => {
    const { far } = world();
    produced = 0;
    const reader = ((await far.endless!()) as ReadableStream<Uint8Array>).getReader();
    await settle();
    assert.ok(produced > 0 && produced <= 640 * 1024, `${produced} bytes ahead of the reader`);
    let read = 0;
    while (read < 4 * 1024 * 1024) read += (await reader.read()).value!.byteLength;
    assert.ok(produced - read <= 640 * 1024, `${produced - read} bytes ahead of the reader`);
    await reader.cancel("enough");
    await settle();
    assert.equal(cancelled, "enough");
  });

  it("carry an error of their source", async () => {
    const { far } = world();
    const reader = ((await far.broken!()) as ReadableStream<Uint8Array>).getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "first");
    await assert.rejects(reader.read(), { name: "RangeError", message: "the source broke" });
  });

  it("carry writes, in order, to the end", async () => {
    const { far } = world();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const received = new Response(readable).arrayBuffer();
    await far.sink!(writable);
    const bytes = new Uint8Array(await received);
    assert.equal(bytes.byteLength, 2_000_000);
    for (let i = 0; i < 20; i++) assert.equal(bytes[i * 100_000], i);
  });

  it("break when the host is gone", async () => {
    const { far, world: made } = world();
    const reader = ((await far.endless!()) as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    made.kill(1);
    await assert.rejects(async () => { for (;;) await reader.read(); }, lost);
  });
});

describe("fetch between hosts", () => {
  it("carries small and large bodies both ways", async () => {
    const { far } = world();
    for (const length of [0, 5, 3 * 1024 * 1024]) {
      const body = new Uint8Array(length).map((_, i) => i % 251);
      const response = await far.fetch("http://far/echo", { method: "POST", body });
      assert.equal(response.status, 201);
      assert.equal(response.headers.get("x-method"), "POST");
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.from(body)), `${length} bytes`);
    }
  });

  it("carries a streamed body", async () => {
    const { far } = world();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const answer = far.fetch("http://far/echo", { method: "POST", body: readable });
    void writer.write(new TextEncoder().encode("one "));
    const reader = (await answer).body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "one ");
    void writer.write(new TextEncoder().encode("two"));
    assert.equal(new TextDecoder().decode((await reader.read()).value), "two");
    void writer.close();
    assert.equal((await reader.read()).done, true);
  });

  it("hands an upgrade on by its connection", async () => {
    const { far } = world();
    const response = (await far.fetch("http://far/upgrade", { headers: { upgrade: "websocket" } })) as Response & { webSocket: object };
    assert.equal(response.status, 101);
    assert.ok(response.webSocket);
  });

  it("passes on an error, an abort, and the end of the host", async () => {
    const { far, world: made } = world();
    await assert.rejects(far.fetch("http://far/throw"), { name: "TypeError", message: "fetch failed here" });
    const controller = new AbortController();
    const stopped = far.fetch("http://far/hang", { signal: controller.signal });
    await settle();
    controller.abort(new Error("the caller left"));
    await assert.rejects(stopped, /the caller left/);
    await settle();
    assert.equal((aborted as Error).name, "AbortError");
    const hanging = far.fetch("http://far/hang");
    await settle();
    made.kill(1);
    await assert.rejects(hanging, lost);
  });
});
