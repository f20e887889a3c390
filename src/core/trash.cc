#include "core/trash.h"

#include <ctime>
#include <system_error>

#include "os/files.h"

namespace hearth::core {

namespace {

namespace fs = std::filesystem;

Error refused(const fs::path& path, const std::string& why) {
  return Error{ErrorCode::kIo,
               "S305: the folder of a deleted class could not be moved to the trash: " +
                   path.string() + ": " + why};
}

}  // namespace

std::string trash_name(std::string_view unique_key, std::int64_t now_ms) {
  const std::time_t seconds = now_ms / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char stamp[24];
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S-", &utc);
  return stamp + std::string(unique_key);
}

Status move_trash(const fs::path& state, Registry& registry) {
  const fs::path agents = state / "do";
  const fs::path trash = state / "trash";
  for (const TrashedNamespace& each : registry.trash()) {
    std::error_code error;
    const fs::path from = agents / each.unique_key;
    const fs::path to = trash / each.folder;
    // Gone: it was moved, and the note was not struck off; or there never was one.
    if (fs::exists(from, error)) {
      if (Status made = os::make_directories(trash); !made)
        return refused(trash, made.error().message);
      fs::path free = to;
      for (unsigned i = 2; fs::exists(free, error); ++i)
        free = to.string() + "." + std::to_string(i);
      fs::rename(from, free, error);
      if (error) return refused(from, error.message());
    }
    for (const fs::path& folder : {trash, agents}) {
      if (!fs::exists(folder, error)) continue;
      if (Status synced = os::sync_folder(folder); !synced) return synced;
    }
    if (Status struck = registry.forget_trash(each.unique_key); !struck) return struck;
  }
  return {};
}

}  // namespace hearth::core
