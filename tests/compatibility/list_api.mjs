// Makes tests/projects/compat/api.json: every global value, class and module that the package
// @cloudflare/workers-types declares, with its members. The .d.ts is formatted by one tool, so that
// lines and their indentation are all that must be read: a declaration begins in the first column, its
// members are indented by two, and a "}" in the first column ends it.
//   node tests/compatibility/list_api.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { kProjects, kRoot } from "../lib/paths.mjs";

const kTypes = join(kRoot, "node_modules/@cloudflare/workers-types");
// The types of AI models are descriptions of requests: none is there at run time.
const kModels = /^(Base_?Ai|Ai[A-Z])/;
// Interfaces without a global of their own, whose objects the probe has in its hands.
const kObjects = [
  "ExecutionContext", "DurableObjectId", "DurableObjectNamespace", "DurableObjectState", "DurableObjectStorage",
  "DurableObjectTransaction", "DurableObjectFacets", "SqlStorage", "SqlStorageCursor", "SyncKvStorage", "Tracing", "Socket",
];

/** {kind, name, base, members, statics, type} of each declaration in `lines`, whose indentation is `indent`. */
function declarations(lines, indent) {
  const found = [];
  const pad = " ".repeat(indent);
  const start = new RegExp(
    `^${pad}(?:export )?(?:declare )?(?:abstract )?(class|interface|function|const|var|let|namespace|module) ("[^"]+"|[\\w$]+)(.*)$`);
  for (let at = 0; at < lines.length; at++) {
    const [, kind, quoted, rest] = start.exec(lines[at]) ?? [];
    if (!kind) continue;
    const name = quoted.replaceAll('"', "");
    let end = at;
    while (end < lines.length && !endsHere(lines[end], pad)) end++;
    const body = lines.slice(at + 1, end);
    const heading = lines.slice(at, end).join(" ").split("{")[0].replaceAll(/<[^<>]*>/g, "").replaceAll(/<[^<>]*>/g, "");
    found.push({
      kind, name, body,
      base: / extends (\w+)/.exec(heading)?.[1],
      type: /^: (\w+);/.exec(rest)?.[1],
      ...(kind === "class" || kind === "interface" || /^: \{/.test(rest) ? members(body, indent + 2) : {}),
    });
    at = end;
  }
  return found;
}

function endsHere(line, pad) {
  return line.startsWith(`${pad}}`) || (line.startsWith(pad) && line[pad.length] !== " " && /[;}]$/.test(line.trimEnd()));
}

function members(body, indent) {
  const lists = { members: new Set(), statics: new Set() };
  const member = new RegExp(`^${" ".repeat(indent)}(?:public )?(static )?(?:readonly )?(?:get |set )?([A-Za-z_$][\\w$]*|\\d)(\\??)[(:<]`);
  for (const line of body) {
    const [, isStatic, name, optional] = member.exec(line) ?? [];
    if (!name || name === "constructor" || name === "prototype" || (name === "new" && !isStatic) || optional === "?") continue;
    lists[isStatic ? "statics" : "members"].add(name);
  }
  return { members: [...lists.members].sort(), statics: [...lists.statics].sort() };
}

function api(lines) {
  const all = declarations(lines, 0);
  const shapes = new Map(all.filter(({ kind }) => kind === "class" || kind === "interface").map((each) => [each.name, each]));
  const membersOf = (name) => {
    const shape = shapes.get(name);
    return shape ? [...new Set([...shape.members, ...(shape.base ? membersOf(shape.base) : [])])].sort() : [];
  };
  const globals = {};
  for (const each of all) {
    if (kModels.test(each.name)) continue;
    if (each.kind === "function") globals[each.name] = { kind: "function" };
    else if (each.kind === "class") globals[each.name] = { kind: "class", members: membersOf(each.name), statics: each.statics };
    else if (each.kind === "namespace" && each.name === "WebAssembly") {
      const inner = declarations(each.body, 2).filter(({ kind }) => kind === "class" || kind === "function").map(({ name }) => name);
      globals[each.name] = { kind: "object", members: [...new Set(inner)].sort() };
    } else if (["const", "var", "let"].includes(each.kind)) {
      if (each.members) globals[each.name] = { kind: "class", members: membersOf(each.name), statics: each.members.filter((name) => !/^\d$/.test(name)) };
      else globals[each.name] = { kind: "object", members: /^(ServiceWorkerGlobalScope)$/.test(each.type ?? "") ? [] : membersOf(each.type) };
    }
  }
  const objects = Object.fromEntries(kObjects.map((name) => [name, membersOf(name)]));
  for (const [name, list] of Object.entries(objects)) if (list.length === 0) throw new Error(`no interface ${name} in the types`);
  return { globals: sorted(globals), objects, modules: modules(all) };
}

function modules(all) {
  const found = {};
  const values = (body) => {
    const names = declarations(body, 2).filter(({ kind }) => !["interface", "type", "namespace"].includes(kind)).map(({ name }) => name);
    const exported = body.flatMap((line) => [...line.matchAll(/\bas (\w+)\b/g)].filter(() => /^ {2}export \{/.test(line)).map((match) => match[1]));
    return [...new Set([...names.filter((name) => !name.startsWith("_")), ...exported])].sort();
  };
  for (const { kind, name, body } of all) {
    if (kind !== "module" || !name.startsWith("cloudflare:")) continue;
    const whole = body.map((line) => /export = (\w+);/.exec(line)?.[1]).find(Boolean);
    found[name] = values(whole ? all.find((each) => each.kind === "namespace" && each.name === whole).body : body);
  }
  return sorted(found);
}

const sorted = (object) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

const { version } = JSON.parse(readFileSync(join(kTypes, "package.json"), "utf8"));
const source = readFileSync(join(kTypes, "index.d.ts"), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
const result = { types: version, ...api(source.split("\n")) };
const line = ([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)}`;
const text = Object.entries(result).map(([name, value]) => typeof value === "string"
  ? `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`
  : `  ${JSON.stringify(name)}: {\n${Object.entries(value).map(line).join(",\n")}\n  }`).join(",\n");
writeFileSync(join(kProjects, "compat/api.json"), `{\n${text}\n}\n`);
console.log(`${Object.keys(result.globals).length} globals, ${Object.keys(result.objects).length} objects, ${Object.keys(result.modules).length} modules of workers-types ${version}`);
