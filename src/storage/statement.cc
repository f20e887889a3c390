#include "storage/statement.h"

#include <sqlite3.h>

#include <utility>

namespace hearth::storage {

Statement::~Statement() {
  if (raw_ != nullptr) sqlite3_finalize(raw_);
}

Statement::Statement(Statement&& other) noexcept
    : in_use(other.in_use),
      wants_transaction(other.wants_transaction),
      alters(other.alters),
      last_used(other.last_used),
      attachment(std::move(other.attachment)),
      attachment_prepares(other.attachment_prepares),
      raw_(std::exchange(other.raw_, nullptr)),
      read_only_(other.read_only_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    std::destroy_at(this);
    std::construct_at(this, std::move(other));
  }
  return *this;
}

void Statement::reset() {
  sqlite3_reset(raw_);
  if (sqlite3_bind_parameter_count(raw_) > 0) sqlite3_clear_bindings(raw_);
}

Statement* StatementCache::find(std::string_view sql) {
  const auto found = statements_.find(sql);
  if (found == statements_.end()) return nullptr;
  found->second->last_used = ++clock_;
  return found->second.get();
}

Statement* StatementCache::keep(std::string_view sql, Statement&& statement) {
  if (sql.size() > kTextBytesMax) return nullptr;
  if (statements_.size() >= kStatementsMax) {
    auto oldest = statements_.end();
    for (auto each = statements_.begin(); each != statements_.end(); ++each) {
      if (each->second->in_use) continue;
      if (oldest == statements_.end() || each->second->last_used < oldest->second->last_used) {
        oldest = each;
      }
    }
    if (oldest == statements_.end()) return nullptr;
    statements_.erase(oldest);
  }
  statement.last_used = ++clock_;
  auto [place, inserted] =
      statements_.emplace(std::string(sql), std::make_unique<Statement>(std::move(statement)));
  return inserted ? place->second.get() : nullptr;
}

}  // namespace hearth::storage
