#include "core/registry.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "os/files.h"

namespace hearth::core {

namespace {

constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS namespaces (
  unique_key TEXT PRIMARY KEY, worker TEXT NOT NULL, class TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS migrations (
  worker TEXT NOT NULL, tag TEXT NOT NULL, applied_ms INTEGER NOT NULL,
  PRIMARY KEY (worker, tag)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS agents (
  unique_key TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, open INTEGER NOT NULL,
  PRIMARY KEY (unique_key, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS agents_open ON agents (open) WHERE open;
CREATE TABLE IF NOT EXISTS alarms (
  unique_key TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, at_ms INTEGER NOT NULL,
  retries INTEGER NOT NULL, PRIMARY KEY (unique_key, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trash (
  unique_key TEXT PRIMARY KEY, folder TEXT NOT NULL) WITHOUT ROWID;
)";

// In the order of Registry::Change; ?1 key, ?2 id, ?3 text, ?4 time, ?5 retries.
constexpr const char* kStatements[] = {
    "INSERT OR REPLACE INTO alarms (unique_key, id, name, at_ms, retries) VALUES (?1,?2,?3,?4,?5)",
    "DELETE FROM alarms WHERE unique_key = ?1 AND id = ?2",
    "INSERT INTO agents (unique_key, id, name, open) VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE "
    "SET open = 1, name = CASE WHEN ?3 = '' THEN name ELSE ?3 END",
    "UPDATE agents SET open = 0 WHERE unique_key = ?1 AND id = ?2",
};

std::string column(sqlite3_stmt* statement, int index) {
  const unsigned char* text = sqlite3_column_text(statement, index);
  return text == nullptr
             ? std::string()
             : std::string(reinterpret_cast<const char*>(text),
                           static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
}

void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

Error refused(const std::filesystem::path& path, std::string_view why) {
  return Error{ErrorCode::kIo, "S305: the state directory cannot be used: " + path.string() + ": " +
                                   std::string(why)};
}

// `database` may be null.
Error refused_file(const std::filesystem::path& path, sqlite3* database) {
  if (database == nullptr) return refused(path, "no memory");
  const std::string why = sqlite3_errmsg(database);
  const int code = sqlite3_errcode(database);
  if (code != SQLITE_NOTADB && code != SQLITE_CORRUPT) return refused(path, why);
  return Error{ErrorCode::kCorrupt,
               "S305: " + path.string() + " is damaged (" + why +
                   "); put the one of a backup in its place (hearth state restore), or give "
                   "--state DIR"};
}

}  // namespace

void Registry::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<std::unique_ptr<Registry>> Registry::open(const std::filesystem::path& state,
                                                 os::Loop& loop) {
  std::unique_ptr<Registry> registry(new Registry(loop));
  const Status acquired = registry->acquire(state);
  if (!acquired) return acquired.error();
  return registry;
}

Result<std::unique_ptr<Registry>> Registry::look(const std::filesystem::path& state,
                                                 os::Loop& loop) {
  std::unique_ptr<Registry> registry(new Registry(loop));
  const std::filesystem::path path = state / "registry.sqlite";
  sqlite3* database = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr);
  registry->database_.reset(database);
  if (opened != SQLITE_OK) return refused(path, database ? sqlite3_errmsg(database) : "no memory");
  return registry;
}

void Registry::release() {
  static_cast<void>(flush());
  for (sqlite3_stmt*& statement : statements_) sqlite3_finalize(std::exchange(statement, nullptr));
  database_.reset();
  lock_.reset();
}

Status Registry::acquire(const std::filesystem::path& state) {
  database_.reset();
  const Status made = os::make_directories(state);
  if (!made) return refused(state, made.error().message);
  auto lock = os::lock_file(state / "lock");
  if (!lock && lock.error().code == ErrorCode::kConflict) {
    return Error{ErrorCode::kConflict, "S305: the state directory " + state.string() +
                                           " is in use by another hearth (process " +
                                           lock.error().message +
                                           "); stop that one, or give this one --state DIR"};
  }
  if (!lock) return refused(state, lock.error().message);
  lock_ = std::move(lock).value();
  return prepare(state / "registry.sqlite");
}

Status Registry::prepare(const std::filesystem::path& path) {
  last_written_ms_ = std::max(os::modified_ms(path), os::modified_ms(path.string() + "-wal"));
  sqlite3* database = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  database_.reset(database);
  if (opened != SQLITE_OK) return refused_file(path, database);
  Status status = run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
  if (status) status = run(kSchema);
  if (!status) return refused_file(path, database);

  const std::string format = text_of("SELECT value FROM meta WHERE key = 'format'");
  if (!format.empty() && std::atoi(format.c_str()) > kRegistryFormat) {
    return Error{ErrorCode::kConflict,
                 "S305: " + path.string() + " has format " + format +
                     ", written by a newer hearth; this one reads up to format " +
                     std::to_string(kRegistryFormat) + ": update hearth, or give --state DIR"};
  }
  was_clean_ = format.empty() || text_of("SELECT value FROM meta WHERE key = 'clean'") == "1";
  status = run(("INSERT OR REPLACE INTO meta VALUES ('format', '" +
                std::to_string(kRegistryFormat) + "'), ('clean', '0')")
                   .c_str());
  if (!status) return refused(path, status.error().message);
  for (std::size_t i = 0; i < std::size(kStatements); ++i) {
    if (sqlite3_prepare_v3(database_.get(), kStatements[i], -1, SQLITE_PREPARE_PERSISTENT,
                           &statements_[i], nullptr) != SQLITE_OK) {
      return refused(path, sqlite3_errmsg(database_.get()));
    }
  }
  return {};
}

Registry::~Registry() {
  *alive_ = false;
  if (database_) static_cast<void>(flush());
  for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
}

Status Registry::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return Error{ErrorCode::kIo, sqlite3_errmsg(database_.get())};
}

std::string Registry::text_of(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) return {};
  std::string text;
  if (sqlite3_step(statement) == SQLITE_ROW) text = column(statement, 0);
  sqlite3_finalize(statement);
  return text;
}

std::vector<StoredAlarm> Registry::alarms() {
  std::vector<StoredAlarm> alarms;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(),
                         "SELECT unique_key, id, name, at_ms, retries FROM alarms ORDER BY at_ms",
                         -1, &statement, nullptr) == SQLITE_OK) {
    while (sqlite3_step(statement) == SQLITE_ROW) {
      alarms.push_back({column(statement, 0), column(statement, 1), column(statement, 2),
                        sqlite3_column_int64(statement, 3),
                        static_cast<std::uint32_t>(sqlite3_column_int64(statement, 4))});
    }
  }
  sqlite3_finalize(statement);
  return alarms;
}

std::vector<StoredAgent> Registry::open_agents() {
  return read_agents("SELECT unique_key, id, name FROM agents WHERE open");
}

std::vector<StoredAgent> Registry::agents() {
  return read_agents("SELECT unique_key, id, name FROM agents");
}

std::vector<StoredAgent> Registry::read_agents(const char* sql) {
  std::vector<StoredAgent> agents;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) == SQLITE_OK) {
    while (sqlite3_step(statement) == SQLITE_ROW) {
      agents.push_back({column(statement, 0), column(statement, 1), column(statement, 2)});
    }
  }
  sqlite3_finalize(statement);
  return agents;
}

