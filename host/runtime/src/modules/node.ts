// The module `cloudflare:node`: on the platform it joins `node:http` servers to the fetch handler. Here
// `node:http` is Node.js's own, which listens on the machine, so there is nothing to join; who calls
// these is told what to write instead.

function unsupported(name: string): never {
  throw new Error(
    `${name}() of "cloudflare:node" is not supported here. Export a fetch handler instead of a node:http server ` +
      "(frameworks such as Hono and Express 5 have adapters for one).");
}

export const httpServerHandler = (_server: unknown): never => unsupported("httpServerHandler");
export const handleAsNodeRequest = (_port: unknown, _request: unknown): never => unsupported("handleAsNodeRequest");
export const connectHandler = (_server: unknown): never => unsupported("connectHandler");
export const handleAsNodeConnection = (_port: unknown, _socket: unknown): never => unsupported("handleAsNodeConnection");
