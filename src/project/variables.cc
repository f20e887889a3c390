#include "project/variables.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "project/dotenv.h"
#include "project/files.h"

namespace hearth::project {
namespace {

constexpr std::string_view kOpenRouterUrl = "https://openrouter.ai/api/v1";
constexpr std::string_view kOpenAiUrl = "https://api.openai.com/v1";

constexpr std::size_t kSkippedToldMax = 5;

struct SecretFile {
  std::filesystem::path path;
  std::vector<DotenvEntry> entries;
  std::vector<std::uint32_t> skipped;  // lines that say something, and nothing that is read
};

// Null: the file is not there.
Result<std::optional<SecretFile>> read_secret_file(const std::filesystem::path& path) {
  Result<std::string> text = read_config_file(path);
  if (!text.ok()) {
    if (text.error().code == ErrorCode::kNotFound) return std::optional<SecretFile>();
    return text.error();
  }
  SecretFile file{path, {}, {}};
  file.entries = parse_dotenv(*text, &file.skipped);
  return std::optional<SecretFile>(std::move(file));
}

class Collector {
 public:
  Collector(const LoadOptions& options, Findings& findings)
      : options_(options), findings_(findings) {}

  void vars(const Value& config) {
    const Value* vars = findings_.expect(config.find("vars"), Value::Kind::kObject, "vars");
    if (vars == nullptr) return;
    for (const Member& member : vars->members) {
      set({member.key,
           member.at,
           {{"type", "var"}, {"name", member.key}, {"value", to_json(member.value)}}});
    }
  }

  Status files(const std::filesystem::path& root) {
    std::vector<std::string> dev_vars{".dev.vars"};
    std::vector<std::string> dot_env{".env", ".env.local"};
    if (!options_.environment.empty()) {
      dev_vars.insert(dev_vars.begin(), ".dev.vars." + options_.environment);
      dot_env.push_back(".env." + options_.environment);
      dot_env.push_back(".env." + options_.environment + ".local");
    }
    for (const std::string& name : dev_vars) out_.files.push_back(root / name);
    for (const std::string& name : dot_env) out_.files.push_back(root / name);

    for (const std::string& name : dev_vars) {
      Result<std::optional<SecretFile>> file = read_secret_file(root / name);
      if (!file.ok()) return file.error();
      if (!file->has_value()) continue;
      tell_skipped(**file);
      // One .dev.vars file alone counts, and with it no .env file does.
      take_secrets((*file)->entries);
      return {};
    }
    std::vector<DotenvEntry> merged;
    for (const std::string& name : dot_env) {
      Result<std::optional<SecretFile>> file = read_secret_file(root / name);
      if (!file.ok()) return file.error();
      if (!file->has_value()) continue;
      tell_skipped(**file);
      for (DotenvEntry& entry : (*file)->entries) {
        std::erase_if(merged, [&](const DotenvEntry& other) { return other.key == entry.key; });
        merged.push_back(std::move(entry));
      }
    }
    expand_references(merged);
    take_secrets(merged);
    return {};
  }

  // Without what they hold, which is most often a secret.
  void tell_skipped(const SecretFile& file) {
    for (std::size_t i = 0; i < std::min(file.skipped.size(), kSkippedToldMax); ++i) {
      findings_.warn_of(file.path,
                        "line " + std::to_string(file.skipped[i]) +
                            " is no NAME=value, so nothing is read from it",
                        "C118");
    }
  }

  // `secrets.required`: only these are taken from the files, the process's environment serves too,
  // and a missing one is told.
  void require(const Value& config) {
    const Value* secrets =
        findings_.expect(config.find("secrets"), Value::Kind::kObject, "secrets");
    if (secrets == nullptr) return;
    findings_.unknown_members(*secrets, "secrets", {"required"});
    declared_ = true;
    required_ = findings_.texts(*secrets, "required", "secrets.required");
    required_at_ = secrets->at;
  }

  void tell_missing() {
    for (const std::string& name : required_) {
      if (const Binding* found = find(name)) {
        const auto value = found->document.value("value", nlohmann::ordered_json());
        if (!value.is_string() || !value.get_ref<const std::string&>().empty()) continue;
        findings_.warn(required_at_, "the required secret \"" + name + "\" is empty", "S303");
        continue;
      }
      if (const std::optional<std::string> value = environment_variable(options_, name)) {
        secret(name, *value);
        continue;
      }
      findings_.warn(required_at_,
                     "the required secret \"" + name + "\" is not set: add " + name +
                         "=… to .dev.vars beside the configuration, or to the environment",
                     "C118");
    }
  }

  void command_line() {
    for (const auto& [name, value] : options_.vars) {
      set({name, {}, {{"type", "var"}, {"name", name}, {"value", value}}});
    }
  }

  Variables take() { return std::move(out_); }

 private:
  void take_secrets(const std::vector<DotenvEntry>& entries) {
    for (const DotenvEntry& entry : entries) {
      const bool wanted =
          std::find(required_.begin(), required_.end(), entry.key) != required_.end();
      if (declared_ && !wanted && find(entry.key) == nullptr) continue;
      secret(entry.key, entry.value);
    }
  }

