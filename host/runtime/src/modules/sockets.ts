// The module `cloudflare:sockets`: outgoing TCP and TLS as web streams, over node:net and node:tls.
// Reading and writing are under backpressure; the socket closes when both directions have ended. What an
// agent writes waits at its output gate.
import net from "node:net";
import tls from "node:tls";
import { currentOwner } from "../rpc/owner.ts";

export interface SocketAddress { hostname: string; port: number }
export interface SocketOptions {
  secureTransport?: "off" | "on" | "starttls";
  allowHalfOpen?: boolean;
}
export interface SocketInfo { remoteAddress?: string; localAddress?: string }

const HIGH_WATER_BYTES = 64 * 1024;

function parseAddress(address: string | SocketAddress): SocketAddress {
  if (typeof address !== "string") return { hostname: address.hostname, port: Number(address.port) };
  let url: URL;
  try {
    url = new URL(`any://${address}`);
  } catch {
    throw new TypeError("Specified address could not be parsed.");
  }
  if (url.port === "") throw new TypeError("Specified address is missing port.");
  if ((url.pathname !== "" && url.pathname !== "/") || url.username !== "") {
    throw new TypeError("Specified address could not be parsed.");
  }
  return { hostname: url.hostname, port: Number(url.port) };
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  const made = Promise.withResolvers<T>();
  made.promise.catch(() => {});
  return made;
}

function formatAddress(host: string | undefined, port: number | undefined): string | undefined {
  if (host === undefined) return undefined;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export class Socket {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly opened: Promise<SocketInfo>;
  readonly closed: Promise<void>;
  readonly secureTransport: "off" | "on" | "starttls";
  #upgraded = false;
  readonly #opened = deferred<SocketInfo>();
  readonly #closed = deferred<void>();
  readonly #socket: net.Socket;
  readonly #hostname: string;
  readonly #options: SocketOptions;
  #detached = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  constructor(socket: net.Socket, hostname: string, options: SocketOptions, ready: "connect" | "secureConnect") {
    this.#socket = socket;
    this.#hostname = hostname;
    this.#options = options;
    this.secureTransport = options.secureTransport ?? "off";
    this.opened = this.#opened.promise;
    this.closed = this.#closed.promise;
    socket.pause();
    socket.once(ready, () =>
      this.#opened.resolve({
        remoteAddress: formatAddress(socket.remoteAddress, socket.remotePort),
        localAddress: formatAddress(socket.localAddress, socket.localPort),
      }));
    this.readable = this.#makeReadable(socket);
    this.writable = this.#makeWritable(socket);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  get upgraded(): boolean {
    return this.#upgraded;
  }

  readonly #onError = (error: Error): void => {
    const wrapped = new Error(`Network connection lost: ${error.message}`, { cause: error });
    Object.assign(wrapped, { retryable: true });
    this.#opened.reject(wrapped);
    this.#closed.reject(wrapped);
    this.#fail(wrapped);
  };
  readonly #onClose = (): void => {
    this.#opened.reject(new Error("The connection was closed before it was established."));
    this.#closed.resolve();
    try {
      this.#controller?.close();
    } catch {
      // It has ended already.
    }
    this.#controller = null;
  };
  #fail(error: unknown): void {
    this.#controller?.error(error);
    this.#controller = null;
  }

  #makeReadable(socket: net.Socket): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        socket.on("data", (data: Buffer) => {
          if (this.#detached || this.#controller === null) return;
          controller.enqueue(new Uint8Array(data));
          if ((controller.desiredSize ?? 0) <= 0) socket.pause();
        });
        socket.on("end", () => {
          if (this.#detached || this.#controller === null) return;
          this.#controller = null;
          controller.close();
          if (!this.#options.allowHalfOpen) socket.end();
        });
      },
      pull: () => {
        if (!this.#detached) socket.resume();
      },
      cancel: () => {
        this.#controller = null;
        if (!this.#detached) socket.destroy();
      },
    }, { highWaterMark: HIGH_WATER_BYTES, size: (chunk) => chunk?.byteLength ?? 0 });
  }

  #makeWritable(socket: net.Socket): WritableStream<Uint8Array> {
    const owner = currentOwner();
    return new WritableStream<Uint8Array>({
      write: async (chunk) => {
        const bytes = ArrayBuffer.isView(chunk)
          ? new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength)
          : (chunk as unknown) instanceof ArrayBuffer ? new Uint8Array(chunk as unknown as ArrayBuffer) : null;
        if (bytes === null) throw new TypeError("A socket takes bytes: write a Uint8Array or an ArrayBuffer.");
        const copy = new Uint8Array(bytes);
        const gate = owner.gate();
        if (gate) await gate;
        return new Promise<void>((resolve, reject) => {
          socket.write(copy, (error) => (error ? reject(error) : resolve()));
        });
      },
      close: () => new Promise<void>((resolve) => void socket.end(resolve)),
      abort: () => void socket.destroy(),
    });
  }

  async close(): Promise<void> {
    if (!this.#detached) this.#socket.destroy();
    return this.closed;
  }

  /** Goes on as TLS over the same connection; this socket's own streams can no longer be used. */
  startTls(options: { expectedServerHostname?: string } = {}): Socket {
    if (this.secureTransport !== "starttls") {
      throw new TypeError(
        'The `secureTransport` socket option must be set to "starttls" for startTls to be called.');
    }
    if (this.#upgraded) throw new TypeError("The socket has already been upgraded.");
    if (this.readable.locked || this.writable.locked) {
      throw new TypeError("startTls() needs the socket's streams: release their readers and writers first.");
    }
    this.#upgraded = true;
    this.#detached = true;
    const socket = this.#socket;
    socket.removeListener("error", this.#onError);
    socket.removeListener("close", this.#onClose);
    socket.removeAllListeners("data");
    socket.removeAllListeners("end");
    this.#fail(new TypeError("The socket has been upgraded to TLS."));
    this.#closed.resolve();
    const servername = options.expectedServerHostname ?? this.#hostname;
    const secure = tls.connect({ socket, ...(net.isIP(servername) === 0 ? { servername } : {}) });
    return new Socket(secure, this.#hostname, { ...this.#options, secureTransport: "on" }, "secureConnect");
  }
}

export function connect(address: string | SocketAddress, options: SocketOptions = {}): Socket {
  const { hostname, port } = parseAddress(address);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new TypeError("The specified port is not valid.");
  const mode = options.secureTransport ?? "off";
  if (!["off", "on", "starttls"].includes(mode)) {
    throw new TypeError(`Unsupported value in secureTransport socket option: ${String(mode)}`);
  }
  const host = hostname.replace(/^\[|\]$/g, "");
  const allowHalfOpen = true; // The stream's "end" decides: see `allowHalfOpen` above.
  if (mode === "on") {
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    const secure = tls.connect({ host, port, allowHalfOpen, ...name } as net.TcpNetConnectOpts & tls.ConnectionOptions);
    return new Socket(secure, host, options, "secureConnect");
  }
  return new Socket(net.connect({ host, port, allowHalfOpen }), host, options, "connect");
}

export function internalNewHttpClient(): never {
  throw new Error("internalNewHttpClient() is the platform's own: use fetch() or connect().");
}
