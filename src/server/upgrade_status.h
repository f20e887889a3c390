// How `hearth upgrade` and the server speak: the command leaves a request in the state directory
// and sends SIGUSR2; the server tells how it goes in another file. Both are small JSON documents,
// each replaced whole (docs/files-on-disk.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace hearth::server {

struct UpgradeRequest {
  std::string id;                // the status repeats it
  std::filesystem::path binary;  // empty: the file that the running one was
  std::uint32_t wait_s = 30;
};

struct UpgradeStatus {
  std::string id;
  std::string phase;    // "starting", "waiting", "moving", "done", "failed"
  std::string message;  // for people
  int process = 0;      // the one that serves
};

void write_request(const std::filesystem::path& state, const UpgradeRequest& request);
// Takes it away.
std::optional<UpgradeRequest> take_request(const std::filesystem::path& state);
void write_status(const std::filesystem::path& state, const UpgradeStatus& status);
std::optional<UpgradeStatus> read_status(const std::filesystem::path& state);

}  // namespace hearth::server
