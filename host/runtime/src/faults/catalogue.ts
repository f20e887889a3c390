// Made from src/project/catalogue.def, by the test that compares the two:
//   HEARTH_UPDATE_DOCS=1 build/dev/bin/project_test --gtest_filter=Catalogue.*

export const catalogue = {
  B206: {
    title: "The bound export is no agent",
    cause: "The export that a binding names is not a class, or extends another base.",
    cure: "Let the class extend Agent or DurableObject.",
  },
  R401: {
    title: "Unknown agent",
    cause: "The URL's segment after /agents/ is the segment of no binding. It must equal it letter by letter.",
    cure: "Ask for a served route, or rename the binding.",
  },
  R403: {
    title: "A binding was undefined when it was called",
    cause: "The code called a method of an entry of env that is not there.",
    cure: "Bind it, or correct the name; hearth doctor shows the line.",
  },
  R404: {
    title: "An agent's name or id is not usable",
    cause: "The name is empty or longer than 1,024 bytes, or the id belongs elsewhere.",
    cure: "Use a shorter name, and ids of the same namespace.",
  },
  R405: {
    title: "An upgrade that gave no socket",
    cause: "The worker answered a WebSocket upgrade with something else than status 101 and a webSocket.",
    cure: "Return what routeAgentRequest or stub.fetch returned, unchanged.",
  },
  R406: {
    title: "A handler returned no Response",
    cause: "fetch or onRequest returned nothing, or something else.",
    cure: "Return a Response on every path.",
  },
  R407: {
    title: "The code threw an error",
    cause: "A handler threw and nothing caught it; the line shown is where.",
    cure: "Mend that line, or catch the error there.",
  },
  R412: {
    title: "A rejection that nothing handled",
    cause: "A promise was rejected and nobody awaited it.",
    cure: "Await the promise, or give it to ctx.waitUntil.",
  },
  R413: {
    title: "Not available for now",
    cause: "The build is broken, the code is reloaded, or hearth is shutting down.",
    cure: "Mend the build error that the message tells, or ask again in a moment.",
  },
  R414: {
    title: "The agent is quarantined",
    cause: "Hosts ended again and again while this agent was at work, so it may not run.",
    cure: "Mend its code, then free it with `hearth agents release NAME`; its neighbours go on meanwhile, and a restart of hearth frees it too.",
  },
  R415: {
    title: "Overloaded",
    cause: "More waits for the agent, or for its host, than may wait, so what comes now is refused. It passes when the code has caught up.",
    cure: "Ask again in a moment. If it lasts, let handlers do less at a time, or spread the work over more agents.",
  },
  R418: {
    title: "The agent's storage failed",
    cause: "The disk is full, or the agent's database could not be read or written. The code is not at fault; what was acknowledged before was written.",
    cure: "Do what the message says of the disk or the file; the agent goes on by itself when its storage does.",
  },
} as const;

export type FaultCode = keyof typeof catalogue;
