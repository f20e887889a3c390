// SQLite's failures in the platform's words: "UNIQUE constraint failed: t.i: SQLITE_CONSTRAINT
// (extended: SQLITE_CONSTRAINT_PRIMARYKEY)", as workerd says them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;

namespace hearth::storage {

// "SQLITE_CONSTRAINT" for 19; the primary code of an extended one.
std::string_view code_name(int code);

// What the connection's last call failed with.
Error sqlite_error(sqlite3* connection);
// For a failure without a connection.
Error sqlite_error(int code);

}  // namespace hearth::storage
