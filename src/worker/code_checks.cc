#include "worker/code_checks.h"

#include <algorithm>
#include <map>
#include <set>

#include "os/files.h"
#include "project/config_edits.h"
#include "project/nearest.h"
#include "worker/source_files.h"

namespace hearth::worker {
namespace {

using Json = nlohmann::json;
using project::Edit;
using project::Finding;
using project::Weight;
namespace fs = std::filesystem;

const Json kNothing = Json::array();

const Json& list_of(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_array() ? *found : kNothing;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::size_t offset_of(const Json& object) {
  return object.value("offset", std::size_t{0});
}

bool has(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& each : list) out += (out.empty() ? "" : ", ") + each;
  return out.empty() ? "nothing" : out;
}

class Checks {
 public:
  Checks(const project::Project& project, const CodeFacts& facts)
      : project_(project),
        facts_(facts),
        files_(facts.scan.is_array() ? facts.scan : kNothing),
        worker_(Json::parse(project.worker_json, nullptr, false)) {}

  std::vector<Finding> take() { return std::move(out_); }

  void exports() {
    if (!facts_.exports_known) return;
    std::set<std::string> told;
    for (const auto& binding : project_.bindings) {
      if (has(facts_.exports, binding.class_name) || !told.insert(binding.class_name).second) {
        continue;
      }
      missing_class(binding);
    }
    for (const auto& each : project_.namespaces) {
      if (has(facts_.exports, each.class_name) || !told.insert(each.class_name).second) continue;
      const std::string& text = sources_.text(project_.config_path);
      const std::size_t at = text.find("\"" + each.class_name + "\"");
      Finding finding = in_config(
          "B205", Weight::kFault,
          "a migration makes the class " + each.class_name + ", which " + shown(project_.main) +
              " does not export (it exports: " + joined(facts_.exports) + ")",
          at == std::string::npos ? project::Position{} : sources_.place(project_.config_path, at));
      finding.edits = export_edits(each.class_name, finding.message);
      finding.safe = !finding.edits.empty();
      out_.push_back(std::move(finding));
    }
  }

  void bases() {
    if (!facts_.ready.is_object()) return;
    const Json& classes = list_of(facts_.ready, "classes");
    std::set<std::string> told;
    for (const auto& binding : project_.bindings) {
      const std::string& name = binding.class_name;
      if (!has(facts_.exports, name) || !told.insert(name).second) continue;
      std::string base;
      bool handles = true;
      for (const Json& each : classes) {
        if (text_of(each, "name") != name) continue;
        base = text_of(each, "base");
        handles = each.value("handles", true);
      }
      if (base == "none" && !handles) {
        out_.push_back(in_config("B206", Weight::kFault,
                                 "the class " + name +
                                     " extends nothing and handles nothing: write class " + name +
                                     " extends Agent, with import { Agent } from \"agents\"",
                                 binding.class_at));
        continue;
      }
      if (base == "DurableObject" || base == "none") continue;
      out_.push_back(in_config("B206", Weight::kFault,
                               base.empty() ? "the export " + name + " is no class"
                                            : "the class " + name + " extends " + base +
                                                  ", expected Agent or DurableObject",
                               binding.class_at));
    }
  }

  void handlers() {
    if (!facts_.ready.is_object() || project_.main.empty()) return;
    const Json& handlers = list_of(facts_.ready, "handlers");
    const bool fetch = std::find(handlers.begin(), handlers.end(), Json("fetch")) != handlers.end();
    if (fetch || (project_.bindings.empty() && !handlers.empty())) return;
    const bool exported = has(facts_.exports, "default");
    Finding finding{.code = "B208",
                    .weight = Weight::kFault,
                    .message = shown(project_.main) +
                               (exported ? "'s default export has no fetch handler"
                                         : " has no default export") +
                               ", so no request reaches an agent",
                    .file = project_.main,
                    .at = {1, 1}};
    if (!exported) {
      const std::string& text = sources_.text(project_.main);
      const std::string handler =
          "\nexport default {\n  async fetch(request, env) {\n    return (await "
          "routeAgentRequest(request, env)) || new Response(\"Not found\", { status: 404 });\n"
          "  },\n};\n";
      const bool imported = text.find("routeAgentRequest") != std::string::npos;
      if (!imported) {
        finding.edits.push_back(
            {project_.main, 0, 0, "import { routeAgentRequest } from \"agents\";\n"});
      }
      finding.edits.push_back({project_.main, text.size(), 0, handler});
      finding.safe = uses_sdk();
      if (!finding.safe) finding.edits.clear();
    }
    out_.push_back(std::move(finding));
  }

