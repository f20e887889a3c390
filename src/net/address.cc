#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace hearth::net {

std::string address_text(const sockaddr_storage& storage, bool& loopback) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(storage);
    loopback = (ntohl(four.sin_addr.s_addr) >> 24) == 127;
    inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
  } else if (storage.ss_family == AF_INET6) {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
      loopback = six.sin6_addr.s6_addr[12] == 127;
      inet_ntop(AF_INET, &six.sin6_addr.s6_addr[12], text, sizeof text);
    } else {
      loopback = IN6_IS_ADDR_LOOPBACK(&six.sin6_addr) != 0;
      inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    }
  }
  return text;
}

}  // namespace hearth::net
