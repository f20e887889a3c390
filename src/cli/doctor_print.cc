#include "cli/doctor_print.h"

#include <algorithm>

#include "project/catalogue.h"
#include "server/banner.h"
#include "server/environment.h"
#include "worker/source_files.h"

namespace hearth::cli {
namespace {

using Json = nlohmann::ordered_json;
using project::Finding;
using project::Weight;

constexpr std::uint32_t kLinesBefore = 2;
constexpr std::size_t kLineBytesMax = 160;

struct Paint {
  bool colour;
  std::string operator()(const char* code, const std::string& text) const {
    return colour ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
  }
};

std::string shown(const std::filesystem::path& file, const std::filesystem::path& root) {
  const auto relative = file.lexically_relative(root);
  return relative.empty() || relative.native().starts_with("..") ? file.string()
                                                                 : relative.generic_string();
}

std::string place(const Finding& finding, const std::filesystem::path& root) {
  if (finding.file.empty()) return "";
  std::string text = shown(finding.file, root);
  if (finding.at.line == 0) return text;
  return text + ":" + std::to_string(finding.at.line) + ":" + std::to_string(finding.at.column);
}

// The line of the finding with two before it and a mark below it.
std::string frame(const Finding& finding, const log::Redactor& hidden) {
  if (finding.file.empty() || finding.at.line == 0) return "";
  worker::SourceFiles files;
  std::string_view text = files.text(finding.file);
  std::string out;
  const std::uint32_t first = finding.at.line > kLinesBefore ? finding.at.line - kLinesBefore : 1;
  const std::size_t width = std::to_string(finding.at.line).size();
  for (std::uint32_t number = 1; number <= finding.at.line; ++number) {
    if (text.empty() && number > 1) return "";
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (number < first) continue;
    std::string label = std::to_string(number);
    label.insert(0, width - label.size(), ' ');
    const bool own = number == finding.at.line;
    std::string quoted(line);
    hidden.redact(quoted);  // before it is cut: half a secret is no longer known as one
    out +=
        std::string(own ? "  > " : "    ") + label + " | " + quoted.substr(0, kLineBytesMax) + "\n";
    if (!own || finding.at.column == 0 || finding.at.column > kLineBytesMax) continue;
    std::string blank(line.substr(0, std::min<std::size_t>(finding.at.column - 1, line.size())));
    for (char& c : blank) c = c == '\t' ? '\t' : ' ';
    out += "    " + std::string(width, ' ') + " | " + blank + "^\n";
  }
  return out;
}

std::string indented(const std::string& text, const Paint& paint) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    const bool head = line.starts_with("---") || line.starts_with("+++") || line.starts_with("@@");
    const char* colour = head                    ? "2"
                         : line.starts_with('+') ? "32"
                         : line.starts_with('-') ? "31"
                                                 : "0";
    out += "    " + paint(colour, line) + "\n";
    at = end + 1;
  }
  return out;
}

std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::size_t count_of(const Examination& examination, Weight weight) {
  return static_cast<std::size_t>(
      std::count_if(examination.findings.begin(), examination.findings.end(),
                    [&](const Finding& each) { return each.weight == weight; }));
}

std::filesystem::path root_of(const Examination& examination) {
  return examination.config_path.parent_path();
}

}  // namespace

int exit_code_of(const Examination& examination) {
  if (!examination.looked) return 2;
  return count_of(examination, Weight::kFault) > 0 ? 1 : 0;
}

log::Redactor secrets_to_hide(const Examination& examination) {
  return server::secrets_to_hide(examination.config_path,
                                 examination.project ? &*examination.project : nullptr);
}

std::string diff_text(const Finding& finding, const std::filesystem::path& root,
                      const log::Redactor& hidden) {
  std::string diff = project::diff_of(finding.edits, root);
  hidden.redact(diff);
  return diff;
}

std::string finding_text(const Finding& finding, const std::filesystem::path& root, bool colour,
                         const log::Redactor& hidden) {
  const Paint paint{colour};
  const project::Diagnostic* entry = project::find_diagnostic(finding.code);
  const bool fault = finding.weight == Weight::kFault;
  std::string out = paint(fault ? "1;31" : "1;33", fault ? "fault" : "warning") + " " +
                    paint("1", finding.code) + (entry ? "  " + std::string(entry->title) : "");
  out += "\n  ";
  const std::string where = place(finding, root);
  if (!where.empty()) out += paint("36", where) + ": ";
  std::string own = finding.message + "\n";
  if (!finding.stack.empty()) own += indented(finding.stack, Paint{false});
  hidden.redact(own);
  out += own + frame(finding, hidden);
  if (entry != nullptr) out += "  Cause: " + std::string(entry->cause) + "\n";
  const std::string diff = diff_text(finding, root, hidden);
  if (!diff.empty()) {
    out += std::string("  Edit") + (finding.safe ? " (--fix applies it)" : "") + ":\n" +
           indented(diff, paint);
  } else if (entry != nullptr) {
    out += "  Cure:  " + std::string(entry->cure) + "\n";
  }
  return out;
}

std::string examination_text(const Examination& examination, bool colour) {
  const auto root = root_of(examination);
  const log::Redactor hidden = secrets_to_hide(examination);
  std::string out;
  for (const Finding& each : examination.findings) {
    out += finding_text(each, root, colour, hidden) + "\n";
  }
  if (examination.project && !examination.project->bindings.empty()) {
    out += server::route_table(*examination.project, colour) + "\n";
  }
  for (const std::string& note : examination.notes) out += "  note: " + note + "\n";
  const std::size_t faults = count_of(examination, Weight::kFault);
  const std::size_t warnings = count_of(examination, Weight::kWarning);
  out += faults + warnings == 0
             ? (examination.looked ? "  nothing is wrong\n" : "  could not look\n")
             : "  " + counted(faults, "fault") + ", " + counted(warnings, "warning") + "\n";
  return out;
}

std::string examination_json(const Examination& examination, int exit_code) {
  const auto root = root_of(examination);
  const log::Redactor hidden = secrets_to_hide(examination);
  Json out{{"config", examination.config_path.string()}, {"exitCode", exit_code}};
  out["findings"] = Json::array();
  for (const Finding& each : examination.findings) {
    out["findings"].push_back(server::finding_json(each, root, hidden));
  }
  out["routes"] = Json::array();
  if (examination.project) {
    for (const auto& each : examination.project->bindings) {
      const auto& classes = examination.project->namespaces;
      const auto* own = each.name_space < classes.size() ? &classes[each.name_space] : nullptr;
      const auto& exports = examination.facts.exports;
      Json route{{"binding", each.name},
                 {"class", each.class_name},
                 {"url", "/agents/" + each.url_segment + "/:name"},
                 {"migrated", own != nullptr && own->migrated},
                 {"sql", own != nullptr && own->sqlite}};
      if (examination.facts.exports_known) {
        route["exported"] =
            std::find(exports.begin(), exports.end(), each.class_name) != exports.end();
      }
      out["routes"].push_back(std::move(route));
    }
  }
  if (examination.project) {
    out["environment"] = server::environment_json(*examination.project, examination.facts,
                                                  examination.findings, examination.others);
  }
  out["notes"] = examination.notes;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hearth::cli