  void env() {
    std::set<std::string> bound;
    for (const Json& each : list_of(worker_, "bindings")) bound.insert(text_of(each, "name"));
    std::map<std::string, std::vector<std::pair<fs::path, Json>>> uses;
    std::set<std::string> optional;
    for (const Json& file : files_) {
      for (const Json& name : list_of(file, "optionalEnv"))
        optional.insert(name.get<std::string>());
      if (!file.value("input", false)) continue;
      for (const Json& use : list_of(file, "env")) {
        const std::string name = text_of(use, "name");
        if (use.value("guarded", false)) optional.insert(name);
        if (!bound.contains(name)) uses[name].emplace_back(text_of(file, "file"), use);
      }
    }
    for (const auto& [name, places] : uses) {
      if (!optional.contains(name)) unbound(name, places, {bound.begin(), bound.end()});
    }
  }

  void routes() {
    for (const Json& file : files_) {
      if (!file.value("input", false)) continue;
      const fs::path path = text_of(file, "file");
      for (const Json& call : list_of(file, "routes")) {
        const bool env = text_of(call, "fault") == "env";
        Finding finding{.code = "B210",
                        .weight = Weight::kFault,
                        .message = env ? "routeAgentRequest is called without env, so it finds no "
                                         "agent"
                                       : "routeAgentRequest is called without await, so what "
                                         "stands behind it is never reached",
                        .file = path,
                        .at = sources_.place(path, offset_of(call))};
        for (const Json& edit : list_of(call, "edits")) {
          finding.edits.push_back({path, offset_of(edit), 0, text_of(edit, "text")});
        }
        finding.safe = !finding.edits.empty();
        out_.push_back(std::move(finding));
      }
    }
  }

  void clients() {
    const bool unchanged = old_client();
    std::vector<std::string> segments;
    std::string served;
    for (const auto& binding : project_.bindings) {
      segments.push_back(binding.url_segment);
      served += (served.empty() ? "" : ", ") + ("/agents/" + binding.url_segment + "/:name");
    }
    for (const auto& binding : project_.foreign) {
      if (!binding.class_name.empty()) segments.push_back(binding.url_segment);
    }
    for (const Json& file : files_) {
      const fs::path path = text_of(file, "file");
      for (const Json& call : list_of(file, "clients")) {
        const std::string agent = text_of(call, "agent");
        const std::string segment = unchanged ? agent : project::url_segment(agent);
        if (has(segments, segment)) continue;
        Finding finding{.code = "B211",
                        .weight = Weight::kFault,
                        .message = text_of(call, "api") + " with agent: \"" + agent +
                                   "\" asks for /agents/" + segment +
                                   "/:name, which nobody serves" +
                                   (served.empty() ? "" : "; served: " + served),
                        .file = path,
                        .at = sources_.place(path, offset_of(call))};
        auto near = project::nearest(segment, segments);
        if (!near && segments.size() == 1) near = segments[0];
        if (near) {
          finding.edits = {{path, offset_of(call), call.value("length", std::size_t{0}), *near}};
          finding.safe = true;
        }
        out_.push_back(std::move(finding));
      }
    }
  }

  void built_in_modules() {
    const Json& flags = list_of(worker_, "compatibilityFlags");
    const auto flag = [&](const char* name) {
      return std::find(flags.begin(), flags.end(), Json(name)) != flags.end();
    };
    if (flag("nodejs_compat") || flag("nodejs_compat_v2")) return;
    for (const Json& file : files_) {
      if (!file.value("input", false)) continue;
      const fs::path path = text_of(file, "file");
      for (const Json& each : list_of(file, "builtins")) {
        const std::string name = text_of(each, "name");
        if (name.ends_with("async_hooks") && flag("nodejs_als")) continue;
        Finding finding{.code = "B203",
                        .weight = Weight::kWarning,
                        .message = "\"" + name +
                                   "\" is a module of Node.js; it works here, and Cloudflare asks "
                                   "for the flag nodejs_compat",
                        .file = path,
                        .at = sources_.place(path, offset_of(each))};
        if (flags.empty()) add_to_config(finding, "\"compatibility_flags\": [\"nodejs_compat\"]");
        out_.push_back(std::move(finding));
        return;  // one flag for all of them
      }
    }
  }

