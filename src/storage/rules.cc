#include "storage/rules.h"

#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace hearth::storage {

const char kTransactionRefusal[] =
    "To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT "
    "statements. The JavaScript API is safer because it will automatically roll back on "
    "exceptions, and because it interacts correctly with Durable Objects' automatic atomic write "
    "coalescing.";

namespace {

// Limits as workerd sets them. It lets a value or row grow past the 2 MB that Cloudflare documents,
// and state directories that it wrote hold such rows: so does this.
constexpr int kValueBytesMax = 8 * 1024 * 1024;
constexpr int kStatementBytesMax = 100'000;
constexpr int kColumnsMax = 100;
constexpr int kParametersMax = 100;
constexpr int kExpressionDepthMax = 100;
constexpr int kCompoundTermsMax = 5;
constexpr int kPatternBytesMax = 50;
constexpr int kTriggerDepthMax = 10;
constexpr int kOperationsMax = 25'000;

// Sorted. Everything that reads or computes; nothing that loads, tells of the build, or reaches the
// internals of a virtual table.
constexpr std::string_view kFunctions[] = {
    "->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "bm25",
    "ceil", "ceiling", "changes", "char", "coalesce", "concat", "concat_ws", "cos", "cosh", "count",
    "cume_dist", "current_date", "current_time", "current_timestamp", "date", "datetime", "degrees",
    "dense_rank", "exp", "first_value", "floor", "format", "fts5", "glob", "group_concat", "hex",
    "highlight", "ifnull", "iif", "instr", "json", "json_array", "json_array_length",
    "json_error_position", "json_extract", "json_group_array", "json_group_object", "json_insert",
    "json_object", "json_patch", "json_quote", "json_remove", "json_replace", "json_set",
    "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_extract", "jsonb_group_array",
    "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove",
    "jsonb_replace", "jsonb_set", "julianday", "lag", "last_insert_rowid", "last_value", "lead",
    "length", "like", "likelihood", "likely", "ln", "log", "log10", "log2", "lower", "ltrim",
    "match", "max", "min", "mod", "nth_value", "ntile", "nullif", "octet_length", "percent_rank",
    "pi", "pow", "power", "printf", "quote", "radians", "random", "randomblob", "rank", "replace",
    "round", "row_number", "rtreecheck", "rtrim", "sign", "sin", "sinh", "snippet", "sqrt",
    "strftime", "string_agg", "substr", "substring", "sum", "tan", "tanh", "time", "timediff",
    "total", "total_changes", "trim", "trunc", "typeof", "unhex", "unicode", "unixepoch",
    "unlikely", "upper", "zeroblob",
    // What ALTER TABLE calls inside; SQLite itself refuses them to anyone else.
    "sqlite_drop_column", "sqlite_fail", "sqlite_rename_column", "sqlite_rename_quotefix",
    "sqlite_rename_table", "sqlite_rename_test"};

// Pragmas by what they may be given.
constexpr std::string_view kPragmasWithoutValue[] = {"data_version", "page_size", "table_list"};
constexpr std::string_view kPragmasOfSwitches[] = {
    "case_sensitive_like",      "defer_foreign_keys", "foreign_keys",
    "ignore_check_constraints", "legacy_alter_table", "recursive_triggers",
    "reverse_unordered_selects"};
constexpr std::string_view kPragmasOfNames[] = {
    "foreign_key_check", "foreign_key_list", "index_info",  "index_list", "index_xinfo",
    "quick_check",       "table_info",       "table_xinfo", "table_list", "optimize"};
// What answers from the connection's own memory.
constexpr std::string_view kFunctionsOfConnection[] = {"changes", "last_insert_rowid",
                                                       "total_changes"};
constexpr std::string_view kModules[] = {"fts5", "fts5vocab", "rtree"};

std::string lower(const char* text) {
  std::string result = text == nullptr ? "" : text;
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

template <std::size_t kCount>
bool contains(const std::string_view (&list)[kCount], std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool is_ours(const char* name) {
  return lower(name).starts_with("_cf_");
}

}  // namespace

void Rules::install(sqlite3* connection) {
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, kValueBytesMax);
  sqlite3_limit(connection, SQLITE_LIMIT_SQL_LENGTH, kStatementBytesMax);
  sqlite3_limit(connection, SQLITE_LIMIT_COLUMN, kColumnsMax);
  sqlite3_limit(connection, SQLITE_LIMIT_VARIABLE_NUMBER, kParametersMax);
  sqlite3_limit(connection, SQLITE_LIMIT_EXPR_DEPTH, kExpressionDepthMax);
  sqlite3_limit(connection, SQLITE_LIMIT_COMPOUND_SELECT, kCompoundTermsMax);
  sqlite3_limit(connection, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, kPatternBytesMax);
  sqlite3_limit(connection, SQLITE_LIMIT_TRIGGER_DEPTH, kTriggerDepthMax);
  sqlite3_limit(connection, SQLITE_LIMIT_VDBE_OP, kOperationsMax);
  sqlite3_limit(connection, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_set_authorizer(connection, &Rules::authorize, this);
}

int Rules::authorize(void* self, int action, const char* first, const char* second,
                     const char* database, const char* /*trigger*/) {
  auto* rules = static_cast<Rules*>(self);
  if (rules->trusted_ > 0) return SQLITE_OK;
  return rules->allowed(action, first, second, database) ? SQLITE_OK : SQLITE_DENY;
}

bool Rules::allowed(int action, const char* first, const char* second, const char* database) {
  if (action == SQLITE_ALTER_TABLE) {  // the only one that names its database first
    alters_ = true;
    return std::string_view(first) == "main" && !is_ours(second);
  }
  // SQLite names no database for some actions; where it does, it is the agent's own.
  if (database != nullptr && std::string_view(database) != "main") {
    // DROP and ALTER look through the (empty) temporary schema too.
    const bool looks = action == SQLITE_READ || action == SQLITE_UPDATE || action == SQLITE_SELECT;
    return looks && std::string_view(database) == "temp";
  }
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
      return true;
    case SQLITE_READ:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_ANALYZE:
    case SQLITE_REINDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VIEW:
      return !is_ours(first);
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_DROP_INDEX:
    case SQLITE_DROP_TRIGGER:
      return !is_ours(first) && !is_ours(second);
    case SQLITE_CREATE_VTABLE:
    case SQLITE_DROP_VTABLE:
      return !is_ours(first) && contains(kModules, lower(second));
    case SQLITE_FUNCTION:
      return function_allowed(lower(second));
    case SQLITE_PRAGMA:
      return pragma_allowed(first, second);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      tried_transaction_ = true;
      return false;
    default:
      return false;  // ATTACH, DETACH, everything temporary, what comes to exist later
  }
}

bool Rules::function_allowed(std::string_view name) {
  remembers_ = remembers_ || contains(kFunctionsOfConnection, name);
  return contains(kFunctions, name);
}

bool Rules::pragma_allowed(const char* name, const char* argument) {
  const std::string pragma = lower(name);
  if (pragma == "data_version") remembers_ = true;
  if (argument == nullptr) {
    return contains(kPragmasWithoutValue, pragma) || contains(kPragmasOfSwitches, pragma) ||
           pragma == "foreign_key_check" || pragma == "quick_check" || pragma == "optimize";
  }
  if (pragma == "defer_foreign_keys") {
    wants_transaction_ = true;  // and it ends with that
  } else if (contains(kPragmasOfSwitches, pragma)) {
    remembers_ = true;
  }
  return contains(kPragmasOfSwitches, pragma) ||
         (contains(kPragmasOfNames, pragma) && !is_ours(argument));
}

}  // namespace hearth::storage
