// The core's own database, <state>/registry.sqlite: which namespaces this state directory has seen,
// which agents are known by name, which were open when the core was last there, and the index of
// alarms. The agents' databases are the truth; this is what spares opening them all. Changes gather
// and are written in one transaction at the end of the loop's turn, without waiting for the disk:
// what a power cut takes is found again by probing (see Engine). A lock file keeps a second hearth
// away.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "os/world.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hearth::core {

inline constexpr int kRegistryFormat = 1;

struct StoredAlarm {
  std::string unique_key;
  std::string id;  // 64 hex digits
  std::string name;
  std::int64_t at_ms = 0;
  std::uint32_t retries = 0;
};

struct StoredAgent {
  std::string unique_key;
  std::string id;
  std::string name;
};

// A class whose agents are kept.
struct StoredNamespace {
  std::string worker;
  std::string class_name;
  std::string unique_key;
};

// Its agents are gone for the registry; the folder do/<unique key> is on its way to `folder`.
struct TrashedNamespace {
  std::string unique_key;
  std::string folder;  // its name in <state>/trash
};

// What migrations change, all of it in one transaction.
struct NamespaceChange {
  std::string worker;
  std::vector<StoredNamespace> set{};    // by unique key; another worker's may be among them
  std::vector<std::string> forgotten{};  // unique keys that have no agents
  std::vector<TrashedNamespace> trashed{};
  std::vector<std::string> tags{};  // migrations of the worker that are applied by it
  std::string version{};            // of the code, current from now on; empty: as it was
  std::int64_t now_ms = 0;
};

class Registry {
 public:
  // Makes the directory and the file where missing. kConflict: S305, another hearth holds it, or a
  // newer hearth wrote it; kIo: S305, it cannot be written.
  static Result<std::unique_ptr<Registry>> open(const std::filesystem::path& state, os::Loop& loop);
  // Another process's: it can be read, and is not written before acquire().
  static Result<std::unique_ptr<Registry>> look(const std::filesystem::path& state, os::Loop& loop);
  // After look() or release(): as open().
  Status acquire(const std::filesystem::path& state);
  // Lets go of the file and its lock, for another process; what changes meanwhile is written at the
  // next acquire().
  void release();
  ~Registry();

  // Whether the last owner shut down in order. From then on, until close(), it says no.
  bool was_closed_cleanly() const { return was_clean_; }
  // When this file was last written before it was opened, in milliseconds since the epoch; -1: new.
  std::int64_t last_written_ms() const { return last_written_ms_; }

  std::vector<StoredAlarm> alarms();
  // Agents that were awake when the core was last there, with their names.
  std::vector<StoredAgent> open_agents();
  // All that are known, asleep or awake.
  std::vector<StoredAgent> agents();
  std::string name_of(std::string_view unique_key, std::string_view id);
  std::vector<StoredNamespace> namespaces();
  // Migrations that were applied, in their order.
  std::vector<std::string> applied_tags(std::string_view worker);

  // Of the code that is served, and of the one before it; empty: none.
  std::string current_version();
  std::string previous_version();

  // Durable when it returns: what follows may move folders.
  Status change_namespaces(const NamespaceChange& change);
  // Of several workers: all or none.
  Status change_namespaces(const std::vector<NamespaceChange>& changes);
  // Deleted classes whose folders have not been moved yet (move_trash).
  std::vector<TrashedNamespace> trash();
  Status forget_trash(std::string_view unique_key);

  // Written with the turn.
  void set_alarm(const StoredAlarm& alarm);
  void clear_alarm(std::string_view unique_key, std::string_view id);
  void agent_opened(std::string_view unique_key, std::string_view id, std::string_view name);
  void agent_closed(std::string_view unique_key, std::string_view id);

  // Writes what has gathered.
  Status flush();
  // Writes everything and marks the shutdown as orderly.
  void close();

 private:
  enum class Change { kSetAlarm, kClearAlarm, kOpened, kClosed };
  struct Pending {
    Change change;
    std::string key;
    std::string id;
    std::string text;
    std::int64_t at_ms = 0;
    std::uint32_t retries = 0;
  };
  struct Close {
    void operator()(sqlite3* database) const;
  };

  Registry(os::Loop& loop) : loop_(loop) {}
  std::vector<StoredAgent> read_agents(const char* sql);
  Status prepare(const std::filesystem::path& path);
  Status write_change(const NamespaceChange& change);
  Status run(const char* sql);
  Status run(const char* sql, std::initializer_list<std::string_view> values);
  std::vector<std::vector<std::string>> rows(const char* sql,
                                             std::initializer_list<std::string_view> values = {});
  std::string text_of(const char* sql);
  void add(Pending pending);
  bool write(const Pending& pending);

  os::Loop& loop_;
  os::Descriptor lock_;
  std::unique_ptr<sqlite3, Close> database_;
  sqlite3_stmt* statements_[4] = {};
  std::vector<Pending> pending_;
  bool flush_due_ = false;
  bool was_clean_ = true;
  std::int64_t last_written_ms_ = -1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hearth::core
