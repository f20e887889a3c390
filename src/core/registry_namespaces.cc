// Which classes are stored and which migrations brought them there: read at start and at each
// deploy, and changed as a whole.
#include <sqlite3.h>

#include <algorithm>

#include "core/registry.h"

namespace hearth::core {

std::vector<std::vector<std::string>> Registry::rows(
    const char* sql, std::initializer_list<std::string_view> values) {
  std::vector<std::vector<std::string>> found;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) return found;
  int index = 0;
  for (const std::string_view value : values) {
    sqlite3_bind_text(statement, ++index, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
  }
  while (sqlite3_step(statement) == SQLITE_ROW) {
    std::vector<std::string>& row = found.emplace_back();
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
      const unsigned char* text = sqlite3_column_text(statement, column);
      row.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
    }
  }
  sqlite3_finalize(statement);
  return found;
}

Status Registry::run(const char* sql, std::initializer_list<std::string_view> values) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  int index = 0;
  for (const std::string_view value : values) {
    if (code == SQLITE_OK) {
      code = sqlite3_bind_text(statement, ++index, value.data(), static_cast<int>(value.size()),
                               SQLITE_TRANSIENT);
    }
  }
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  sqlite3_finalize(statement);
  if (code == SQLITE_DONE || code == SQLITE_ROW) return {};
  return Error{ErrorCode::kIo, "S305: the registry refused a change: " +
                                   std::string(sqlite3_errmsg(database_.get()))};
}

std::vector<StoredNamespace> Registry::namespaces() {
  std::vector<StoredNamespace> found;
  for (auto& row : rows("SELECT worker, class, unique_key FROM namespaces ORDER BY unique_key")) {
    found.push_back({std::move(row[0]), std::move(row[1]), std::move(row[2])});
  }
  return found;
}

std::vector<std::string> Registry::applied_tags(std::string_view worker) {
  std::vector<std::string> tags;
  for (auto& row :
       rows("SELECT tag FROM migrations WHERE worker = ?1 ORDER BY applied_ms", {worker})) {
    tags.push_back(std::move(row[0]));
  }
  return tags;
}

std::vector<TrashedNamespace> Registry::trash() {
  std::vector<TrashedNamespace> found;
  for (auto& row : rows("SELECT unique_key, folder FROM trash")) {
    found.push_back({std::move(row[0]), std::move(row[1])});
  }
  return found;
}

Status Registry::forget_trash(std::string_view unique_key) {
  return run("DELETE FROM trash WHERE unique_key = ?1", {unique_key});
}

std::string Registry::current_version() {
  return text_of("SELECT value FROM meta WHERE key = 'version'");
}

std::string Registry::previous_version() {
  return text_of("SELECT value FROM meta WHERE key = 'previous_version'");
}

Status Registry::change_namespaces(const NamespaceChange& change) {
  return change_namespaces(std::vector{change});
}

Status Registry::change_namespaces(const std::vector<NamespaceChange>& changes) {
  if (Status status = flush(); !status) return status;
  // A transaction is durable only with this; all others may be found again, this may not.
  Status status = run("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
  for (const NamespaceChange& each : changes) {
    if (status) status = write_change(each);
  }
  if (status) status = run("COMMIT");
  if (!status) (void)run("ROLLBACK").ok();
  (void)run("PRAGMA synchronous = NORMAL").ok();
  return status;
}

Status Registry::write_change(const NamespaceChange& change) {
  const std::string now = current_version();
  Status status;
  const auto step = [&](const char* sql, std::initializer_list<std::string_view> values) {
    if (status) status = run(sql, values);
  };
  for (const std::string& key : change.forgotten) {
    step("DELETE FROM namespaces WHERE unique_key = ?1", {key});
  }
  for (const TrashedNamespace& each : change.trashed) {
    step("DELETE FROM namespaces WHERE unique_key = ?1", {each.unique_key});
    step("DELETE FROM agents WHERE unique_key = ?1", {each.unique_key});
    step("DELETE FROM alarms WHERE unique_key = ?1", {each.unique_key});
    step("INSERT OR REPLACE INTO trash (unique_key, folder) VALUES (?1, ?2)",
         {each.unique_key, each.folder});
  }
  for (const StoredNamespace& each : change.set) {
    step(
        "INSERT INTO namespaces (unique_key, worker, class) VALUES (?1, ?2, ?3) ON CONFLICT DO "
        "UPDATE SET worker = ?2, class = ?3",
        {each.unique_key, each.worker, each.class_name});
  }
  // They are read in the order of their times, which therefore differ.
  for (const std::string& tag : change.tags) {
    step(
        "INSERT OR IGNORE INTO migrations (worker, tag, applied_ms) SELECT ?1, ?2, MAX(CAST(?3 AS "
        "INTEGER), COALESCE((SELECT MAX(applied_ms) + 1 FROM migrations WHERE worker = ?1), 0))",
        {change.worker, tag, std::to_string(change.now_ms)});
  }
  if (!change.version.empty() && change.version != now) {
    step("INSERT OR REPLACE INTO meta VALUES ('previous_version', ?1)", {now});
    step("INSERT OR REPLACE INTO meta VALUES ('version', ?1)", {change.version});
  }
  return status;
}

}  // namespace hearth::core
