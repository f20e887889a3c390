// A copy of a database that is in use, made through its own connection: it has all that is
// committed and nothing else. Blocks its thread for as long as the pages take. The copy is neither
// checked nor synced: that is for whoever asked for it.
#pragma once

#include <string>

#include "base/result.h"
#include "storage/connection.h"

namespace hearth::storage {

// `to` is made, in place of what is there. kConflict while a transaction is open: its writes are no
// commit yet.
Status copy_database(Connection& from, const std::string& to);

}  // namespace hearth::storage
