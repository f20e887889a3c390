#include "project/bindings.h"

#include <algorithm>

#include "project/keys.h"

namespace hearth::project {
namespace {

constexpr std::size_t kNamespacesMax = 1000;  // their index is 16 bits on the wire

bool is_identifier(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  return !name.empty() && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9');
  });
}

class Reader {
 public:
  Reader(const std::string& worker, const ClassHistory& history, Findings& findings)
      : worker_(worker), history_(history), findings_(findings) {}

  Bindings take() { return std::move(out_); }

  void durable_objects(const Value& config) {
    const Value* section =
        findings_.expect(config.find("durable_objects"), Value::Kind::kObject, "durable_objects");
    if (section != nullptr) {
      findings_.unknown_members(*section, "durable_objects", {"bindings", "code_update_strategy"});
      const Value* list = findings_.expect(section->find("bindings"), Value::Kind::kArray,
                                           "durable_objects.bindings");
      if (list != nullptr) {
        for (std::size_t i = 0; i < list->items.size(); ++i) {
          durable_object(list->items[i], "durable_objects.bindings[" + std::to_string(i) + "]");
        }
      }
    }
    if (out_.durable_objects.empty() && out_.foreign.empty()) tell_no_agents(config);
    // Classes without a binding are reachable all the same, by ctx.exports.
    for (const StoredClass& stored : history_.classes) {
      if (check_class(stored.name, stored.at)) name_space(stored.name);
    }
  }

  void others(const Value& config) {
    for (const Member& member : config.members) {
      if (member.value.is(Value::Kind::kNull)) continue;
      if (member.key == "ai") {
        ai(member.value);
      } else if (member.key == "assets") {
        assets(member.value);
      } else if (member.key == "services") {
        services(member.value);
      } else if (const Key* key = find_key(member.key);
                 key != nullptr && key->unsupported_bindings != BindingShape::kNone) {
        unsupported(*key, member.value);
      }
    }
  }

 private:
  void durable_object(const Value& entry, const std::string& path) {
    if (findings_.expect(&entry, Value::Kind::kObject, path) == nullptr) return;
    findings_.unknown_members(entry, path, {"name", "class_name", "script_name", "environment"});
    const std::string shape = "{ \"name\": \"MyAgent\", \"class_name\": \"MyAgent\" }";
    const auto name = findings_.required_text(entry, "name", path + ".name", shape);
    const auto class_name =
        findings_.required_text(entry, "class_name", path + ".class_name", shape);
    const auto script = findings_.text(entry, "script_name", path + ".script_name");
    if (!name || !class_name) return;
    const Position at = entry.find("name")->at;
    if (script && !script->empty() && *script != worker_) {
      foreign(*name, *class_name, *script, at);
      return;
    }
    if (!check_class(*class_name, entry.find("class_name")->at)) return;
    check_history(*name, *class_name, entry.find("class_name")->at);
    DurableObjectBinding binding;
    binding.name = *name;
    binding.class_name = *class_name;
    binding.name_space = name_space(*class_name);
    binding.url_segment = url_segment(*name);
    binding.name_at = at;
    binding.class_at = entry.find("class_name")->at;
    check_route(binding, at);
    out_.all.push_back(
        {*name,
         at,
         {{"type", "durable_object"}, {"name", *name}, {"namespace", binding.name_space}}});
    positions_.push_back(at);
    out_.durable_objects.push_back(std::move(binding));
  }

  // The class name is part of a folder's name, so what is no JavaScript name stops here.
  bool check_class(const std::string& class_name, Position at) {
    if (!is_identifier(class_name)) {
      findings_.error(at, "\"" + class_name + "\" is no name of a JavaScript class", "C104");
      return false;
    }
    return true;
  }

  // Whether that worker is served too is not known here (workers.h).
  void foreign(const std::string& name, const std::string& class_name, const std::string& script,
               Position at) {
    out_.all.push_back({name,
                        at,
                        {{"type", "durable_object"},
                         {"name", name},
                         {"className", class_name},
                         {"worker", script}}});
    out_.foreign.push_back({name, script, class_name, url_segment(name), at});
  }

