// load(): from the file's text to a Project, step by step, each of which lives in a file of its
// own.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/time_text.h"
#include "project/bindings.h"
#include "project/config_edits.h"
#include "project/documents.h"
#include "project/environments.h"
#include "project/files.h"
#include "project/findings.h"
#include "project/jsonc.h"
#include "project/keys.h"
#include "project/migrations.h"
#include "project/nearest.h"
#include "project/project.h"
#include "project/toml.h"
#include "project/variables.h"
#include "project/workers.h"

namespace hearth::project {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultName = "worker";  // wrangler's, so that its state can come along

Error refusal(const Findings& findings) {
  std::string message;
  for (const Finding& each : findings.all()) {
    if (each.weight == Weight::kFault) message += (message.empty() ? "" : "\n") + sentence(each);
  }
  return {ErrorCode::kInvalid, std::move(message)};
}

// The worker's name is part of a folder's name and of every id.
std::string worker_name(const Value& config, Findings& findings) {
  const std::optional<std::string> name = findings.text(config, "name", "name");
  if (!name || name->empty()) {
    if (config.find("name") == nullptr || name) {
      findings.warn(config.at,
                    "there is no \"name\"; \"worker\" is assumed, and agents are kept by the "
                    "worker's name",
                    "C104");
    }
    return std::string(kDefaultName);
  }
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  constexpr std::size_t kNameBytesMax = 200;
  if (!std::all_of(name->begin(), name->end(), allowed) || name->front() == '-' ||
      name->size() > kNameBytesMax) {
    findings.error(config.find("name")->at,
                   "\"name\" is \"" + *name +
                       "\", expected letters, digits, \"-\" and \"_\", such as \"my-worker\"",
                   "C104");
  }
  return *name;
}

bool names(const Value& config, std::string_view key, std::string_view member) {
  const Value* object = config.find(key);
  return object != nullptr && object->is_object() && object->find(member) != nullptr;
}

// Empty: only assets are served.
fs::path entry_point(const Value& config, const fs::path& root, Findings& findings) {
  const std::optional<std::string> main = findings.text(config, "main", "main");
  if (!main || main->empty()) {
    if ((config.find("main") == nullptr || main) && !names(config, "assets", "directory")) {
      findings.error(config.at,
                     "there is no \"main\"; add \"main\": \"src/server.ts\", the file that exports "
                     "the worker",
                     "C112");
    }
    return {};
  }
  fs::path path = (root / *main).lexically_normal();
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  if (names(config, "build", "command")) return path;  // which makes it, or the bundler tells
  std::vector<std::string> beside;
  std::error_code ended;
  for (fs::directory_iterator entry(path.parent_path(), ended), end; !ended && entry != end;
       entry.increment(ended)) {
    beside.push_back(entry->path().filename().string());
  }
  const std::optional<std::string> near = nearest(path.filename().string(), beside);
  findings.error(
      config.find("main")->at,
      "\"main\" is \"" + *main + "\", and there is no such file" +
          (near ? "; did you mean \"" + (fs::path(*main).parent_path() / *near).string() + "\"?"
                : ""),
      "C112");
  return path;
}

std::vector<KeyReport> report_keys(const Value& config, bool has_environments, Findings& findings) {
  std::vector<KeyReport> out;
  for (const Member& member : config.members) {
    if (const Key* key = find_key(member.key)) {
      // What works as it does at Cloudflare needs no note; the documentation has one for each.
      std::string note(key->support == KeySupport::kSupported ? "" : key->note);
      if (key->unsupported_bindings != BindingShape::kNone) note += "; using it throws";
      out.push_back({member.key, key->support, std::move(note)});
      continue;
    }
    const std::optional<std::string> near = nearest(member.key, key_names());
    const std::string hint = near ? "did you mean \"" + *near + "\"?" : "wrangler has no such key";
    out.push_back({member.key, KeySupport::kUnknown, hint});
    findings.warn(member.at, "the key \"" + member.key + "\" is unknown; " + hint, "C103",
                  member.key, near.value_or(""));
  }
  if (has_environments) {
    out.push_back({"env", find_key("env")->support, ""});
  }
  return out;
}

// A name that `env` would hold twice: the later one wins, as in an object literal.
void tell_duplicates(const std::vector<Binding>& bindings, Findings& findings) {
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (bindings[i].name != bindings[j].name) continue;
      findings.warn(bindings[i].at,
                    "\"" + bindings[i].name + "\" is bound twice: here and in line " +
                        std::to_string(bindings[j].at.line) + "; rename one",
                    "C105");
      break;
    }
  }
}

