// How agents' ids are made: the same 64 hex digits as workerd makes for the same unique key, so
// that a state directory can move between the two. The key is SHA-256 of the namespace's unique
// key. An id is 32 bytes: a first half (random, or HMAC-SHA-256 of the name, cut to 16 bytes) and a
// second half that signs the first (its HMAC, cut to 16 bytes), which is how an id of another
// namespace is told. Shared by the core (which routes by it) and the addon. An AgentIds belongs to
// one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

struct evp_mac_ctx_st;

namespace hearth::wire {

using AgentIdBytes = std::array<std::uint8_t, 32>;

class AgentIds {
 public:
  explicit AgentIds(std::string_view unique_key);
  ~AgentIds();
  AgentIds(AgentIds&&) noexcept;
  AgentIds& operator=(AgentIds&&) noexcept;

  // The id that `namespace.idFromName(name)` gives. `name` is UTF-8, of any length.
  AgentIdBytes from_name(std::string_view name);
  // The id that `namespace.newUniqueId()` gives for these random bytes.
  AgentIdBytes from_random(std::span<const std::uint8_t, 16> random);
  // As above, from the system's generator.
  AgentIdBytes unique();
  // Whether the id was made for this namespace.
  bool belongs(const AgentIdBytes& id);

 private:
  using Digest = std::array<std::uint8_t, 32>;
  Digest mac(const void* data, std::size_t size);
  AgentIdBytes sign(std::span<const std::uint8_t, 16> first_half);

  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;  // keyed once, started anew for each digest
};

// 64 hex digits (either case) to bytes; nullopt for anything else.
std::optional<AgentIdBytes> parse_agent_id(std::string_view hex);

// The host slot that owns an agent: the first eight bytes as a little-endian number, modulo the
// number of slots. Core and hosts compute the same.
unsigned owning_slot(const AgentIdBytes& id, unsigned host_count);

}  // namespace hearth::wire
