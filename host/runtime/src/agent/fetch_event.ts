// An agent's fetch event: the handler's answer is checked and remembered as the agent's, so that a
// streamed body keeps it resident and each chunk waits at its output gate.
import { isExpectedReset, markRemote, NO_RESPONSE } from "./errors.ts";
import { type Agent, isThenable } from "./instance.ts";
import { makeHeadersImmutable } from "../web/body.ts";
import { isResponse, type Response } from "../web/response.ts";

const owner = Symbol("agent");

export function callFetch(agent: Agent, request: unknown): unknown {
  const object = agent.object!;
  if (typeof object.fetch !== "function") {
    throw new Error("Handler does not export a fetch() function.");
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
  if (!isResponse(answer)) throw new TypeError(NO_RESPONSE);
  // The SDK makes an answer of an error, of which it has complained by then.
  if (failuresBefore > 0 && agent.failures === failuresBefore) agent.answered();
  (answer as { [owner]?: Agent })[owner] = agent;
  makeHeadersImmutable(answer);
  // Whoever wraps the response anew keeps its socket: that one knows its agent as well.
  if (answer.status === 101 && answer.webSocket !== null) agent.ownSocket(answer.webSocket);
  return answer;
}

/** The agent that made a response on this host, if it still lives. */
export function responseOwner(response: Response): Agent | null {
  const agent = (response as { [owner]?: Agent })[owner];
  return agent === undefined || agent.broken ? null : agent;
}
