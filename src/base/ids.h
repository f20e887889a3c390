// The identities of the system. Each is a type of its own, so that none is passed for another;
// those of things that come and go carry a generation, so that a late message never reaches a
// successor.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

namespace hearth {

// JavaScript numbers hold integers exactly up to 2^53: every id that crosses to it stays below.
inline constexpr int kIdBits = 53;

template <typename Tag>
struct StrongId {
  std::uint64_t value = 0;
  auto operator<=>(const StrongId&) const = default;
  explicit operator bool() const { return value != 0; }
};

// One HTTP request in the core; allocated by the core, never reused.
using RequestId = StrongId<struct RequestTag>;

// One WebSocket, allocated by the host whose code accepted it:
// host slot (8 bits), generation of that host (13 bits), counter (32 bits). 0 is none.
// It outlives that host: the core keeps the socket under this id when another host takes over.
using ConnectionId = StrongId<struct ConnectionTag>;

constexpr ConnectionId make_connection_id(std::uint8_t host_slot, std::uint16_t generation,
                                          std::uint32_t counter) {
  return {(static_cast<std::uint64_t>(host_slot) << 45) |
          (static_cast<std::uint64_t>(generation & 0x1fff) << 32) | counter};
}

// An agent: which namespace (its index in the worker's configuration) and the 32 bytes that
// `id.toString()` prints as 64 hex digits.
struct AgentId {
  std::uint16_t name_space = 0;
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const AgentId&) const = default;

  std::string hex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(64, '0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      text[2 * i] = kDigits[bytes[i] >> 4];
      text[2 * i + 1] = kDigits[bytes[i] & 15];
    }
    return text;
  }
};

}  // namespace hearth

template <typename Tag>
struct std::hash<hearth::StrongId<Tag>> {
  std::size_t operator()(hearth::StrongId<Tag> id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};

template <>
struct std::hash<hearth::AgentId> {
  // The id's bytes are an HMAC or random already: any eight of them are a hash.
  std::size_t operator()(const hearth::AgentId& id) const noexcept {
    std::uint64_t head;
    std::memcpy(&head, id.bytes.data(), sizeof head);
    return head ^ (static_cast<std::uint64_t>(id.name_space) << 48);
  }
};
