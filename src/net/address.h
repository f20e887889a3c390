// A peer's address in words.
#pragma once

#include <sys/socket.h>

#include <string>

namespace hearth::net {

// The text of an address without its port, and whether it is this machine's own.
std::string address_text(const sockaddr_storage& storage, bool& loopback);

}  // namespace hearth::net
