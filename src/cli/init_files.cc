#include "cli/init_files.h"

#include <string_view>

namespace hearth::cli {
namespace {

constexpr std::string_view kConfiguration = R"({
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "@NAME@",
  "main": "server.ts",
  "compatibility_date": "2026-01-01",
  "compatibility_flags": ["nodejs_compat"],
  // public/index.html is served at /.
  "assets": { "directory": "public" },
  "durable_objects": {
    "bindings": [
      // The binding's name makes the address: CoderAgent is at /agents/coder-agent/:name.
      { "name": "CoderAgent", "class_name": "CoderAgent" }
    ]
  },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["CoderAgent"] }]
}
)";

constexpr std::string_view kServer = R"(import { routeAgentRequest } from "agents";
import { CoderAgent } from "./coder-agent";

export { CoderAgent };

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return (await routeAgentRequest(request, env)) || new Response("Not found", { status: 404 });
  },
} satisfies ExportedHandler<Env>;
)";

constexpr std::string_view kAgent =
    R"(import { Agent, callable, type Connection, type WSMessage } from "agents";

export interface Notes {
  notes: string[];
}

/** Each name has an agent of its own: its state is kept, and sent to every client when it changes. */
export class CoderAgent extends Agent<Env, Notes> {
  initialState: Notes = { notes: [] };

  /** Clients call it by name: `client.call("addNote", ["buy milk"])`. */
  @callable()
  addNote(text: string): number {
    this.setState({ notes: [...this.state.notes, text] });
    return this.state.notes.length;
  }

  /** What is sent as plain text comes back. */
  onMessage(connection: Connection, message: WSMessage): void {
    if (typeof message === "string") connection.send(`echo: ${message}`);
  }

  /** The same agent over HTTP: GET /agents/coder-agent/NAME. */
  onRequest(): Response {
    return Response.json({ name: this.name, notes: this.state.notes });
  }
}
)";

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>@NAME@</title>
  <style>
    body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
    #status { color: #777; }
    input { width: 20rem; font: inherit; }
    button { font: inherit; }
  </style>
  <h1>@NAME@</h1>
  <p id="status">connecting</p>
  <form><input autofocus required placeholder="a note"> <button>Add</button></form>
  <ul></ul>
  <p><button id="echo">Send hello</button> <output></output></p>
  <script type="module">
    // The SDK's AgentClient and useAgent do this and more; a page without a bundler can do it by hand.
    const name = new URLSearchParams(location.search).get("name") ?? "default";
    const address = `${location.origin.replace(/^http/, "ws")}/agents/coder-agent/${encodeURIComponent(name)}`;
    const find = (selector) => document.querySelector(selector);
    const pending = new Map();
    let socket;

    function connect() {
      socket = new WebSocket(address);
      socket.onopen = () => { find("#status").textContent = `connected to the agent "${name}"`; };
      socket.onmessage = ({ data }) => receive(data);
      socket.onclose = ({ code, reason }) => {
        find("#status").textContent = `closed: ${code} ${reason}`;
        for (const { reject } of pending.values()) reject(new Error(reason || "the connection was closed"));
        pending.clear();
        // A code from 4000 on says that trying again is of no use.
        if (code < 4000) setTimeout(connect, 1000);
      };
    }

    function receive(text) {
      let message;
      try { message = JSON.parse(text); } catch { find("output").textContent = text; return; }
      if (message.type === "cf_agent_state") show(message.state);
      if (message.type === "rpc") {
        const { resolve, reject } = pending.get(message.id) ?? {};
        pending.delete(message.id);
        if (message.success) resolve?.(message.result); else reject?.(new Error(message.error));
      }
    }

    function call(method, ...args) {
      const id = crypto.randomUUID();
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        socket.send(JSON.stringify({ type: "rpc", id, method, args }));
      });
    }

    function show({ notes }) {
      find("ul").replaceChildren(...notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
    }

    find("form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const input = find("input");
      try {
        await call("addNote", input.value);
        input.value = "";
      } catch (error) {
        find("#status").textContent = error.message;
      }
    });
    find("#echo").addEventListener("click", () => socket.send("hello"));
    connect();
  </script>
</html>
)";

// The versions that hearth's own tests run with (tests/e2e/init.test.mjs compares them).
constexpr std::string_view kPackage = R"({
  "name": "@NAME@",
  "private": true,
  "type": "module",
  "scripts": {
    "dev": "hearth dev",
    "start": "hearth serve",
    "doctor": "hearth doctor",
    "types": "hearth types",
    "check": "hearth check"
  },
  "dependencies": {
    "@modelcontextprotocol/client": "2.4.0",
    "agents": "0.32.0",
    "ai": "6.0.326",
    "zod": "4.6.7"
  },
  "devDependencies": {
    "@cloudflare/workers-types": "5.20261117.1",
    "typescript": "7.0.2"
  }
}
)";

constexpr std::string_view kSettings = R"({
  "compilerOptions": {
    "target": "ES2022",
    "lib": ["ES2024"],
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "isolatedModules": true,
    "noEmit": true,
    "skipLibCheck": true,
    "types": ["@cloudflare/workers-types"]
  },
  "include": ["**/*.ts"],
  "exclude": ["node_modules", ".hearth", "public"]
}
)";

constexpr std::string_view kIgnored = R"(node_modules/
.hearth/
.dev.vars*
.env*
*.log
)";

constexpr std::string_view kReadme = R"(# @NAME@

An agent that keeps notes, served by hearth.

    npm install
    hearth dev

Open http://127.0.0.1:8787: each note is in the agent's state, which every open page shows. Another
agent: http://127.0.0.1:8787/?name=another. Over HTTP: `curl 127.0.0.1:8787/agents/coder-agent/default`.

| file | |
|---|---|
| `wrangler.jsonc` | the configuration: which class is bound under which name |
| `server.ts` | the worker: sends each request to its agent |
| `coder-agent.ts` | the agent |
| `public/index.html` | the page |
| `worker-configuration.d.ts` | the types of `env`, written by `hearth types` |

| command | |
|---|---|
| `hearth dev` | serves, rebuilds and reloads on change |
| `hearth doctor` | looks for what is wrong, and shows the edit |
| `hearth types`, `hearth check` | the types of `env`; the TypeScript compiler |
| `hearth serve` | for production |

Secrets go into `.dev.vars`, as `NAME=value`. The same project runs on Cloudflare with `wrangler deploy`.
)";

std::string with_name(std::string_view text, const std::string& name) {
  std::string out(text);
  constexpr std::string_view kPlace = "@NAME@";
  for (std::size_t at = 0; (at = out.find(kPlace, at)) != std::string::npos; at += name.size()) {
    out.replace(at, kPlace.size(), name);
  }
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> starter_files(const std::string& name) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [path, text] : {std::pair{"wrangler.jsonc", kConfiguration},
                                   {"server.ts", kServer},
                                   {"coder-agent.ts", kAgent},
                                   {"public/index.html", kPage},
                                   {"package.json", kPackage},
                                   {"tsconfig.json", kSettings},
                                   {".gitignore", kIgnored},
                                   {"README.md", kReadme}}) {
    files.emplace_back(path, with_name(text, name));
  }
  return files;
}

}  // namespace hearth::cli
