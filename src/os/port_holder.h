// Who listens on a TCP port of this machine, for the message that says that it is taken.
#pragma once

#include <cstdint>
#include <string>

namespace hearth::os {

// "node (process 1234)", or empty when it cannot be told (another user's process).
std::string port_holder(std::uint16_t port);

}  // namespace hearth::os
