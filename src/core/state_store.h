// A state directory: what `hearth state` works on. While no hearth serves it, the directory's lock
// is held, so that none starts meanwhile; while one does, that hearth is asked. Copies agents in
// and out with their names and alarms; every file that it makes appears whole or not at all, and
// nothing that is there is overwritten.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/agent_file.h"
#include "core/registry.h"
#include "core/state_access.h"

namespace hearth::core {

// What was carried, for the command to tell.
struct Carried {
  std::vector<AgentEntry> agents;
  std::vector<std::string> warnings;
};

class StateStore {
 public:
  enum class Open { kExisting, kMakeIfMissing };
  // kConflict: S305, a hearth has it; kNotFound: there is no state.
  static Result<std::unique_ptr<StateStore>> open(const std::filesystem::path& state, Open how);
  // Of a directory that a hearth serves, by way of that hearth.
  static std::unique_ptr<StateStore> of_server(const std::filesystem::path& state,
                                               std::unique_ptr<StateAccess> server);
  ~StateStore();

  // Every agent that has a file, by unique key and then name or id.
  std::vector<AgentEntry> agents();
  // By "name", "id", "key/name" or "key/id"; the key is the class or the whole unique key.
  // kInvalid: there are several, kNotFound: there is none.
  Result<AgentEntry> find(std::string_view text);
  // What is in its database.
  Result<AgentFileFacts> inspect(const AgentEntry& agent);
  // In milliseconds since the epoch.
  std::vector<StoredAlarm> alarms() { return access_->alarms(); }

  // Takes all agents of a workerd disk or a wrangler state directory. All or none.
  Result<Carried> import_from(const std::filesystem::path& path);
  // Writes them as a workerd disk: <path>/<unique key>/<id>.sqlite and metadata.sqlite.
  Result<Carried> export_to(const std::filesystem::path& path);
  // All of this directory, for `restore_from` on one that holds no agents.
  Result<Carried> back_up_to(const std::filesystem::path& path);
  Result<Carried> restore_from(const std::filesystem::path& path);
  // A copy of the agent under another name, in the same namespace.
  Result<AgentEntry> fork(const AgentEntry& agent, std::string_view name);

 private:
  // Everything is done at once here, and nothing by a loop.
  class NoLoop : public os::Loop {
   public:
    os::TimerId after(std::uint32_t, std::function<void()>) override { return {}; }
    void cancel(os::TimerId) override {}
    void defer(std::function<void()>) override {}
  };
  struct Incoming {
    AgentEntry agent;
    std::filesystem::path from;
  };

  explicit StateStore(std::filesystem::path state) : state_(std::move(state)) {}
  Status mend_index();
  std::filesystem::path folder() const { return state_ / "do"; }
  Result<std::vector<Incoming>> look_into(const std::filesystem::path& disk, Carried& carried);
  Status take(const std::vector<Incoming>& incoming, Carried& carried);

  std::filesystem::path state_;
  NoLoop loop_;
  std::unique_ptr<Registry> registry_;  // null: a server has it
  std::unique_ptr<StateAccess> access_;
  bool index_is_whole_ = false;
};

}  // namespace hearth::core