 private:
  std::string shown(const fs::path& file) const {
    const fs::path relative = file.lexically_relative(project_.root);
    return relative.empty() || relative.native().starts_with("..") ? file.string()
                                                                   : relative.generic_string();
  }

  Finding in_config(std::string code, Weight weight, std::string message,
                    project::Position at) const {
    return {.code = std::move(code),
            .weight = weight,
            .message = std::move(message),
            .file = project_.config_path,
            .at = at};
  }

  void add_to_config(Finding& finding, const std::string& jsonc) {
    if (project_.config_path.extension() == ".toml") return;
    const auto edit =
        project::add_member(sources_.text(project_.config_path), project_.config_path, jsonc, "");
    if (!edit) return;
    finding.edits = {*edit};
    finding.safe = true;
  }

  void missing_class(const project::DurableObjectBinding& binding) {
    const std::string& name = binding.class_name;
    Finding finding = in_config("B204", Weight::kFault,
                                "the binding " + binding.name + " names the class " + name +
                                    ", which " + shown(project_.main) +
                                    " does not export (it exports: " + joined(facts_.exports) + ")",
                                binding.class_at);
    finding.edits = export_edits(name, finding.message);
    if (finding.edits.empty()) misnamed(binding, finding);
    finding.safe = !finding.edits.empty();
    out_.push_back(std::move(finding));
  }

  // The edits that make main export a class which some file defines; `message` says where.
  std::vector<Edit> export_edits(const std::string& name, std::string& message) {
    const Json* main = nullptr;
    const Json* home = nullptr;
    Json found;
    for (const Json& file : files_) {
      const bool is_main = text_of(file, "file") == project_.main.string();
      if (is_main) main = &file;
      for (const Json& each : list_of(file, "classes")) {
        if (text_of(each, "name") != name || (home != nullptr && !is_main)) continue;
        home = &file;
        found = each;
      }
    }
    if (main == nullptr) return {};
    for (const Json& each : list_of(*main, "exports")) {
      if (text_of(each, "local") != name) continue;
      message += "; it is exported as " + text_of(each, "name");
      return {{project_.main, offset_of(each), 0, name + ", "}};
    }
    if (home == nullptr) return {};
    const fs::path path = text_of(*home, "file");
    message += "; it is defined in " + shown(path) + ":" +
               std::to_string(sources_.place(path, offset_of(found)).line);
    const std::string exported = text_of(found, "exported");
    if (path == project_.main) {
      if (exported == "no") return {{path, offset_of(found), 0, "export "}};
      return {{path, sources_.text(path).size(), 0, "\nexport { " + name + " };\n"}};
    }
    std::vector<Edit> edits;
    std::string line = "export { " + name + " };";
    bool imported = false;
    for (const Json& each : list_of(*main, "imports")) {
      imported = imported || text_of(each, "local") == name;
    }
    if (!imported) {
      const fs::path relative = path.lexically_relative(project_.main.parent_path());
      std::string from = (relative.parent_path() / relative.stem()).generic_string();
      if (!from.starts_with(".")) from = "./" + from;
      line = "export { " + (exported == "default" ? "default as " + name : name) + " } from \"" +
             from + "\";";
      if (exported == "no") edits.push_back({path, offset_of(found), 0, "export "});
    }
    const std::size_t end = main->value("importsEnd", std::size_t{0});
    edits.push_back({project_.main, end, 0, end == 0 ? line + "\n" : "\n" + line});
    return edits;
  }

  // No file defines the class: the configuration has its name wrong, wherever it has it.
  void misnamed(const project::DurableObjectBinding& binding, Finding& finding) {
    std::vector<std::string> candidates = facts_.exports;
    std::erase(candidates, "default");
    const auto near = project::nearest(binding.class_name, candidates);
    if (!near) return;
    finding.message += "; did you mean " + *near + "?";
    const std::string& text = sources_.text(project_.config_path);
    const std::string quoted = "\"" + binding.class_name + "\"";
    const std::size_t name = project::offset_of(text, binding.name_at);
    for (std::size_t at = text.find(quoted); at != std::string::npos;
         at = text.find(quoted, at + 1)) {
      if (at == name) continue;
      finding.edits.push_back({project_.config_path, at + 1, binding.class_name.size(), *near});
    }
  }

