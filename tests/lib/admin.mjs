// The admin interface of a server under test, over its Unix socket.
import { request as httpRequest } from "node:http";
import { join } from "node:path";

const kPatienceMs = 10_000;

/** One request, its answer whole. */
export function ask(target, path, { method = "GET", body, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: join(target.state, "admin.sock"), path, method, headers, agent: false, timeout: kPatienceMs });
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error(`${path}: no answer`)));
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => { text += part; });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text, json: () => JSON.parse(text) }));
    });
    request.end(body);
  });
}

/** A stream of lines, of which the head has come: {status, response}; the caller reads or does not. */
export function open(target, path) {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: join(target.state, "admin.sock"), path, agent: false });
    request.on("error", reject);
    request.on("response", (response) => resolve({ status: response.statusCode, response, close: () => request.destroy() }));
    request.end();
  });
}