std::string Registry::name_of(std::string_view unique_key, std::string_view id) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(),
                         "SELECT name FROM agents WHERE unique_key = ?1 AND id = ?2", -1,
                         &statement, nullptr) != SQLITE_OK) {
    return {};
  }
  bind_text(statement, 1, unique_key);
  bind_text(statement, 2, id);
  std::string name;
  if (sqlite3_step(statement) == SQLITE_ROW) name = column(statement, 0);
  sqlite3_finalize(statement);
  return name;
}

void Registry::set_alarm(const StoredAlarm& alarm) {
  add({Change::kSetAlarm, alarm.unique_key, alarm.id, alarm.name, alarm.at_ms, alarm.retries});
}
void Registry::clear_alarm(std::string_view unique_key, std::string_view id) {
  add({Change::kClearAlarm, std::string(unique_key), std::string(id), {}});
}
void Registry::agent_opened(std::string_view unique_key, std::string_view id,
                            std::string_view name) {
  add({Change::kOpened, std::string(unique_key), std::string(id), std::string(name)});
}
void Registry::agent_closed(std::string_view unique_key, std::string_view id) {
  add({Change::kClosed, std::string(unique_key), std::string(id), {}});
}
void Registry::add(Pending pending) {
  pending_.push_back(std::move(pending));
  if (std::exchange(flush_due_, true)) return;
  loop_.defer([this, alive = alive_] {
    if (*alive) static_cast<void>(flush());
  });
}

bool Registry::write(const Pending& pending) {
  sqlite3_stmt* statement = statements_[static_cast<std::size_t>(pending.change)];
  bind_text(statement, 1, pending.key);
  bind_text(statement, 2, pending.id);
  const int parameters = sqlite3_bind_parameter_count(statement);
  if (parameters >= 3) bind_text(statement, 3, pending.text);
  if (parameters >= 5) {
    sqlite3_bind_int64(statement, 4, pending.at_ms);
    sqlite3_bind_int64(statement, 5, pending.retries);
  }
  const bool done = sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_reset(statement);
  return done;
}

Status Registry::flush() {
  flush_due_ = false;
  if (pending_.empty() || !lock_) return {};
  Status status = run("BEGIN");
  if (!status) return status;
  bool all = true;
  for (const Pending& pending : pending_) all = write(pending) && all;
  pending_.clear();
  status = run("COMMIT");
  if (status && !all) return Error{ErrorCode::kIo, "a change to the registry was refused"};
  return status;
}

void Registry::close() {
  static_cast<void>(flush());
  static_cast<void>(run("UPDATE meta SET value = '1' WHERE key = 'clean'"));
}

}  // namespace hearth::core
