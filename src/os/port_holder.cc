#include "os/port_holder.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <system_error>
#include <vector>

namespace hearth::os {

namespace {

// The inodes of sockets that listen on the port, from the kernel's tables.
std::set<std::string> listening_sockets(std::uint16_t port) {
  std::set<std::string> found;
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", port);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      // sl local remote state queues timer retransmits uid timeout inode …
      std::istringstream words(line);
      std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
      constexpr const char* kListen = "0A";
      if (fields.size() > 9 && fields[1].ends_with(wanted) && fields[3] == kListen) {
        found.insert("socket:[" + fields[9] + "]");
      }
    }
  }
  return found;
}

}  // namespace

std::string port_holder(std::uint16_t port) {
  const std::set<std::string> sockets = listening_sockets(port);
  std::error_code error;
  for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code denied;
    for (const auto& descriptor :
         std::filesystem::directory_iterator(process.path() / "fd", denied)) {
      const auto target = std::filesystem::read_symlink(descriptor.path(), denied);
      if (!sockets.contains(target.string())) continue;
      std::ifstream name_file(process.path() / "comm");
      std::string name;
      std::getline(name_file, name);
      return name + " (process " + pid + ")";
    }
  }
  return {};
}

}  // namespace hearth::os
