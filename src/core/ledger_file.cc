#include "core/ledger_file.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace hearth::core {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t kKnownMax = 20'000;
constexpr std::int64_t kTrimAllEvery = 10'000;

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS agents (
  agent INTEGER PRIMARY KEY, unique_key TEXT NOT NULL, id TEXT NOT NULL, UNIQUE (unique_key, id));
CREATE TABLE IF NOT EXISTS entries (
  entry INTEGER PRIMARY KEY AUTOINCREMENT, agent INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  kind INTEGER NOT NULL, host INTEGER NOT NULL, code INTEGER NOT NULL, number INTEGER NOT NULL,
  text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_agent ON entries (agent, entry);
)";

void bind_text(sqlite3_stmt* statement, int at, std::string_view text) {
  sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

LedgerRecord record_of(sqlite3_stmt* row) {
  LedgerRecord record;
  record.at_ms = sqlite3_column_int64(row, 0);
  record.kind = static_cast<LedgerKind>(sqlite3_column_int(row, 1));
  record.host = static_cast<std::uint32_t>(sqlite3_column_int64(row, 2));
  record.code = static_cast<std::uint16_t>(sqlite3_column_int(row, 3));
  record.number = sqlite3_column_int64(row, 4);
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, 5));
  record.text.assign(text == nullptr ? "" : text,
                     static_cast<std::size_t>(sqlite3_column_bytes(row, 5)));
  return record;
}

}  // namespace

void LedgerFile::CloseDatabase::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}
void LedgerFile::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

LedgerFile::~LedgerFile() = default;

Error LedgerFile::refused() const {
  const int code = database_ ? sqlite3_errcode(database_.get()) : SQLITE_NOMEM;
  const bool corrupt = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  return {corrupt ? ErrorCode::kCorrupt : ErrorCode::kIo,
          path_.string() + ": " + (database_ ? sqlite3_errmsg(database_.get()) : "no memory")};
}

