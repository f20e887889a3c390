// A reporter of node:test: the files that told of a test, one a line. The runner ends when all tests
// that it knows of have ended (--test-force-exit), which may be before it has heard of a file.
export default async function* files(source) {
  const heard = new Set();
  for await (const { type, data } of source) {
    if (type === "test:pass" || type === "test:fail") heard.add(data.entryFile ?? data.file);
  }
  heard.delete(undefined);
  yield [...heard].map((file) => `${file}\n`).join("");
}
