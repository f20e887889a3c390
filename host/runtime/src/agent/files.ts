// What lies on the disk of an agent or a facet, for whoever deletes it.
import { rmSync } from "node:fs";

/** What lies beside a database, and is deleted with it; the database last. */
const SUFFIXES = ["-clone", "-clone-wal", "-restore", "-wal-restore", "-history-old", "-history", "-wal", "-shm", ""];

/** Its facets' folder. */
export function facetsFolder(path: string): string {
  return path.replace(/\.sqlite$/, ".facets");
}

/** Removes a database, what belongs to it, and its facets. */
export function removeDatabase(path: string): void {
  for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
  rmSync(facetsFolder(path), { force: true, recursive: true });
}
