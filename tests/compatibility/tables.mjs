// The tables of docs/compatibility.md, from what the probe found (expected.json) and the sentences that
// explain each difference (notes.json).
import { lacks } from "./probe.mjs";

const begin = (name) => `<!-- table: ${name} -->`;
const kEnd = "<!-- end -->";

const differs = (path, entry) => "hearth" in entry && lacks(path, entry.workerd, entry.hearth);

/** Differences without a sentence, and sentences without a difference. */
export function unexplained({ answers }, notes) {
  const different = Object.entries(answers).filter(([path, entry]) => differs(path, entry)).map(([path]) => path);
  return [
    ...different.filter((path) => !notes[path] && !explainsItself(path, answers[path].hearth)).map((path) => `no note for: ${path}: ${JSON.stringify(answers[path])}`),
    ...Object.keys(notes).filter((path) => !different.includes(path)).map((path) => `a note for what does not differ: ${path}`),
  ];
}

/** The names in an answer that is a list of what is lacking. */
function list(answer) {
  const names = Array.isArray(answer) ? answer : answer?.value;
  return Array.isArray(names) && names.every((each) => typeof each === "string") ? names : [];
}

/** A list of what is lacking, or nothing at all, needs no sentence. */
const explainsItself = (path, answer) => answer === "absent" || Array.isArray(answer) || path.startsWith("node: modules /");

export function withTables(document, found, notes) {
  const tables = { globals: globals(found, notes), objects: named("objects", found, notes), modules: named("modules", found, notes),
    behaviour: behaviour(found, notes), node: node(found, notes), versions: versions(found) };
  for (const [name, table] of Object.entries(tables)) {
    const from = document.indexOf(begin(name));
    if (from < 0) throw new Error(`the document has no place for the table "${name}"`);
    const to = document.indexOf(kEnd, from);
    document = `${document.slice(0, from)}${begin(name)}\n${table}\n${document.slice(to)}`;
  }
  return document;
}

const versions = ({ types, workerd, answers }) => {
  const cases = Object.keys(answers).filter((path) => !/^(globals|objects|modules) \//.test(path)).length;
  return `Types: \`@cloudflare/workers-types\` ${types}. Control: \`workerd\` ${workerd}. ${cases} cases of behaviour.`;
};

const row = (...cells) => `| ${cells.join(" | ")} |`;

function status(path, entry) {
  if (!differs(path, entry)) return "works";
  return entry.hearth === "absent" ? "missing" : "differs";
}

function named(kind, { answers }, notes) {
  const rows = Object.entries(answers).filter(([path, entry]) => path.startsWith(`${kind} / `) && entry.both !== "absent" && entry.workerd !== "absent")
    .map(([path, entry]) => row(`\`${path.slice(kind.length + 3)}\``, status(path, entry), differs(path, entry) ? explained(path, entry, notes) : ""));
  return ["| name | hearth | |", "|---|---|---|", ...rows].join("\n");
}

function globals(found, notes) {
  const typesOnly = Object.entries(found.answers).filter(([path, entry]) => path.startsWith("globals / ") && entry.both === "absent");
  return `${named("globals", found, notes)}\n\nDeclared by the types and at run time on neither side: ${
    typesOnly.map(([path]) => `\`${path.slice("globals / ".length)}\``).join(", ")}.`;
}

const sentence = (note) => (typeof note === "string" ? note : note?.note ?? "");

const kNamesMax = 6;

/** What is lacking, and what the notes say of it. */
function explained(path, { workerd = [], hearth }, notes) {
  const names = list(hearth).filter((name) => !list(workerd).includes(name));
  const more = names.length > kNamesMax ? ` and ${names.length - kNamesMax} more` : "";
  const lacking = names.length > 0 ? `lacks ${names.slice(0, kNamesMax).map((name) => `\`${name}\``).join(", ")}${more}.` : "";
  return [lacking, sentence(notes[path])].filter(Boolean).join(" ");
}

function areas({ answers }) {
  const found = new Map();
  for (const [path, entry] of Object.entries(answers)) {
    const [area] = path.split(" / ", 1);
    if (["globals", "objects", "modules"].includes(area)) continue;
    if (!found.has(area)) found.set(area, []);
    found.get(area).push([path, entry]);
  }
  return found;
}

function behaviour(found, notes) {
  const rows = [];
  for (const [area, list] of areas(found)) {
    if (area === "node: modules") continue;
    const different = list.filter(([path, entry]) => differs(path, entry));
    const missing = different.length > 0 && different.every(([path]) => notes[path]?.missing);
    const state = different.length === 0 ? "works" : missing && different.length === list.length ? "missing" : "differs";
    const sentences = [...new Set(different.map(([path]) => sentence(notes[path])))];
    rows.push(row(area, state, `${list.length - different.length} of ${list.length}`, sentences.join(" ")));
  }
  return ["| API | hearth | cases as on workerd | what differs |", "|---|---|---|---|", ...rows].join("\n");
}

function node(found, notes) {
  const list = areas(found).get("node: modules");
  const rows = list.map(([path, entry]) => row(`\`${path.slice("node: modules / ".length)}\``, status(path, entry), differs(path, entry) ? explained(path, entry, notes) : ""));
  return ["| module | hearth | |", "|---|---|---|", ...rows].join("\n");
}
