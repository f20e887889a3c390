#include "cli/rehearse_report.h"

#include <algorithm>
#include <string_view>

#include "server/text.h"

namespace hearth::cli {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kStacksMax = 3;  // the others are told in a line each

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    out += "      " + std::string(line) + "\n";
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return out;
}

std::string count(const Json& each, const char* key) {
  return std::to_string(each.value(key, std::uint64_t{0}));
}

std::string agent_text(const Json& agent, bool with_stack) {
  const std::string name = agent.value("name", "");
  const std::string where = agent.value("where", "");
  std::string out = "  " + agent.value("class", "") + "/" +
                    (name.empty() ? agent.value("id", "") : name) + ": " +
                    agent.value("message", "") + (where.empty() ? "" : " (" + where + ")") + "\n";
  if (with_stack) out += indented(agent.value("stack", ""));
  return out;
}

}  // namespace

std::string rehearsal_text(const Json& report) {
  std::string out;
  for (const Json& each : report.value("steps", Json::array())) {
    out += "a deploy carries out: " + each.get<std::string>() + "\n";
  }
  server::Table table;
  std::uint64_t started = 0;
  std::uint64_t failed = 0;
  std::uint64_t untried = 0;
  for (const Json& each : report.value("classes", Json::array())) {
    const std::string left =
        each.value("notTried", 0) > 0 ? ", " + count(each, "notTried") + " not tried" : "";
    table.add({"  " + each.value("class", ""), count(each, "started") + " started",
               count(each, "failed") + " failed" + left, "of " + count(each, "agents")});
    started += each.value("started", std::uint64_t{0});
    failed += each.value("failed", std::uint64_t{0});
    untried += each.value("notTried", std::uint64_t{0});
  }
  out += table.text();
  std::size_t told = 0;
  for (const Json& each : report.value("agents", Json::array())) {
    if (each.value("outcome", "") == "failed") out += agent_text(each, told++ < kStacksMax);
  }
  const std::string after = ", after " + count(report, "ms") + " ms; nothing was changed\n";
  if (failed > 0) {
    out += std::to_string(failed) + (failed == 1 ? " copy" : " copies") + " of " +
           std::to_string(started + failed) + " failed to start" + after;
  } else if (started == 0) {
    out += "the code loads; there is no agent to try it on" + after;
  } else {
    out += std::to_string(started) + (started == 1 ? " copy" : " copies") + " started" +
           (untried > 0 ? ", and the rest was not tried" : "") + after;
  }
  return out;
}

}  // namespace hearth::cli