  void secret(const std::string& name, const std::string& value) {
    set({name, {}, {{"type", "secret"}, {"name", name}, {"value", value}}});
  }

  const Binding* find(const std::string& name) const {
    for (const Binding& binding : out_.bindings) {
      if (binding.name == name) return &binding;
    }
    return nullptr;
  }

  void set(Binding binding) {
    for (Binding& known : out_.bindings) {
      if (known.name != binding.name) continue;
      if (binding.at.line == 0) binding.at = known.at;
      known = std::move(binding);
      return;
    }
    out_.bindings.push_back(std::move(binding));
  }

  const LoadOptions& options_;
  Findings& findings_;
  Variables out_;
  bool declared_ = false;
  std::vector<std::string> required_;
  Position required_at_;
};

// A text variable by name, wherever it is set. An empty one counts as unset.
std::optional<std::string> lookup(const std::string& name, const Variables& variables,
                                  const LoadOptions& options) {
  for (const Binding& binding : variables.bindings) {
    if (binding.name != name) continue;
    const auto& value = binding.document["value"];
    if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
      return value.get<std::string>();
    }
  }
  std::optional<std::string> value = environment_variable(options, name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

// Where env.AI asks, and by which key. An empty `key` under a name is a missing one; an empty
// `key_name` says that none is needed.
nlohmann::ordered_json ai_document(std::string_view url, std::string_view key_name,
                                   const std::optional<std::string>& key) {
  return {{"baseUrl", url}, {"keyName", key_name}, {"key", key.value_or("")}};
}

nlohmann::ordered_json ai_service(
    const std::function<std::optional<std::string>(const char*)>& get) {
  const auto own_url = get("HEARTH_AI_BASE_URL");
  const auto own_key = get("HEARTH_AI_API_KEY");
  if (own_url || own_key) {
    return ai_document(own_url.value_or(std::string(kOpenAiUrl)),
                       own_key ? "HEARTH_AI_API_KEY" : "", own_key);
  }
  if (const auto key = get("OPENROUTER_API_KEY")) {
    return ai_document(kOpenRouterUrl, "OPENROUTER_API_KEY", key);
  }
  const auto openai_url = get("OPENAI_BASE_URL");
  const auto openai_key = get("OPENAI_API_KEY");
  if (openai_url || openai_key) {
    return ai_document(openai_url.value_or(std::string(kOpenAiUrl)),
                       openai_key ? "OPENAI_API_KEY" : "", openai_key);
  }
  return ai_document(kOpenRouterUrl, "OPENROUTER_API_KEY", std::nullopt);
}

// HEARTH_AI_MODELS: {"asked for": "sent"} or `asked for=sent,…`. Null: it is neither.
std::optional<nlohmann::ordered_json> ai_models(const std::string& text) {
  nlohmann::ordered_json models = nlohmann::ordered_json::object();
  if (text.find('{') != std::string::npos) {
    const auto parsed = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!parsed.is_object()) return std::nullopt;
    for (const auto& [asked, sent] : parsed.items()) {
      if (!sent.is_string()) return std::nullopt;
      models[asked] = sent;
    }
    return models;
  }
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string pair = text.substr(start, end - start);
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) return std::nullopt;
    const auto trimmed = [](std::string part) {
      part.erase(0, part.find_first_not_of(' '));
      part.erase(part.find_last_not_of(' ') + 1);
      return part;
    };
    models[trimmed(pair.substr(0, equals))] = trimmed(pair.substr(equals + 1));
    start = end + 1;
  }
  return models;
}

}  // namespace

std::optional<std::string> environment_variable(const LoadOptions& options,
                                                const std::string& name) {
  if (options.process_environment) return options.process_environment(name);
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<Variables> read_variables(const Value& config, const std::filesystem::path& root,
                                 const LoadOptions& options, Findings& findings) {
  Collector collector(options, findings);
  collector.vars(config);
  collector.require(config);
  if (Status status = collector.files(root); !status.ok()) return status.error();
  collector.command_line();
  collector.tell_missing();
  return collector.take();
}

nlohmann::ordered_json read_ai(const Bindings& bindings, const Variables& variables,
                               const LoadOptions& options, Findings& findings) {
  const auto get = [&](const char* name) { return lookup(name, variables, options); };
  nlohmann::ordered_json document = ai_service(get);
  const bool key_missing = document["key"].get_ref<const std::string&>().empty() &&
                           !document["keyName"].get_ref<const std::string&>().empty();
  if (bindings.has_ai && key_missing) {
    findings.warn(bindings.ai_at,
                  "env." + bindings.ai_name +
                      " has no service to ask: add OPENROUTER_API_KEY=… to .dev.vars beside the "
                      "configuration, or HEARTH_AI_BASE_URL=… for an OpenAI-compatible service of "
                      "your own; until then its calls fail with this reason",
                  "C118");
  }
  if (const auto text = get("HEARTH_AI_MODELS")) {
    if (auto models = ai_models(*text)) {
      document["models"] = *std::move(models);
    } else {
      findings.warn(bindings.ai_at,
                    "HEARTH_AI_MODELS is neither a JSON object of strings nor name=name,name=name",
                    "C104");
    }
  }
  return document;
}

}  // namespace hearth::project
