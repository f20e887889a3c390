import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import { streamSSE } from "hono/streaming";
import { validator } from "hono/validator";
import { z } from "zod";

interface Env { NOTES: DurableObjectNamespace<Notes> }

const note = z.object({ title: z.string().min(1), stars: z.number().int().max(5).default(0) });

export class Notes extends DurableObject<Env> {
  async add(value: z.infer<typeof note>) {
    const notes = await this.all();
    await this.ctx.storage.put("notes", [...notes, value]);
    return notes.length + 1;
  }
  async all() { return (await this.ctx.storage.get<z.infer<typeof note>[]>("notes")) ?? []; }
}

const app = new Hono<{ Bindings: Env }>();
app.use("*", cors({ origin: "https://example.com" }));
app.use("*", async (c, next) => {
  await next();
  c.header("X-Served-By", "hono");
});
app.get("/", (c) => c.html(<html><body><h1>Notes & more</h1></body></html>));
app.get("/notes/:who", async (c) => c.json(await c.env.NOTES.getByName(c.req.param("who")).all()));
app.post("/notes/:who", validator("json", (value, c) => {
  const parsed = note.safeParse(value);
  return parsed.success ? parsed.data : c.json({ issues: parsed.error.issues.map((issue) => issue.path.join(".")) }, 400);
}), async (c) => c.json({ count: await c.env.NOTES.getByName(c.req.param("who")).add(c.req.valid("json")) }, 201));
app.get("/events", (c) => streamSSE(c, async (stream) => {
  for (let id = 0; id < 3; id++) await stream.writeSSE({ data: `event ${id}`, id: String(id) });
}));
app.get("/teapot", () => { throw new HTTPException(418, { message: "short and stout" }); });
app.get("/fails", () => { throw new Error("hono failed on purpose"); });
app.onError((error, c) => error instanceof HTTPException ? error.getResponse() : c.json({ failed: error.message }, 500));
app.notFound((c) => c.text("nothing here", 404));

export default app;
