// SQLite's settings for a process that has thousands of small databases open.
#pragma once

namespace hearth::storage {

// Called once, before anything else of SQLite; later calls change nothing.
void set_up_sqlite();

}  // namespace hearth::storage
