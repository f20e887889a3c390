// The recipes of a document as projects that run: a code block whose first line names a file and the
// recipe, `// server.ts: token`, becomes that file in a copy of a test project.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./folders.mjs";
import { kProjects, kRoot } from "./paths.mjs";

/** The text of the block that begins with `// FILE: RECIPE`. */
export function recipe(document, file, name) {
  const text = readFileSync(join(kRoot, document), "utf8");
  const block = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]).find((code) => code.startsWith(`// ${file}: ${name}\n`));
  if (block === undefined) throw new Error(`${document} has no recipe ${file}: ${name}`);
  return block;
}

/** A copy of the project with the recipe's server.ts in it. */
export function recipeProject(document, project, name) {
  const folder = temporaryFolder("hearth-recipe-");
  cpSync(join(kProjects, project), folder, { recursive: true });
  symlinkSync(join(kProjects, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "server.ts"), recipe(document, "server.ts", name));
  return folder;
}
