#include "core/state_store.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "core/agent_name.h"
#include "wire/agent_ids.h"

namespace hearth::core {

namespace {

namespace fs = std::filesystem;

constexpr char kIndex[] = "metadata.sqlite";  // workerd's, in each namespace's folder
constexpr char kBackedUpNames[] = "names.sqlite";

bool is_agent_file(const fs::path& path) {
  return path.extension() == ".sqlite" && wire::parse_agent_id(path.stem().string()).has_value();
}

std::string hex(const wire::AgentIdBytes& bytes) {
  return AgentId{0, bytes}.hex();
}

std::vector<fs::path> sorted(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const auto& each : fs::directory_iterator(folder, error)) entries.push_back(each.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool holds_agents(const fs::path& disk) {
  for (const fs::path& space : sorted(disk)) {
    const std::vector<fs::path> files = sorted(space);
    if (std::any_of(files.begin(), files.end(), is_agent_file)) return true;
  }
  return false;
}

// The folder of namespaces' folders in what the user named.
fs::path disk_in(const fs::path& path) {
  for (const char* below : {"", "do", "v3/do", "state/v3/do", ".wrangler/state/v3/do"}) {
    const fs::path disk = *below == '\0' ? path : path / below;
    if (holds_agents(disk)) return disk;
  }
  return {};
}

void remove_agent_files(const fs::path& file) {
  std::error_code error;
  for (const char* suffix :
       {"", "-wal", "-shm", "-history", "-history-old", "-restore", "-wal-restore"}) {
    fs::remove(file.string() + suffix, error);
  }
  fs::remove_all(facets_of(file), error);
}

}  // namespace

Result<std::unique_ptr<StateStore>> StateStore::open(const fs::path& state, Open how) {
  std::error_code error;
  if (how == Open::kExisting && !fs::exists(state / "registry.sqlite", error) &&
      !fs::exists(state / "do", error)) {
    return Error{ErrorCode::kNotFound,
                 state.string() + " holds no state of hearth's; name the directory with --state"};
  }
  std::unique_ptr<StateStore> store(new StateStore(state));
  auto registry = Registry::open(state, store->loop_);
  if (!registry) return registry.error();
  store->registry_ = std::move(registry).value();
  store->access_ = std::make_unique<DiskAccess>(*store->registry_);
  if (Status status = store->mend_index(); !status) return status.error();
  store->index_is_whole_ = true;
  return store;
}

std::unique_ptr<StateStore> StateStore::of_server(const fs::path& state,
                                                  std::unique_ptr<StateAccess> server) {
  std::unique_ptr<StateStore> store(new StateStore(state));
  store->access_ = std::move(server);
  return store;
}

StateStore::~StateStore() {
  if (registry_ && index_is_whole_) registry_->close();
}

// After an end that was not orderly the index of alarms may lack some. The databases are the truth.
Status StateStore::mend_index() {
  if (registry_->was_closed_cleanly() && registry_->last_written_ms() >= 0) return {};
  for (const AgentEntry& each : agents()) {
    const auto alarm = alarm_of_agent_file(each.file);
    if (!alarm) continue;  // a damaged one is told of by who asks for it
    if (*alarm) {
      registry_->set_alarm({each.unique_key, each.id, each.name, **alarm, 0});
    } else {
      registry_->clear_alarm(each.unique_key, each.id);
    }
  }
  return registry_->flush();
}

std::vector<AgentEntry> StateStore::agents() {
  std::map<std::pair<std::string, std::string>, std::string> names;
  for (StoredAgent& each : access_->names()) {
    names[{each.unique_key, each.id}] = std::move(each.name);
  }
  std::vector<AgentEntry> found;
  for (const fs::path& space : sorted(folder())) {
    const std::string key = space.filename().string();
    for (const fs::path& file : sorted(space)) {
      if (!is_agent_file(file)) continue;
      const std::string id = file.stem().string();
      const auto name = names.find({key, id});
      found.push_back({key, id, name == names.end() ? "" : name->second, file});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const AgentEntry& a, const AgentEntry& b) {
    return std::tie(a.unique_key, a.name) < std::tie(b.unique_key, b.name);
  });
  return found;
}

Result<AgentEntry> StateStore::find(std::string_view text) {
  std::vector<AgentEntry> matches;
  for (AgentEntry& each : agents()) {
    const bool match = is_called(each.unique_key, each.id, each.name, text);
    if (match) matches.push_back(std::move(each));
  }
  if (matches.size() == 1) return matches[0];
  if (matches.empty()) {
    return Error{ErrorCode::kNotFound, "no agent is called " + std::string(text) +
                                           "; `hearth state list` shows all of them"};
  }
  std::string message = "several agents are called " + std::string(text) + ":";
  for (const AgentEntry& each : matches) message += " " + each.unique_key + "/" + each.id;
  return Error{ErrorCode::kInvalid, message};
}

Result<AgentFileFacts> StateStore::inspect(const AgentEntry& agent) {
  if (registry_) return inspect_agent_file(agent.file);
  std::error_code error;
  const fs::path copy =
      fs::temp_directory_path(error) / ("hearth-show-" + std::to_string(::getpid()) + ".sqlite");
  fs::remove(copy, error);
  const Status status = access_->copy_out(agent, copy, StateAccess::Facets::kWithout);
  if (!status) return status.error();
  auto facts = inspect_agent_file(copy);
  remove_agent_files(copy);
  return facts;
}

// ---- in ---------------------------------------------------------------------------------------

Result<std::vector<StateStore::Incoming>> StateStore::look_into(const fs::path& disk,
                                                                Carried& carried) {
  std::vector<Incoming> incoming;
  for (const fs::path& space : sorted(disk)) {
    const std::string key = space.filename().string();
    std::map<std::string, std::string> names;
    auto index = read_alarm_index(space / kIndex);
    if (!index) {
      carried.warnings.push_back("names could not be read from " + index.error().message);
    } else {
      for (IndexedAlarm& each : *index) names[each.id] = std::move(each.name);
    }
    wire::AgentIds ids(key);
    for (const fs::path& file : sorted(space)) {
      if (!is_agent_file(file)) continue;
      const std::string id = file.stem().string();
      if (!ids.belongs(*wire::parse_agent_id(id))) {
        return Error{ErrorCode::kInvalid,
                     file.string() + ": this id was not made for " + key +
                         "; was the folder renamed? Agents are bound to <worker>-<class>"};
      }
      std::string name = is_id_of(key, id, names[id]) ? names[id] : std::string();
      incoming.push_back({{key, id, name, folder() / key / file.filename()}, file});
      std::error_code error;
      if (fs::is_regular_file(facets_of(file), error)) {
        carried.warnings.push_back(key + "/" + id +
                                   " has facets, which workerd keeps in another "
                                   "way: they stay behind");
      }
    }
  }
  return incoming;
}

Status StateStore::take(const std::vector<Incoming>& incoming, Carried& carried) {
  std::error_code error;
  std::string there;
  for (const Incoming& each : incoming) {
    if (fs::exists(each.agent.file, error)) {
      there += "\n  " + each.agent.unique_key + "/" + each.agent.id;
    }
  }
  if (!there.empty()) {
    return Error{ErrorCode::kConflict,
                 "these agents are there already, and nothing is overwritten:" + there};
  }
  std::vector<AgentEntry> added;
  for (const Incoming& each : incoming) added.push_back(each.agent);
  Status status = access_->may_be_added(added);
  if (!status) return status;
  for (const Incoming& each : incoming) {
    carried.agents.push_back(each.agent);
    AgentEntry& agent = carried.agents.back();
    status = copy_agent_file(each.from, agent.file);
    if (status) status = copy_facets(facets_of(each.from), facets_of(agent.file));
    if (!status) break;
    if (agent.name.empty()) {
      const auto facts = inspect_agent_file(agent.file);
      if (facts && is_id_of(agent.unique_key, agent.id, facts->name)) agent.name = facts->name;
    }
  }
  if (status) status = access_->add(carried.agents);
  if (status) return status;
  for (const AgentEntry& each : carried.agents) remove_agent_files(each.file);
  return Error{status.error().code, status.error().message + "; nothing was taken"};
}

Result<Carried> StateStore::import_from(const fs::path& path) {
  const fs::path disk = disk_in(path);
  if (disk.empty()) {
    return Error{ErrorCode::kNotFound,
                 path.string() +
                     " holds no Durable Objects: neither a workerd disk (<unique key>/<id>.sqlite) "
                     "nor a wrangler state directory (v3/do/<worker>-<class>/<id>.sqlite)"};
  }
  Carried carried;
  auto incoming = look_into(disk, carried);
  if (!incoming) return incoming.error();
  if (Status status = take(*incoming, carried); !status) return status.error();
  return carried;
}

Result<Carried> StateStore::restore_from(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path / kBackedUpNames, error)) {
    return Error{ErrorCode::kNotFound, path.string() + " is no backup of `hearth state backup`"};
  }
  if (!agents().empty()) {
    return Error{ErrorCode::kConflict, state_.string() +
                                           " holds agents already; restore to another --state, or "
                                           "move this one away"};
  }
  auto names = read_alarm_index(path / kBackedUpNames);
  if (!names) return names.error();
  Carried carried;
  auto incoming = look_into(path / "do", carried);
  if (!incoming) return incoming.error();
  std::map<std::string, std::string> name_of;
  for (IndexedAlarm& each : *names) name_of[each.id] = std::move(each.name);
  for (Incoming& each : *incoming) each.agent.name = name_of[each.agent.id];
  if (Status status = take(*incoming, carried); !status) return status.error();
  return carried;
}

