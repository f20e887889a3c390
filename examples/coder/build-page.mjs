// Builds the page into public/: one script, one style sheet, one document.
import { cp } from "node:fs/promises";
import { build } from "esbuild";

await build({
  entryPoints: { app: "src/client/app.tsx" },
  outdir: "public",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
});
await cp("src/client/index.html", "public/index.html");
