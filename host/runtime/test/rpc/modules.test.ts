// The modules under `cloudflare:`, as code imports them.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { makeWorld } from "./harness.ts";
import { NAMES } from "../../src/modules/names.ts";
import { configureWorkers } from "../../src/modules/register.ts";

const workers = await import("cloudflare:workers" as string);
const sockets = await import("cloudflare:sockets" as string);
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

async function server(serve: (socket: net.Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const listening = net.createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const open = new Set<net.Socket>();
  listening.on("connection", (socket) => void open.add(socket));
  return {
    port: (listening.address() as net.AddressInfo).port,
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => listening.close(() => resolve()));
    },
  };
}

describe("the platform's modules", () => {
  it("export every name that is listed for the bundler", async () => {
    for (const [specifier, names] of Object.entries(NAMES)) {
      const module = await import(specifier);
      assert.deepEqual(Object.keys(module).sort(), [...names].sort(), specifier);
      for (const name of names) assert.notEqual(module[name], undefined, `${specifier} ${name}`);
    }
  });

  it("show env and exports as they are configured, and as withEnv changes them", async () => {
    configureWorkers({ env: { A: 1, S: "s" }, exports: { X: 2 } });
    assert.equal(workers.env.A, 1);
    assert.deepEqual({ ...workers.env }, { A: 1, S: "s" });
    assert.deepEqual(Object.keys(workers.exports), ["X"]);
    assert.equal("B" in workers.env, false);
    const inside = await workers.withEnv({ B: 3 }, async () => {
      await null;
      return [workers.env.A, workers.env.B, workers.exports.X];
    });
    assert.deepEqual(inside, [undefined, 3, 2]);
    assert.deepEqual(workers.withEnvAndExports({}, { Y: 1 }, () => Object.keys(workers.exports)), ["Y"]);
    assert.equal(workers.env.A, 1);
  });

  it("run code in spans, which nobody collects", () => {
    const { tracing } = workers;
    const result = tracing.enterSpan("name", (span: { setAttribute(k: string, v: number): object }, x: number) => {
      assert.equal(tracing.getActiveSpan(), span);
      assert.equal(span.setAttribute("a", 1), span);
      return x + 1;
    }, 41);
    assert.equal(result, 42);
    assert.equal(tracing.getActiveSpan(), undefined);
  });

  it("have the errors and messages that code makes", async () => {
    const { NonRetryableError } = await import("cloudflare:workflows" as string);
    const error = new NonRetryableError("no");
    assert.ok(error instanceof Error);
    assert.deepEqual([error.name, error.message], ["NonRetryableError", "no"]);
    const { EmailMessage } = await import("cloudflare:email" as string);
    const message = new EmailMessage("a@x", "b@y", "raw");
    assert.deepEqual([message.from, message.to], ["a@x", "b@y"]);
    const { httpServerHandler } = await import("cloudflare:node" as string);
    assert.throws(() => httpServerHandler(8080), /httpServerHandler\(\).*is not supported here/);
    const { retryable } = await import("cloudflare:durable-objects" as string);
    assert.throws(() => retryable(5), TypeError);
  });

  it("bind an entrypoint to props, with its own instance for each call", async () => {
    let made = 0;
    class Greeter extends workers.WorkerEntrypoint {
      constructor(ctx: object, env: object) {
        super(ctx, env);
        made++;
      }
      hi(name: string): string {
        return `hi ${name} ${JSON.stringify((this as unknown as { ctx: { props: unknown } }).ctx.props)}`;
      }
    }
    const world = makeWorld({ classes: {}, entrypoints: { Greeter } });
    const greeter = world.hosts[0]!.exports["Greeter"] as any;
    assert.equal(await greeter.hi("a"), "hi a {}");
    const bound = greeter({ props: { q: 1 } });
    assert.equal(await bound.hi("b"), 'hi b {"q":1}');
    assert.equal(made, 2);
    const missing = world.hosts[0]!.rpc.entrypoint("Nobody") as any;
    await assert.rejects(async () => missing.hi(), /no entrypoint named "Nobody"/);
    await assert.rejects(greeter.fetch("http://x/"), { message: "Handler does not export a fetch() function." });
  });
});

describe("sockets", () => {
  it("carry bytes both ways, and say where they are connected", async () => {
    const echo = await server((socket) => socket.pipe(socket));
    const socket = sockets.connect(`127.0.0.1:${echo.port}`);
    const info = await socket.opened;
    assert.equal(info.remoteAddress, `127.0.0.1:${echo.port}`);
    const writer = socket.writable.getWriter();
    const reader = socket.readable.getReader();
    await writer.write(bytes("ping"));
    assert.equal(text((await reader.read()).value), "ping");
    await writer.close();
    assert.equal((await reader.read()).done, true);
    await socket.closed;
    await echo.close();
  });

  it("do not read ahead of their reader", async () => {
    let sent = 0;
    const source = await server((socket) => {
      const more = (): void => {
        while (sent < 64 * 1024 * 1024) {
          sent += 65536;
          if (!socket.write(Buffer.alloc(65536))) return void socket.once("drain", more);
        }
      };
      socket.on("error", () => {});
      more();
    });
    const socket = sockets.connect({ hostname: "127.0.0.1", port: source.port });
    await socket.opened;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken`);
    await socket.close();
    await source.close();
  });

  it("fail with the reason when nobody listens", async () => {
    const gone = await server(() => {});
    await gone.close();
    const socket = sockets.connect({ hostname: "127.0.0.1", port: gone.port });
    await assert.rejects(socket.opened, /ECONNREFUSED/);
    await assert.rejects(socket.closed, /ECONNREFUSED/);
    await assert.rejects(socket.readable.getReader().read(), /ECONNREFUSED/);
  });

  it("refuse what cannot be an address, and TLS where it was not asked for", async () => {
    assert.throws(() => sockets.connect("localhost"), /missing port/);
    assert.throws(() => sockets.connect({ hostname: "x", port: 0 }), /port is not valid/);
    assert.throws(() => sockets.connect("x:1", { secureTransport: "maybe" }), /secureTransport/);
    const quiet = await server(() => {});
    const socket = sockets.connect({ hostname: "127.0.0.1", port: quiet.port });
    await socket.opened;
    assert.throws(() => socket.startTls(), /starttls/);
    await socket.close();
    await quiet.close();
  });
});
