// The control: the same project on workerd from npm, bundled by esbuild as wrangler bundles, with
// SQLite-backed Durable Objects on local disk. Only what the test projects use is translated.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";

import { parseJsonc } from "./jsonc.mjs";
import { Child } from "./process.mjs";
import { kRoot } from "./paths.mjs";

const kWorkerd = join(kRoot, "node_modules/@cloudflare/workerd-linux-64/bin/workerd");

export async function startWorkerd({ config, state, vars = {}, port = 0, env = {}, onSpawn }) {
  const project = parseJsonc(readFileSync(config, "utf8"));
  const folder = join(state, "workerd");
  mkdirSync(join(folder, "do"), { recursive: true });
  await bundle(resolve(dirname(config), project.main), join(folder, "index.mjs"), project);
  writeFileSync(join(folder, "config.capnp"), configText(project, folder, vars));
  onSpawn?.();
  const child = new Child(
    kWorkerd, ["serve", "--experimental", "--control-fd=3", `--socket-addr=http=127.0.0.1:${port}`, join(folder, "config.capnp")],
    { stdio: ["ignore", "pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
  const bound = await listening(child);
  return { child, url: `http://127.0.0.1:${bound}`, port: bound };
}

/** workerd reports each socket's port on the control descriptor, one JSON document a line. */
function listening(child) {
  return new Promise((done, fail) => {
    let text = "";
    child.stdio[3].setEncoding("utf8").on("data", (part) => {
      text += part;
      for (const line of text.split("\n").slice(0, -1)) {
        const event = JSON.parse(line);
        if (event.event === "listen") done(event.port);
      }
    });
    child.exited.then(() => fail(new Error(`workerd did not start:\n${child.output}`)));
  });
}

export async function bundle(entry, outfile, project) {
  await build({
    entryPoints: [entry], outfile, bundle: true, format: "esm", target: "es2024",
    conditions: ["workerd", "worker", "browser"], supported: { "import-source": true },
    loader: { ".js": "jsx", ".mjs": "jsx", ".cjs": "jsx" }, keepNames: true,
    external: ["cloudflare:*", "workerd:*", "node:*"], sourcemap: "inline", logLevel: "silent",
    define: {
      "process.env.NODE_ENV": '"production"', "navigator.userAgent": '"Cloudflare-Workers"', ...project.define,
    },
    alias: project.alias, plugins: [bareBuiltins, email],
  });
}

const bareBuiltins = {
  name: "bare-builtins",
  setup(setup) {
    const names = builtinModules.filter((name) => !name.startsWith("_"));
    const filter = new RegExp(`^(${names.map((name) => name.replace("/", "\\/")).join("|")})$`);
    setup.onResolve({ filter }, ({ path }) => ({ path: `node:${path}`, external: true }));
  },
};

// workerd on its own lacks the module behind cloudflare:email, which the SDK imports at load.
const email = {
  name: "email",
  setup(setup) {
    setup.onResolve({ filter: /^cloudflare:email$/ }, ({ path }) => ({ path, namespace: "email" }));
    setup.onLoad({ filter: /.*/, namespace: "email" }, () => ({
      contents: "export class EmailMessage { constructor(from, to, raw) { Object.assign(this, { from, to, raw }); } }",
    }));
  },
};

const text = (value) => JSON.stringify(value);

function configText(project, folder, vars) {
  const sqlite = new Set((project.migrations ?? []).flatMap((step) => step.new_sqlite_classes ?? []));
  const objects = project.durable_objects?.bindings ?? [];
  const classes = [...new Set([...objects.map((binding) => binding.class_name), ...sqlite])];
  const bindings = [
    ...objects.map((b) => `(name = ${text(b.name)}, durableObjectNamespace = ${text(b.class_name)})`),
    ...Object.entries({ ...project.vars, ...vars }).map(([name, value]) =>
      `(name = ${text(name)}, ${typeof value === "string" ? `text = ${text(value)}` : `json = ${text(JSON.stringify(value))}`})`),
    // Of this worker itself only.
    ...(project.services ?? []).map(({ binding, entrypoint }) =>
      `(name = ${text(binding)}, service = (name = "main"${entrypoint ? `, entrypoint = ${text(entrypoint)}` : ""}))`),
  ];
  const namespaces = classes.map((name) =>
    `(className = ${text(name)}, uniqueKey = ${text(`${project.name}-${name}`)}, enableSql = ${sqlite.has(name)})`);
  const flags = (project.compatibility_flags ?? []).map(text);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = ${text(join(folder, "do"))}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "index.mjs", esModule = embed "index.mjs")],
  bindings = [${bindings.join(",\n    ")}],
  durableObjectNamespaces = [${namespaces.join(",\n    ")}],
  durableObjectStorage = (localDisk = "disk"),
  compatibilityDate = ${text(project.compatibility_date)},
  compatibilityFlags = [${flags.join(", ")}],
);
`;
}
