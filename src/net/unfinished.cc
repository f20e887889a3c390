#include "net/unfinished.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/hub.h"
#include "net/websocket_session.h"

namespace hearth::net {

namespace {

struct Holder {
  WebSocketSession* session;
  std::size_t bytes;
  double cost;
};

struct Place {
  std::size_t bytes = 0;
  std::vector<Holder> holders;  // the costliest last, once they are sorted
};

// Those of one place have the same; empty for clients of a Unix socket.
std::string place_of(const Connection& connection) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(connection.descriptor(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
    return {};
  }
  if (peer.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(peer).sin_addr;
    return {reinterpret_cast<const char*>(&address), sizeof address};
  }
  if (peer.ss_family != AF_INET6) return {};
  const auto& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  constexpr std::size_t kNetworkBytes = 8;
  return {reinterpret_cast<const char*>(&address), kNetworkBytes};
}

}  // namespace

void Unfinished::make_room(Hub& hub) {
  const std::size_t enough = bytes_max_ / 8 * 7;
  std::unordered_map<std::string, Place> places;
  hub.for_each([&](Connection& connection) {
    if (connection.closed() || connection.finishing()) return;
    WebSocketSession* session = connection.session().web_socket();
    if (session == nullptr || session->held_bytes() == 0) return;
    Place& place = places[place_of(connection)];
    place.bytes += session->held_bytes();
    place.holders.push_back({session, session->held_bytes(),
                             static_cast<double>(session->held_bytes()) *
                                 static_cast<double>(hub.now_ms() - session->held_since_ms() + 1)});
  });
  std::priority_queue<std::pair<std::size_t, Place*>> largest;
  for (auto& [name, place] : places) {
    std::sort(place.holders.begin(), place.holders.end(),
              [](const Holder& a, const Holder& b) { return a.cost < b.cost; });
    largest.emplace(place.bytes, &place);
  }
  while (bytes_ > enough && !largest.empty()) {
    Place& place = *largest.top().second;
    largest.pop();
    const Holder holder = place.holders.back();
    place.holders.pop_back();
    place.bytes -= holder.bytes;
    holder.session->give_up();
    ++hub.counters.messages_given_up;
    if (!place.holders.empty()) largest.emplace(place.bytes, &place);
  }
}

}  // namespace hearth::net
