// A prepared statement and the cache of those that are idle. Belongs to its connection's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct sqlite3_stmt;

namespace hearth::storage {

class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  sqlite3_stmt* raw() const { return raw_; }
  explicit operator bool() const { return raw_ != nullptr; }

  // Ends the run; bindings are cleared with it so that no large value is kept.
  void reset();
  bool read_only() const { return read_only_; }
  void set_read_only(bool read_only) { read_only_ = read_only; }

  bool in_use = false;
  bool wants_transaction = false;  // as Rules says it
  bool alters = false;
  std::uint64_t last_used = 0;
  // The caller's own, kept for as long as the statement is cached (the addon's column names).
  std::shared_ptr<void> attachment;
  // How often SQLite had prepared it anew when `attachment` was made.
  int attachment_prepares = 0;

 private:
  sqlite3_stmt* raw_ = nullptr;
  bool read_only_ = false;
};

// Idle and running statements by their text, bounded: past the bound the least recently used idle
// one is forgotten.
class StatementCache {
 public:
  Statement* find(std::string_view sql);
  // Keeps it if there is room or an idle one to forget; null when it could not be kept.
  Statement* keep(std::string_view sql, Statement&& statement);
  void clear() { statements_.clear(); }
  std::size_t size() const { return statements_.size(); }

 private:
  static constexpr std::size_t kStatementsMax = 128;
  static constexpr std::size_t kTextBytesMax = 4 * 1024;

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::unique_ptr<Statement>, Hash, std::equal_to<>> statements_;
  std::uint64_t clock_ = 0;
};

}  // namespace hearth::storage
