// Node's own classes, taken before the platform's replace them on globalThis. Everything in web/
// that needs Node's fetch, Response (for multipart) or WebSocket takes it from here.
export const NodeRequest = globalThis.Request;
export const NodeResponse = globalThis.Response;
export const NodeHeaders = globalThis.Headers;
export const NodeWebSocket = globalThis.WebSocket as typeof globalThis.WebSocket | undefined;
export const nodeFetch = globalThis.fetch;
export const nodeSetTimeout = globalThis.setTimeout;