// Stands for a deployment's version: a change of the configuration is a new one.
std::optional<Binding> version_metadata(const Value& config, const fs::path& path,
                                        const std::string& text, Findings& findings) {
  const Value* entry =
      findings.expect(config.find("version_metadata"), Value::Kind::kObject, "version_metadata");
  if (entry == nullptr) return std::nullopt;
  const auto name = findings.required_text(*entry, "binding", "version_metadata.binding",
                                           "{ \"binding\": \"VERSION\" }");
  if (!name) return std::nullopt;
  std::error_code ignored;
  const auto written = fs::last_write_time(path, ignored);
  const auto written_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::file_clock::to_sys(written).time_since_epoch());
  std::uint64_t hash[2] = {14695981039346656037u, 1099511628211u};
  for (char c : text) {
    hash[0] = (hash[0] ^ static_cast<unsigned char>(c)) * 1099511628211u;
    hash[1] = (hash[1] ^ hash[0]) * 6364136223846793005u + 1442695040888963407u;
  }
  char id[40];
  std::snprintf(id, sizeof id, "%08x-%04x-4%03x-8%03x-%012llx",
                static_cast<unsigned>(hash[0] >> 32), static_cast<unsigned>(hash[0] >> 16 & 0xffff),
                static_cast<unsigned>(hash[0] & 0xfff), static_cast<unsigned>(hash[1] >> 52),
                static_cast<unsigned long long>(hash[1] & 0xffffffffffffu));
  return Binding{
      *name,
      entry->at,
      {{"type", "var"},
       {"name", *name},
       {"value", {{"id", id}, {"tag", ""}, {"timestamp", time_text(written_ms.count())}}}}};
}

// Their shape is checked elsewhere.
void note_declared(const Value& root, Project& project) {
  const Value* environments = root.find("env");
  if (environments == nullptr || !environments->is_object()) return;
  for (const Member& member : environments->members) {
    if (member.value.is_object()) project.environments.push_back(member.key);
  }
}

void note_required(const Value& config, Project& project) {
  const Value* secrets = config.find("secrets");
  const Value* required =
      secrets != nullptr && secrets->is_object() ? secrets->find("required") : nullptr;
  if (required == nullptr || !required->is_array()) return;
  for (const Value& each : required->items) {
    if (each.is_string()) project.required_secrets.push_back(each.text);
  }
}

void read_dev(const Value& config, Project& project, Findings& findings) {
  const Value* dev = findings.expect(config.find("dev"), Value::Kind::kObject, "dev");
  if (dev == nullptr) return;
  project.dev_ip = findings.text(*dev, "ip", "dev.ip").value_or("");
  const Value* port = dev->find("port");
  if (port == nullptr) return;
  if (!port->is(Value::Kind::kInteger) || port->integer < 0 || port->integer > 65535) {
    findings.error(port->at, "\"dev.port\" is no port: expected a number from 0 to 65535", "C104");
    return;
  }
  project.dev_port = static_cast<std::uint16_t>(port->integer);
}

Result<ParsedConfig> parse(const fs::path& path, const std::string& text) {
  const std::string name = path.filename().string();
  return path.extension() == ".toml" ? parse_toml(text, name) : parse_jsonc(text, name);
}

void note_parse(const FoundConfig& found, const ParsedConfig& parsed, Findings& findings) {
  for (const std::string& unused : found.unused) {
    findings.warn({}, "this file is used, and " + unused + " beside it is not read", "C111");
  }
  for (const Duplicate& duplicate : parsed.duplicates) {
    findings.warn(duplicate.second,
                  "\"" + duplicate.key + "\" is given twice: here and in line " +
                      std::to_string(duplicate.first.line) + "; the later one counts",
                  "C105");
  }
}

}  // namespace