bool LedgerFile::run(const char* sql) {
  return sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

LedgerFile::Statement LedgerFile::prepare(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  return Statement(statement);
}

Result<std::unique_ptr<LedgerFile>> LedgerFile::open_file(const fs::path& file, bool writing) {
  std::unique_ptr<LedgerFile> opened(new LedgerFile());
  opened->path_ = file;
  sqlite3* raw = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writing ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  opened->database_.reset(raw);
  if (code != SQLITE_OK) return opened->refused();
  sqlite3_busy_timeout(raw, writing ? 5'000 : 500);
  if (!writing) return opened;
  if (Status status = opened->prepare_writing(); !status) return status.error();
  return opened;
}

Status LedgerFile::prepare_writing() {
  const bool good = run("PRAGMA journal_mode=WAL") && run("PRAGMA synchronous=OFF") &&
                    run("PRAGMA cache_size=-256") && run("PRAGMA journal_size_limit=1048576") &&
                    run("BEGIN IMMEDIATE") && run(kSchema) && run("COMMIT");
  if (!good) return refused();
  insert_ = prepare(
      "INSERT INTO entries (agent, at_ms, kind, host, code, number, text) VALUES (?,?,?,?,?,?,?)");
  if (!insert_) return refused();
  return {};
}

Result<std::unique_ptr<LedgerFile>> LedgerFile::open(const fs::path& state) {
  const fs::path file = state / kLedgerName;
  auto opened = open_file(file, true);
  if (opened || opened.error().code != ErrorCode::kCorrupt) return opened;
  std::error_code error;
  fs::rename(file, file.string() + ".damaged", error);
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(file.string() + suffix, error);
  return open_file(file, true);
}

Result<std::unique_ptr<LedgerFile>> LedgerFile::open_existing(const fs::path& state) {
  std::error_code error;
  if (!fs::exists(state / kLedgerName, error)) {
    return Error{ErrorCode::kNotFound, state.string() + " has no ledger yet"};
  }
  return open_file(state / kLedgerName, false);
}

// ---- writing

std::int64_t LedgerFile::number_of(const std::string& unique_key, const AgentId& agent) {
  const std::string id = agent.hex();
  const std::string whole = unique_key + "/" + id;
  if (const auto found = known_.find(whole); found != known_.end()) {
    ++found->second.written;
    return found->second.row;
  }
  if (known_.size() >= kKnownMax) known_.clear();
  const Statement add = prepare("INSERT OR IGNORE INTO agents (unique_key, id) VALUES (?,?)");
  const Statement find = prepare("SELECT agent FROM agents WHERE unique_key = ? AND id = ?");
  if (!add || !find) return 0;
  for (sqlite3_stmt* each : {add.get(), find.get()}) {
    bind_text(each, 1, unique_key);
    bind_text(each, 2, id);
  }
  sqlite3_step(add.get());
  if (sqlite3_step(find.get()) != SQLITE_ROW) return 0;
  // It may have many of an earlier time.
  known_[whole] = {sqlite3_column_int64(find.get(), 0), kLedgerSlack};
  return known_[whole].row;
}

bool LedgerFile::insert(const LedgerBatch& batch, const LedgerBatch::Entry& entry) {
  const std::int64_t row = number_of((*batch.unique_keys)[entry.agent.name_space], entry.agent);
  if (row == 0) return false;
  sqlite3_stmt* statement = insert_.get();
  sqlite3_reset(statement);
  sqlite3_bind_int64(statement, 1, row);
  sqlite3_bind_int64(statement, 2, entry.at_ms);
  sqlite3_bind_int(statement, 3, static_cast<int>(entry.kind));
  sqlite3_bind_int64(statement, 4, entry.host);
  sqlite3_bind_int(statement, 5, entry.code);
  sqlite3_bind_int64(statement, 6, entry.number);
  bind_text(statement, 7, batch.text(entry));
  ++written_;
  const bool good = sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_reset(statement);
  return good;
}

Status LedgerFile::write(const LedgerBatch& batch) {
  if (!run("BEGIN IMMEDIATE")) return refused();
  const bool good = std::all_of(batch.entries.begin(), batch.entries.end(),
                                [&](const auto& entry) { return insert(batch, entry); });
  if (good) trim();
  if (good && run("COMMIT")) return {};
  const Error error = refused();
  run("ROLLBACK");
  known_.clear();  // rows of agents may have gone with it
  return error;
}

// Agents with many new entries lose their oldest; now and then, so do all together.
void LedgerFile::trim() {
  const Statement cut = prepare(
      "DELETE FROM entries WHERE agent = ?1 AND entry <= (SELECT entry FROM entries WHERE agent = "
      "?1 ORDER BY entry DESC LIMIT 1 OFFSET ?2)");
  for (auto& [whole, known] : known_) {
    if (known.written < kLedgerSlack) continue;
    known.written = 0;
    sqlite3_bind_int64(cut.get(), 1, known.row);
    sqlite3_bind_int64(cut.get(), 2, kLedgerOfAgentMax);
    sqlite3_step(cut.get());
    sqlite3_reset(cut.get());
  }
  if (written_ < kTrimAllEvery) return;
  written_ = 0;
  const std::string oldest =
      "DELETE FROM entries WHERE entry <= (SELECT entry FROM entries ORDER BY entry DESC LIMIT 1 "
      "OFFSET " +
      std::to_string(kLedgerInAllMax) + ")";
  run(oldest.c_str());
  run("DELETE FROM agents WHERE agent NOT IN (SELECT agent FROM entries)");
  known_.clear();
}

// ---- reading

Result<std::vector<LedgerRecord>> LedgerFile::read(std::string_view unique_key, std::string_view id,
                                                   std::size_t limit) {
  const Statement select = prepare(
      "SELECT at_ms, kind, host, code, number, text FROM entries WHERE agent = (SELECT agent FROM "
      "agents WHERE unique_key = ? AND id = ?) ORDER BY entry DESC LIMIT ?");
  if (!select) return refused();
  bind_text(select.get(), 1, unique_key);
  bind_text(select.get(), 2, id);
  sqlite3_bind_int64(select.get(), 3, static_cast<std::int64_t>(limit));
  std::vector<LedgerRecord> records;
  int code;
  while ((code = sqlite3_step(select.get())) == SQLITE_ROW) {
    records.push_back(record_of(select.get()));
  }
  if (code != SQLITE_DONE) return refused();
  std::reverse(records.begin(), records.end());
  return records;
}

std::optional<LedgerRecord> LedgerFile::last(std::string_view unique_key, std::string_view id,
                                             LedgerKind kind) {
  const Statement select = prepare(
      "SELECT at_ms, kind, host, code, number, text FROM entries WHERE agent = (SELECT agent FROM "
      "agents WHERE unique_key = ? AND id = ?) AND kind = ? ORDER BY entry DESC LIMIT 1");
  if (!select) return std::nullopt;
  bind_text(select.get(), 1, unique_key);
  bind_text(select.get(), 2, id);
  sqlite3_bind_int(select.get(), 3, static_cast<int>(kind));
  if (sqlite3_step(select.get()) != SQLITE_ROW) return std::nullopt;
  return record_of(select.get());
}

}  // namespace hearth::core