// ---- out --------------------------------------------------------------------------------------

Result<Carried> StateStore::export_to(const fs::path& path) {
  Carried carried;
  std::map<std::string, std::vector<IndexedAlarm>> indices;
  for (const AgentEntry& each : agents()) {
    const fs::path to = path / each.unique_key / each.file.filename();
    const Status copied = access_->copy_out(each, to, StateAccess::Facets::kWithout);
    if (!copied) return copied.error();
    const auto alarm = alarm_of_agent_file(to);
    if (!alarm) return alarm.error();
    std::vector<IndexedAlarm>& index = indices[each.unique_key];
    if (*alarm) index.push_back({each.id, **alarm, each.name});
    std::error_code error;
    if (fs::is_directory(facets_of(each.file), error)) {
      carried.warnings.push_back(
          each.unique_key + "/" + each.id +
          " has facets, which workerd keeps in another way: they stay behind");
    }
    carried.agents.push_back(each);
  }
  for (const auto& [key, index] : indices) {
    if (Status status = write_alarm_index(path / key / kIndex, index); !status) {
      return status.error();
    }
  }
  return carried;
}

Result<Carried> StateStore::back_up_to(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) && !sorted(path).empty()) {
    return Error{ErrorCode::kConflict, path.string() + " is not empty"};
  }
  Carried carried;
  std::vector<IndexedAlarm> names;
  fs::create_directories(path, error);
  for (const AgentEntry& each : agents()) {
    const fs::path to = path / "do" / each.unique_key / each.file.filename();
    const Status copied = access_->copy_out(each, to, StateAccess::Facets::kWith);
    if (!copied && copied.error().code == ErrorCode::kNotFound) continue;  // it is gone meanwhile
    if (!copied) return copied.error();
    names.push_back({each.id, 0, each.name});
    carried.agents.push_back(each);
  }
  // The last file: a backup without it is not whole, and is not restored.
  Status status = write_alarm_index(path / kBackedUpNames, names);
  if (!status) return status.error();
  return carried;
}

Result<AgentEntry> StateStore::fork(const AgentEntry& agent, std::string_view name) {
  wire::AgentIds ids(agent.unique_key);
  AgentEntry copy{agent.unique_key, hex(ids.from_name(name)), std::string(name), {}};
  copy.file = agent.file.parent_path() / (copy.id + ".sqlite");
  Status status = access_->may_be_added({copy});
  if (!status) return status.error();
  status = access_->copy_out(agent, copy.file, StateAccess::Facets::kWith);
  if (!status && status.error().code == ErrorCode::kConflict) {
    return Error{ErrorCode::kConflict, "an agent called " + copy.name + " is there already"};
  }
  if (status) status = rename_in_agent_file(copy.file, name);
  if (status) status = access_->add({copy});
  if (status) return copy;
  remove_agent_files(copy.file);
  return status.error();
}

}  // namespace hearth::core
