#include "project/workers.h"

#include <algorithm>
#include <optional>

#include "project/findings.h"

namespace hearth::project {
namespace {

using Json = nlohmann::ordered_json;

// Of one worker among all.
struct Served {
  const Project* project = nullptr;
  std::size_t first_namespace = 0;
};

const Project* find_worker(const std::vector<Project>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Project& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::optional<std::size_t> namespace_of(const Project& project, const std::string& class_name) {
  for (std::size_t i = 0; i < project.namespaces.size(); ++i) {
    if (project.namespaces[i].class_name == class_name) return i;
  }
  return std::nullopt;
}

std::string names(const std::vector<Project>& all) {
  std::string out;
  for (const Project& each : all) out += (out.empty() ? "\"" : ", \"") + each.name + "\"";
  return out;
}

// Why a binding leads nowhere; empty: it does not.
std::string fault_of(const ForeignBinding& binding, const std::vector<Project>& all) {
  const Project* worker = find_worker(all, binding.worker);
  if (worker == nullptr) {
    return "it is for " +
           (binding.class_name.empty() ? "" : "the class \"" + binding.class_name + "\" of ") +
           "the worker \"" + binding.worker + "\", and served " +
           (all.size() == 1 ? "is " : "are ") + names(all) +
           " only: give that worker's configuration too, with one more -c";
  }
  if (binding.class_name.empty() || namespace_of(*worker, binding.class_name)) return {};
  std::string classes;
  for (const Namespace& each : worker->namespaces) {
    classes += (classes.empty() ? "" : ", ") + each.class_name;
  }
  return "the worker \"" + binding.worker + "\" has no Durable Object class \"" +
         binding.class_name + "\"; it has " + (classes.empty() ? "none" : classes);
}

// A worker's bindings with every namespace under its number among all.
Json joined_bindings(const Json& bindings, const Served& own, const std::vector<Project>& all,
                     const std::vector<Served>& served) {
  Json out = Json::array();
  for (Json binding : bindings) {
    if (binding["type"] == "durable_object" && binding.contains("namespace")) {
      binding["namespace"] = own.first_namespace + binding["namespace"].get<std::size_t>();
      out.push_back(std::move(binding));
      continue;
    }
    const std::string name = binding["name"].get<std::string>();
    const auto foreign =
        std::find_if(own.project->foreign.begin(), own.project->foreign.end(),
                     [&](const ForeignBinding& each) { return each.name == name; });
    const bool object = binding["type"] == "durable_object";
    if (foreign == own.project->foreign.end() || (!object && binding["type"] != "service")) {
      out.push_back(std::move(binding));
      continue;
    }
    if (const std::string fault = fault_of(*foreign, all); !fault.empty()) {
      out.push_back({{"type", "unsupported"},
                     {"name", name},
                     {"kind", object ? "durable_objects" : "services"},
                     {"reason", fault + " (C117)"}});
    } else if (object) {
      for (const Served& each : served) {
        if (each.project->name != foreign->worker) continue;
        out.push_back({{"type", "durable_object"},
                       {"name", name},
                       {"namespace",
                        each.first_namespace + *namespace_of(*each.project, foreign->class_name)}});
      }
    } else {
      out.push_back(std::move(binding));
    }
  }
  return out;
}

}  // namespace

Status check_names(const std::vector<Project>& all) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (all[i].name != all[j].name) continue;
      return Error{ErrorCode::kInvalid,
                   all[j].config_path.string() + " and " + all[i].config_path.string() +
                       " both name their worker \"" + all[i].name +
                       "\": give them different names, for bindings and stored agents go by it"};
    }
  }
  return {};
}

std::vector<Finding> check_foreign(const Project& project, const std::vector<Project>& all) {
  Findings findings(project.config_path);
  for (const ForeignBinding& binding : project.foreign) {
    const std::string fault = fault_of(binding, all);
    if (fault.empty()) continue;
    // The words may name other classes too, so its subject is told by itself.
    findings.warn(binding.at, "the binding \"" + binding.name + "\" does not work: " + fault,
                  "C117", binding.name);
  }
  return findings.all();
}

Joined join(const std::vector<Project>& all) {
  Joined out;
  std::vector<Served> served;
  Json namespaces = Json::array();
  std::vector<Json> documents;
  for (std::size_t number = 0; number < all.size(); ++number) {
    const Project& project = all[number];
    served.push_back({&project, out.namespaces.size()});
    documents.push_back(Json::parse(project.worker_json));
    for (const Namespace& each : project.namespaces) {
      out.namespaces.push_back({each.class_name, each.unique_key, project.name});
      Json entry{
          {"className", each.class_name}, {"uniqueKey", each.unique_key}, {"sqlite", each.sqlite}};
      if (number > 0) entry["worker"] = number;
      namespaces.push_back(std::move(entry));
    }
  }
  for (std::size_t number = 0; number < all.size(); ++number) {
    Json& document = documents[number];
    document["bindings"] = joined_bindings(document["bindings"], served[number], all, served);
    document.erase("namespaces");
  }
  out.document = std::move(documents.front());
  out.document["namespaces"] = std::move(namespaces);
  for (std::size_t number = 1; number < all.size(); ++number) {
    for (const char* key : {"state", "mode", "durability", "idleTimeoutMs", "cpuMs"}) {
      documents[number].erase(key);
    }
    out.document["workers"].push_back(std::move(documents[number]));
  }
  for (const DurableObjectBinding& each : all.front().bindings) {
    out.routes.push_back(
        {each.url_segment, each.name, each.name_space, each.class_name, each.name_at});
  }
  for (const ForeignBinding& each : all.front().foreign) {
    if (each.class_name.empty() || !fault_of(each, all).empty()) continue;
    for (const Served& other : served) {
      if (other.project->name != each.worker) continue;
      const std::size_t place =
          other.first_namespace + *namespace_of(*other.project, each.class_name);
      out.routes.push_back({each.url_segment, each.name, static_cast<std::uint16_t>(place),
                            each.class_name, each.at});
    }
  }
  return out;
}

}  // namespace hearth::project
