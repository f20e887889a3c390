#include "storage/sqlite_setup.h"

#include <sqlite3.h>

namespace hearth::storage {

void set_up_sqlite() {
  // A cache that takes pages as it needs them. By default each connection begins with twenty, which
  // is more than most agents have, and half of what an open database costs.
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
}

}  // namespace hearth::storage
