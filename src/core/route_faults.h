// The faults of a URL that reaches no agent and of code that reaches for a binding which is not
// there: R401, R402 and R403, in the words of the deployment's own routes. Whether an answer is the
// SDK's for an unknown agent, or the code's own and to be left alone, is decided here too. Pure;
// loop thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/fault.h"
#include "core/router.h"

namespace hearth::core {

// R401. `segment` is what the URL has where an agent's is; empty: it is not known which part.
Fault unknown_agent(const Router& router, std::string_view url, std::string_view segment);

// R402, when the URL looks as if it meant an agent: an agent without an instance, or a served
// segment under another prefix.
std::optional<Fault> no_agent_here(const Router& router, std::string_view url);

// R403: the code used env.`binding`, which is undefined; `as_text`: as a string.
Fault unbound(const Router& router, std::string_view binding, bool as_text = false);

// What routeAgentRequest of agents 0.32 answers for an agent that no binding serves, letter by
// letter, on a URL that names one under /agents/. Code that answers anything else keeps its answer.
bool is_sdk_refusal(const Router& router, std::string_view url, std::uint16_t status,
                    std::string_view body);

// Of a handler that failed: a ResponseFailed's JSON, in which `segment` goes with R401,
// `binding` and `text` with R403 and `lasting` with what stays wrong until the code is edited, and
// the TypeError with which older SDKs end for an unknown agent is R401.
Fault handler_fault(const Router& router, std::string_view url, std::string_view json);

// Of an upgrade that the worker answered without 101.
Fault refused_upgrade(const Router& router, std::string_view url, std::uint16_t status,
                      std::string_view body);

// More waits than may wait, which passes: 503 with Retry-After.
Fault overloaded(std::string message);
inline constexpr const char* kHasTooMuch = " has more waiting for it than may wait";

}  // namespace hearth::core