  bool uses_sdk() const {
    for (const Json& file : files_) {
      for (const Json& each : list_of(file, "imports")) {
        const std::string from = text_of(each, "from");
        if (from == "agents" || from.starts_with("agents/")) return true;
      }
    }
    return false;
  }

  static bool is_secret(const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
  }

  void unbound(const std::string& name, const std::vector<std::pair<fs::path, Json>>& places,
               const std::vector<std::string>& bound) {
    const auto& [file, use] = places.front();
    Finding finding{.code = "B209",
                    .weight = Weight::kFault,
                    .message = "the code reads env." + name + ", and nothing of that name is bound",
                    .file = file,
                    .at = sources_.place(file, offset_of(use)),
                    .subject = name};
    static const std::set<std::string> kNamespaceMethods{
        "idFromName", "idFromString",   "newUniqueId", "get",
        "getByName",  "getAgentByName", "jurisdiction"};
    const bool agents = kNamespaceMethods.contains(text_of(use, "method"));
    if (const auto near = project::nearest(name, bound)) {
      finding.message += "; did you mean env." + *near + "?";
      for (const auto& [path, each] : places) {
        finding.edits.push_back({path, offset_of(each), name.size(), *near});
      }
      finding.safe = true;
    } else if (name == "AI") {
      finding.code = "C118";
      finding.message += ": add the ai binding";
      add_to_config(finding, "\"ai\": { \"binding\": \"AI\" }");
    } else if (!agents && is_secret(name)) {
      finding.code = "C118";
      finding.message = "the code reads env." + name +
                        ", and nothing provides it: put a secret into .dev.vars, a plain value "
                        "under \"vars\"";
      const fs::path dev_vars = project_.root / ".dev.vars";
      const std::string& text = sources_.text(dev_vars);
      const bool ended = text.empty() || text.ends_with('\n');
      finding.edits = {{dev_vars, text.size(), 0, (ended ? "" : "\n") + name + "=\n"}};
    }
    out_.push_back(std::move(finding));
  }

  // Before 0.1 the SDK's client sent the agent's name as it is; later ones turn it into kebab case.
  bool old_client() const {
    for (fs::path folder = project_.root;; folder = folder.parent_path()) {
      const auto text = os::read_file(folder / "node_modules" / "agents" / "package.json");
      if (text) {
        const Json manifest = Json::parse(*text, nullptr, false);
        return manifest.is_object() && text_of(manifest, "version").starts_with("0.0.");
      }
      if (folder == folder.parent_path()) return false;
    }
  }

  const project::Project& project_;
  const CodeFacts& facts_;
  const Json& files_;
  const Json worker_;
  SourceFiles sources_;
  std::vector<Finding> out_;
};

}  // namespace

CodeFacts facts_of_report(std::string_view line) {
  CodeFacts facts;
  const Json report = Json::parse(line, nullptr, false);
  if (!report.is_object()) return facts;
  facts.scan = list_of(report, "scan");
  facts.exports_known = report.contains("exports");
  for (const Json& each : list_of(report, "exports")) {
    if (each.is_string()) facts.exports.push_back(each.get<std::string>());
  }
  return facts;
}

std::vector<Finding> check_exports(const project::Project& project, const CodeFacts& facts) {
  Checks checks(project, facts);
  checks.exports();
  return checks.take();
}

std::vector<Finding> check_code(const project::Project& project, const CodeFacts& facts) {
  Checks checks(project, facts);
  checks.bases();
  if (facts.gets_requests) checks.handlers();
  checks.env();
  checks.routes();
  if (facts.gets_requests) checks.clients();
  checks.built_in_modules();
  return checks.take();
}

bool code_knows_binding(const CodeFacts& facts, const project::DurableObjectBinding& binding) {
  for (const Json& file : facts.scan.is_array() ? facts.scan : kNothing) {
    for (const Json& use : list_of(file, "env")) {
      if (text_of(use, "name") == binding.name) return true;
    }
    for (const Json& call : list_of(file, "clients")) {
      const std::string agent = text_of(call, "agent");
      if (agent == binding.url_segment || project::url_segment(agent) == binding.url_segment) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace hearth::worker
