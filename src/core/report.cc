#include "core/report.h"

namespace hearth::core {

std::string text_of(const Line& line) {
  std::string text;
  if (!line.reference.empty()) text += "[" + std::string(line.reference) + "] ";
  if (!line.code.empty()) text += std::string(line.code) + " ";
  const bool named = line.agent.empty() || line.message.find(line.agent) != std::string_view::npos;
  if (!named) text += std::string(line.agent) + ": ";
  if (!line.what.empty()) text += std::string(line.what) + (line.message.empty() ? "" : ": ");
  text += line.message;
  if (!line.where.empty()) text += " (" + std::string(line.where) + ")";
  if (!line.fix.empty()) text += "\n  " + std::string(line.fix);
  if (!line.stack.empty()) text += "\n" + std::string(line.stack);
  return text;
}

}  // namespace hearth::core
