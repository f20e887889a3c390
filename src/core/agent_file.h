// An agent's database as a file that nobody has open: looked at, and copied whole with what its log
// still holds. Works on files of workerd's as well as of ours. For commands on a stopped server;
// blocks. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::core {

struct AgentFileFacts {
  std::int64_t bytes = 0;
  std::int64_t keys = 0;
  std::vector<std::pair<std::string, std::int64_t>> tables;  // user code's, with their rows
  std::optional<std::int64_t> alarm_ms;
  std::string name;  // that the SDK stored; not verified
};

// kCorrupt: it is no whole database. The file may be tidied (its log moved into it).
Result<AgentFileFacts> inspect_agent_file(const std::filesystem::path& file);

// Its alarm alone, without looking through it all.
Result<std::optional<std::int64_t>> alarm_of_agent_file(const std::filesystem::path& file);

// Copies the database with its log to `to`, which appears whole, checked and synced or not at all.
// `from` is not touched. kConflict: `to` is there already.
Status copy_agent_file(const std::filesystem::path& from, const std::filesystem::path& to);

// Where the SDK has stored the agent's name in its key-value table, puts another there.
Status rename_in_agent_file(const std::filesystem::path& file, std::string_view name);

// One row of workerd's index of alarms, <namespace>/metadata.sqlite.
struct IndexedAlarm {
  std::string id;
  std::int64_t at_ms = 0;
  std::string name;
};
Result<std::vector<IndexedAlarm>> read_alarm_index(const std::filesystem::path& file);
Status write_alarm_index(const std::filesystem::path& file,
                         const std::vector<IndexedAlarm>& alarms);

}  // namespace hearth::core
