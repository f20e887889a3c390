#include "server/banner.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "server/options.h"

namespace hearth::server {

namespace {

struct Paint {
  bool colour;
  std::string bold(const std::string& text) const { return wrap("1", text); }
  std::string dim(const std::string& text) const { return wrap("2", text); }
  std::string yellow(const std::string& text) const { return wrap("33", text); }
  std::string wrap(const char* code, const std::string& text) const {
    return colour ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
  }
};

using Row = std::array<std::string, 5>;

void add_table(std::string& out, const std::vector<Row>& rows, const Paint& paint) {
  std::array<std::size_t, 5> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (std::size_t line = 0; line < rows.size(); ++line) {
    std::string text;
    for (std::size_t i = 0; i < rows[line].size(); ++i) {
      text += rows[line][i];
      if (i + 1 < rows[line].size()) text.append(widths[i] - rows[line][i].size() + 3, ' ');
    }
    out += "  " + (line == 0 ? paint.dim(text) : text) + "\n";
  }
}

void add_bindings(std::string& out, const project::Project& project, const Paint& paint) {
  if (project.bindings.empty() && project.foreign.empty()) return;
  std::vector<Row> rows{{"agent", "class", "url", "migration", "sql"}};
  for (const auto& binding : project.bindings) {
    const bool own = binding.name_space < project.namespaces.size();
    const auto* name_space = own ? &project.namespaces[binding.name_space] : nullptr;
    rows.push_back({binding.name, binding.class_name, "/agents/" + binding.url_segment + "/:name",
                    name_space && name_space->migrated ? "yes" : "no",
                    name_space && name_space->sqlite ? "yes" : "no"});
  }
  for (const auto& binding : project.foreign) {
    if (binding.class_name.empty()) continue;
    rows.push_back({binding.name, binding.class_name + " of " + binding.worker,
                    "/agents/" + binding.url_segment + "/:name", "", ""});
  }
  if (rows.size() > 1) add_table(out, rows, paint);
}

void add_keys(std::string& out, const project::Project& project, const Paint& paint) {
  std::string supported;
  std::string others;
  for (const auto& key : project.keys) {
    if (key.support == project::KeySupport::kSupported && key.note.empty()) {
      supported += (supported.empty() ? "" : ", ") + key.key;
      continue;
    }
    std::string name(project::to_string(key.support));
    name.resize(std::max<std::size_t>(name.size(), 10), ' ');
    const bool notable = key.support == project::KeySupport::kUnknown;
    others += "  " + (notable ? paint.yellow(name) : paint.dim(name)) + " " + key.key +
              (key.note.empty() ? "" : paint.dim(": " + key.note)) + "\n";
  }
  if (!supported.empty()) out += "  " + paint.dim("supported ") + " " + supported + "\n";
  out += others;
  if (!supported.empty() || !others.empty()) out += "\n";
}

}  // namespace

std::string banner(const std::vector<project::Project>& projects, bool colour) {
  const Paint paint{colour};
  const project::Project& project = projects.front();
  std::string out = "\n" + paint.bold("hearth " + std::string(version())) + "  " + project.name +
                    paint.dim("  " + project.config_path.string()) + "\n\n";
  add_bindings(out, project, paint);
  if (!project.bindings.empty()) out += "\n";
  add_keys(out, project, paint);
  for (std::size_t i = 1; i < projects.size(); ++i) {
    out += paint.bold("  and " + projects[i].name) +
           paint.dim("  " + projects[i].config_path.string()) + "\n\n";
    add_keys(out, projects[i], paint);
  }
  return out;
}

std::string route_table(const project::Project& project, bool colour) {
  std::string out;
  add_bindings(out, project, Paint{colour});
  return out;
}

std::string duration_text(std::int64_t ms) {
  if (ms < 10'000) return std::to_string(ms) + " ms";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ms) / 1000.0);
  return text;
}

}  // namespace hearth::server
