// An agent's fetch event: the handler's answer is checked and remembered as the agent's, so that a
// streamed body keeps it resident and each chunk waits at its output gate.
import { isExpectedReset, markRemote, NO_RESPONSE } from "./errors.ts";
import { ownMethod, placeOfFunction } from "../faults/handler_place.ts";
import { named } from "../faults/named.ts";
import { worded, type Wording } from "../faults/wording.ts";
import { type Agent, isThenable } from "./instance.ts";
import { makeHeadersImmutable } from "../web/body.ts";
import { isResponse, type Response } from "../web/response.ts";

const owner = Symbol("agent");

export function callFetch(agent: Agent, request: unknown): unknown {
  const object = agent.object!;
  if (typeof object.fetch !== "function") {
    throw worded(new Error("Handler does not export a fetch() function."), () => noFetch(object));
  }
  const failures = agent.failures;
  let answer: unknown;
  try {
    answer = object.fetch(request);
  } catch (error) {
    throw failed(agent, error);
  }
  if (!isThenable(answer)) return own(agent, answer, failures);
  return answer.then((value) => own(agent, value, failures), (error) => {
    throw failed(agent, error);
  });
}

function failed(agent: Agent, error: unknown): unknown {
  if (!isExpectedReset(error)) agent.failed(error);
  return markRemote(error);
}

function own(agent: Agent, answer: unknown, failuresBefore: number): unknown {
  if (!isResponse(answer)) {
    const { object } = agent;
    throw worded(new TypeError(NO_RESPONSE), () => noResponse(object, answer));
  }
  // The SDK makes an answer of an error, of which it has complained by then.
  if (failuresBefore > 0 && agent.failures === failuresBefore) agent.answered();
  (answer as { [owner]?: Agent })[owner] = agent;
  makeHeadersImmutable(answer);
  // Whoever wraps the response anew keeps its socket: that one knows its agent as well.
  if (answer.status === 101 && answer.webSocket !== null) agent.ownSocket(answer.webSocket);
  return answer;
}

function noResponse(object: object | null, answer: unknown): Wording {
  const method = ownMethod(object, ["onRequest", "fetch"]);
  const message = `${classNameOf(object)}'s ${method?.name ?? "fetch or onRequest"} returned ${named(answer)} instead of a Response`;
  return typeof answer === "string"
    ? { message, where: method?.where, fix: "Return new Response(text)." }
    : { message, where: method?.where };
}

/** Neither the SDK's Agent nor a class with a fetch of its own: the most usual is that "extends Agent" is missing. */
function noFetch(object: object): Wording {
  const name = classNameOf(object);
  return {
    code: "B206",
    message: `the class ${name} has no fetch: it neither extends Agent nor handles requests itself`,
    where: placeOfFunction(object.constructor),
    fix: `Write class ${name} extends Agent, with import { Agent } from "agents", or give it a method fetch(request).`,
  };
}

function classNameOf(object: object | null): string {
  return object?.constructor?.name.replace(/^_+/, "") || "the agent";
}

/** The agent that made a response on this host, if it still lives. */
export function responseOwner(response: Response): Agent | null {
  const agent = (response as { [owner]?: Agent })[owner];
  return agent === undefined || agent.broken ? null : agent;
}
