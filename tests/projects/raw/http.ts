// What the tests ask of a plain worker, by the first part of the path.
export async function http(request: Request, url: URL, ctx: ExecutionContext): Promise<Response> {
  switch (url.pathname) {
    case "/": return new Response("hello from the worker");
    case "/echo": return new Response(request.body, { headers: { "Content-Type": request.headers.get("Content-Type") ?? "text/plain" } });
    case "/whole": { const body = await request.arrayBuffer(); return Response.json({ bytes: body.byteLength, sum: sum(body) }); }
    case "/request": return Response.json({
      method: request.method, url: request.url, headers: [...request.headers], body: await request.text(),
    });
    case "/download": return new Response(pattern(Number(url.searchParams.get("bytes"))));
    case "/fixed": {
      const bytes = Number(url.searchParams.get("bytes"));
      const { readable, writable } = new FixedLengthStream(bytes);
      ctx.waitUntil(pattern(bytes).pipeTo(writable));
      return new Response(readable);
    }
    case "/status": return new Response(url.searchParams.get("empty") ? null : "body", { status: Number(url.searchParams.get("code")) });
    case "/cookies": {
      const response = new Response("cookies");
      response.headers.append("Set-Cookie", "a=1; Path=/");
      response.headers.append("Set-Cookie", "b=2; HttpOnly");
      return response;
    }
    case "/form": { const form = await request.formData(); return Response.json(await fields(form)); }
    case "/events": return new Response(events(), { headers: { "Content-Type": "text/event-stream" } });
    case "/drip": return new Response(drip(Number(url.searchParams.get("parts")), Number(url.searchParams.get("ms"))));
    case "/cut": return new Response(cut());
    case "/nothing": return undefined as unknown as Response;
    case "/socket": return socket(request);
    default: return new Response("Not found", { status: 404 });
  }
}

function sum(body: ArrayBuffer): number {
  let total = 0;
  for (const byte of new Uint8Array(body)) total = (total + byte) % 65521;
  return total;
}

function pattern(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, 64 * 1024);
      if (size === 0) return controller.close();
      const chunk = new Uint8Array(size);
      for (let i = 0; i < size; i++) chunk[i] = (at + i) % 251;
      at += size;
      left -= size;
      controller.enqueue(chunk);
    },
  });
}

async function fields(form: FormData) {
  const out: Record<string, unknown> = {};
  for (const [name, value] of form) {
    out[name] = typeof value === "string" ? value : { name: (value as File).name, type: (value as File).type, text: await (value as File).text() };
  }
  return out;
}

function events(): ReadableStream {
  let n = 0;
  return new ReadableStream({
    async pull(controller) {
      if (n === 3) return controller.close();
      await scheduler.wait(n === 0 ? 0 : 30);
      controller.enqueue(new TextEncoder().encode(`data: ${n++}\n\n`));
    },
  });
}

function cut(): ReadableStream {
  let n = 0;
  return new ReadableStream({
    async pull(controller) {
      if (n++ === 0) return controller.enqueue(new TextEncoder().encode("the beginning"));
      await scheduler.wait(20);
      controller.error(new Error("the stream failed on purpose"));
    },
  });
}

/** A socket that the worker itself accepts, no Durable Object behind it. */
function socket(request: Request): Response {
  if (request.headers.get("Upgrade") !== "websocket") return new Response("an upgrade is expected", { status: 426 });
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  server.addEventListener("message", (event) => server.send(`worker: ${event.data}`));
  server.addEventListener("close", (event) => server.close(event.code, "goodbye"));
  return new Response(null, { status: 101, webSocket: client });
}

/** So many parts, each so long after the one before. */
function drip(parts: number, everyMs: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      if (sent === parts) return controller.close();
      await scheduler.wait(everyMs);
      controller.enqueue(new TextEncoder().encode(`part ${++sent}\n`));
    },
  });
}