  void check_history(const std::string& name, const std::string& class_name, Position at) {
    if (history_.find(class_name) != nullptr) return;
    if (history_.deleted.contains(class_name)) {
      findings_.warn(at,
                     "the binding \"" + name + "\" is for \"" + class_name +
                         "\", which a migration has deleted",
                     "C116");
    } else if (const auto renamed = history_.renamed.find(class_name);
               renamed != history_.renamed.end()) {
      findings_.warn(at,
                     "the binding \"" + name + "\" is for \"" + class_name +
                         "\", which a migration has renamed to \"" + renamed->second + "\"",
                     "C116");
    } else {
      findings_.warn(at,
                     "no migration names the class \"" + class_name +
                         "\"; it is served with SQL here, but Cloudflare would refuse it: add "
                         "\"migrations\": [{ \"tag\": \"v1\", \"new_sqlite_classes\": [\"" +
                         class_name + "\"] }]",
                     "C114", class_name);
    }
  }

  std::uint16_t name_space(const std::string& class_name) {
    for (std::size_t i = 0; i < out_.namespaces.size(); ++i) {
      if (out_.namespaces[i].class_name == class_name) return static_cast<std::uint16_t>(i);
    }
    if (out_.namespaces.size() >= kNamespacesMax) {
      findings_.error({}, "there are more than 1000 classes", "C104");
      return 0;
    }
    const StoredClass* stored = history_.find(class_name);
    Namespace name_space;
    name_space.class_name = class_name;
    name_space.unique_key = worker_ + "-" + class_name;
    name_space.sqlite = stored == nullptr || stored->sqlite;
    name_space.migrated = stored != nullptr;
    out_.namespaces.push_back(std::move(name_space));
    return static_cast<std::uint16_t>(out_.namespaces.size() - 1);
  }

  void check_route(const DurableObjectBinding& binding, Position at) {
    const std::string& segment = binding.url_segment;
    for (std::size_t i = 0; i < out_.durable_objects.size(); ++i) {
      if (out_.durable_objects[i].url_segment != segment) continue;
      if (out_.durable_objects[i].name == binding.name) return;  // Told as C105.
      findings_.warn(at,
                     "the bindings \"" + out_.durable_objects[i].name + "\" (line " +
                         std::to_string(positions_[i].line) + ") and \"" + binding.name +
                         "\" have the same route, /agents/" + segment + "/:name: rename one",
                     "C106");
    }
    const std::string asked = url_segment(binding.class_name);
    if (segment.empty() || segment.starts_with('-') || segment.ends_with('-') ||
        segment.find("--") != std::string::npos) {
      findings_.warn(at,
                     "the binding \"" + binding.name + "\" makes the route /agents/" + segment +
                         "/:name, which no client asks for; named \"" + binding.class_name +
                         "\" it would be /agents/" + asked + "/:name",
                     "C107", binding.name, binding.class_name);
    } else if (segment != asked) {
      findings_.warn(at,
                     "the binding \"" + binding.name + "\" is served at /agents/" + segment +
                         "/:name, while a client with agent: \"" + binding.class_name +
                         "\" asks for /agents/" + asked + "/:name: use agent: \"" + segment +
                         "\" there, or name the binding \"" + binding.class_name + "\"",
                     "C107", binding.name, binding.class_name);
    }
  }

  void tell_no_agents(const Value& config) {
    const std::string example =
        history_.classes.empty() ? "MyAgent" : history_.classes.front().name;
    findings_.warn(config.at,
                   "no agent is bound, so /agents/… answers nothing; add \"durable_objects\": "
                   "{ \"bindings\": [{ \"name\": \"" +
                       example + "\", \"class_name\": \"" + example + "\" }] }",
                   "C108", history_.classes.empty() ? "" : example);
  }