namespace {

// Reads one configuration; what it binds of other workers is not looked at yet. Fills `list` with
// everything that it meets.
Result<Project> read_project(const LoadOptions& given, std::vector<Finding>& list,
                             fs::path& config_path, std::string& config_text) {
  LoadOptions options = given;
  // Wrangler's own variable stands in for --env.
  if (options.environment.empty()) {
    options.environment = environment_variable(options, "CLOUDFLARE_ENV").value_or("");
  }
  Result<FoundConfig> found = find_config(options.config);
  if (!found.ok()) return found.error();
  config_path = found->path;
  Result<std::string> text = read_config_file(found->path);
  if (!text.ok()) return text.error();
  config_text = *text;
  Result<ParsedConfig> parsed = parse(found->path, *text);
  if (!parsed.ok()) return parsed.error();

  Findings findings(found->path);
  // Whichever way it is left.
  const struct Keep {
    Findings& from;
    std::vector<Finding>& to;
    ~Keep() { to = from.all(); }
  } keep{findings, list};
  if (!parsed->root.is_object()) {
    findings.error(parsed->root.at,
                   "the configuration is " + std::string(describe(parsed->root.kind)) +
                       ", expected an object: { \"name\": …, \"main\": … }",
                   "C102");
    return refusal(findings);
  }
  note_parse(*found, *parsed, findings);

  Project project;
  note_declared(parsed->root, project);
  project.config_path = found->path;
  project.root = found->path.parent_path();
  const Value config = apply_environment(parsed->root, options.environment, findings);
  project.keys = report_keys(config, parsed->root.find("env") != nullptr, findings);
  note_required(config, project);
  project.name = worker_name(config, findings);
  project.main = entry_point(config, project.root, findings);
  read_dev(config, project, findings);
  project.crons = read_crons(config, findings);

  ClassHistory history = read_migrations(config, findings);
  Bindings bindings = read_bindings(config, project.name, history, findings);
  Result<Variables> variables = read_variables(config, project.root, options, findings);
  if (!variables.ok()) return variables.error();
  project.migrations = std::move(history.migrations);
  project.exports = std::move(history.exports);
  project.namespaces = bindings.namespaces;
  project.bindings = bindings.durable_objects;
  project.foreign = bindings.foreign;
  project.files = {project.config_path};
  project.files.insert(project.files.end(), variables->files.begin(), variables->files.end());

  nlohmann::ordered_json ai = read_ai(bindings, *variables, options, findings);
  std::vector<Binding> all = std::move(bindings.all);
  all.insert(all.end(), variables->bindings.begin(), variables->bindings.end());
  if (std::optional<Binding> version = version_metadata(config, found->path, *text, findings)) {
    project.version_binding = version->name;
    all.push_back(*std::move(version));
  }
  tell_duplicates(all, findings);

  const auto job = bundle_job(config, project, options.dev, findings);
  const auto document = worker_document(config, project, options.dev, all, std::move(ai), findings);
  if (findings.has_faults()) return refusal(findings);
  // Text from files may hold bytes that are no UTF-8; they become U+FFFD.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  project.bundle_job_json = job.dump(-1, ' ', false, kReplace);
  project.worker_json = document.dump(-1, ' ', false, kReplace);
  for (const Finding& each : findings.all()) project.warnings.push_back(sentence(each));
  return project;
}

// A refusal that was worded before there was a place to put findings: its place and code are in it.
Finding from_sentence(const std::string& text, const fs::path& file) {
  Finding finding{.code = "C101", .weight = Weight::kFault, .message = text, .file = file};
  std::string_view rest = text;
  const std::string head = file.filename().string() + ":";
  unsigned line = 0;
  unsigned column = 0;
  int taken = 0;
  if (!file.empty() && rest.starts_with(head) &&
      std::sscanf(text.c_str() + head.size(), "%u:%u: %n", &line, &column, &taken) == 2) {
    finding.at = {line, column};
    rest.remove_prefix(head.size() + static_cast<std::size_t>(taken));
  }
  constexpr std::size_t kCodeSize = sizeof " (C101)" - 1;
  if (rest.size() > kCodeSize && rest.ends_with(')') && rest[rest.size() - 6] == '(') {
    finding.code = rest.substr(rest.size() - 5, 4);
    rest.remove_suffix(kCodeSize);
  }
  finding.message = rest;
  return finding;
}

}  // namespace

Result<std::vector<Project>> load_all(const LoadOptions& options) {
  std::vector<Project> all;
  LoadOptions one = options;
  one.others.clear();
  for (std::size_t i = 0; i <= options.others.size(); ++i) {
    if (i > 0) {
      one.config = options.others[i - 1];
      one.vars.clear();
    }
    std::vector<Finding> findings;
    fs::path path;
    std::string text;
    Result<Project> read = read_project(one, findings, path, text);
    if (!read && i > 0) {
      const std::string where = path.empty() ? "" : path.string() + ": ";
      return Error{read.error().code, where + read.error().message};
    }
    if (!read) return read.error();
    all.push_back(*std::move(read));
  }
  const Status distinct = check_names(all);
  if (!distinct) return distinct.error();
  for (Project& project : all) {
    for (const Finding& each : check_foreign(project, all)) {
      project.warnings.push_back(sentence(each));
    }
  }
  return all;
}

Result<Project> load(const LoadOptions& options) {
  Result<std::vector<Project>> all = load_all(options);
  if (!all) return all.error();
  return std::move(all->front());
}

Inspection inspect(const LoadOptions& options) {
  Inspection out;
  std::string text;
  LoadOptions alone = options;
  alone.others.clear();
  Result<Project> read = read_project(alone, out.findings, out.config_path, text);
  if (read) {
    out.project = *std::move(read);
    std::vector<Project> all{*out.project};
    for (const fs::path& other : options.others) {
      alone.config = other;
      alone.vars.clear();
      std::vector<Finding> unheard;
      fs::path path;
      std::string unread;
      if (Result<Project> beside = read_project(alone, unheard, path, unread)) {
        all.push_back(*std::move(beside));
      }
    }
    for (Finding& each : check_foreign(*out.project, all)) out.findings.push_back(std::move(each));
    out.others.assign(std::make_move_iterator(all.begin() + 1), std::make_move_iterator(all.end()));
  } else {
    out.error = read.error();
    const bool told =
        std::any_of(out.findings.begin(), out.findings.end(),
                    [](const Finding& each) { return each.weight == Weight::kFault; });
    if (!told) {
      out.findings.push_back(from_sentence(read.error().message, out.config_path));
      if (out.config_path.empty()) out.findings.back().code = "C111";
    }
  }
  if (options.environment.empty() && !out.config_path.empty()) {
    propose_config_edits(text, out.config_path, out.findings);
  }
  return out;
}

}  // namespace hearth::project
