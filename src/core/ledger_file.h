// The ledger on disk, <state>/ledger.sqlite: the last entries of each agent, bounded for each and
// in all. Written by one thread (LedgerWriter), read by any connection meanwhile. Nothing waits for
// the disk: what is written survives the death of any process, not a power cut; a file that one has
// damaged is put aside. The agents' truth is elsewhere; this is what people read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "core/ledger.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hearth::core {

inline constexpr char kLedgerName[] = "ledger.sqlite";
inline constexpr std::int64_t kLedgerOfAgentMax = 256;    // entries kept of one agent, and up to
inline constexpr std::int64_t kLedgerSlack = 64;          // so many more between two trims
inline constexpr std::int64_t kLedgerInAllMax = 200'000;  // about 20 MB

struct LedgerRecord {
  std::int64_t at_ms = 0;
  LedgerKind kind = LedgerKind::kWoke;
  std::uint32_t host = 0;
  std::uint16_t code = 0;
  std::int64_t number = 0;
  std::string text;
};

// One line for people, without the time: "socket 12 closed with 1000: by the client".
std::string describe(const LedgerRecord& record);
// The kind's name for programs: "woke", "socket-closed".
std::string_view name_of(LedgerKind kind);

class LedgerFile {
 public:
  // For writing; made where it is missing. One that is damaged is renamed, and begun anew.
  static Result<std::unique_ptr<LedgerFile>> open(const std::filesystem::path& state);
  // For reading. kNotFound: there is none yet.
  static Result<std::unique_ptr<LedgerFile>> open_existing(const std::filesystem::path& state);
  ~LedgerFile();

  Status write(const LedgerBatch& batch);
  // The last `limit` entries of an agent, oldest first.
  Result<std::vector<LedgerRecord>> read(std::string_view unique_key, std::string_view id,
                                         std::size_t limit);
  // The last entry of a kind.
  std::optional<LedgerRecord> last(std::string_view unique_key, std::string_view id,
                                   LedgerKind kind);

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  LedgerFile() = default;
  static Result<std::unique_ptr<LedgerFile>> open_file(const std::filesystem::path& file,
                                                       bool writing);
  Status prepare_writing();
  Statement prepare(const char* sql) const;
  bool run(const char* sql);
  Error refused() const;
  std::int64_t number_of(const std::string& unique_key, const AgentId& agent);
  bool insert(const LedgerBatch& batch, const LedgerBatch::Entry& entry);
  void trim();

  std::unique_ptr<sqlite3, CloseDatabase> database_;
  std::filesystem::path path_;
  Statement insert_;
  // Agents written of lately: their row, and how many entries since they were trimmed.
  struct Known {
    std::int64_t row = 0;
    std::int64_t written = 0;
  };
  std::unordered_map<std::string, Known> known_;
  std::int64_t written_ = 0;  // in all, since the last trim
};

}  // namespace hearth::core