  void ai(const Value& value) {
    if (findings_.expect(&value, Value::Kind::kObject, "ai") == nullptr) return;
    findings_.unknown_members(value, "ai", {"binding", "staging", "remote"});
    const auto name =
        findings_.required_text(value, "binding", "ai.binding", "{ \"binding\": \"AI\" }");
    if (!name) return;
    out_.has_ai = true;
    out_.ai_name = *name;
    out_.ai_at = value.find("binding")->at;
    out_.all.push_back({*name, out_.ai_at, {{"type", "ai"}, {"name", *name}}});
  }

  void assets(const Value& value) {
    if (!value.is_object()) return;  // The documents' part tells of it.
    const auto name = findings_.text(value, "binding", "assets.binding");
    if (!name || name->empty()) return;
    out_.all.push_back({*name, value.find("binding")->at, {{"type", "assets"}, {"name", *name}}});
  }

  void services(const Value& value) {
    if (findings_.expect(&value, Value::Kind::kArray, "services") == nullptr) return;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const Value& entry = value.items[i];
      const std::string path = "services[" + std::to_string(i) + "]";
      if (findings_.expect(&entry, Value::Kind::kObject, path) == nullptr) continue;
      const std::string shape = "{ \"binding\": \"NAME\", \"service\": \"worker\" }";
      const auto name = findings_.required_text(entry, "binding", path + ".binding", shape);
      const auto service = findings_.required_text(entry, "service", path + ".service", shape);
      const auto entrypoint = findings_.text(entry, "entrypoint", path + ".entrypoint");
      if (!name || !service) continue;
      const Position at = entry.find("binding")->at;
      if (*service != worker_) out_.foreign.push_back({*name, *service, "", "", at});
      nlohmann::ordered_json document{{"type", "service"}, {"name", *name}, {"service", *service}};
      if (entrypoint) document["entrypoint"] = *entrypoint;
      if (const Value* props = entry.find("props")) document["props"] = to_json(*props);
      out_.all.push_back({*name, at, std::move(document)});
    }
  }

  void unsupported(const Key& key, const Value& value) {
    const auto one = [&](const Value& entry, std::string_view field) {
      const Value* name = entry.is_object() ? entry.find(field) : nullptr;
      if (name == nullptr || !name->is_string() || name->text.empty()) return;
      add_unsupported(name->text, std::string(key.name), std::string(key.note), name->at);
      // For the types: a workflow's class is of this worker unless another is named.
      const Value* of = entry.find("class_name");
      if (of != nullptr && of->is_string() && entry.find("script_name") == nullptr) {
        out_.all.back().document["class_name"] = of->text;
      }
    };
    const auto each = [&](const Value* list, std::string_view field) {
      if (list == nullptr || !list->is_array()) return;
      for (const Value& entry : list->items) one(entry, field);
    };
    switch (key.unsupported_bindings) {
      case BindingShape::kNone:
        break;
      case BindingShape::kObject:
        one(value, "binding");
        break;
      case BindingShape::kListBinding:
        each(&value, "binding");
        break;
      case BindingShape::kListName:
        each(&value, "name");
        break;
      case BindingShape::kProducers:
        each(value.find("producers"), "binding");
        break;
      case BindingShape::kBindingsName:
        each(value.find("bindings"), "name");
        break;
    }
  }

  void add_unsupported(const std::string& name, const std::string& kind, const std::string& reason,
                       Position at) {
    out_.all.push_back(
        {name, at, {{"type", "unsupported"}, {"name", name}, {"kind", kind}, {"reason", reason}}});
  }

  const std::string& worker_;
  const ClassHistory& history_;
  Findings& findings_;
  Bindings out_;
  std::vector<Position> positions_;  // of out_.durable_objects' names
};

}  // namespace

Bindings read_bindings(const Value& config, const std::string& worker, const ClassHistory& history,
                       Findings& findings) {
  Reader reader(worker, history, findings);
  reader.durable_objects(config);
  reader.others(config);
  return reader.take();
}

}  // namespace hearth::project
