// Every bound in one place, units last. Those that a user may set are defaults here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth {

inline constexpr std::size_t kRequestHeadBytesMax = 64 * 1024;          // beyond: 431
inline constexpr std::size_t kRequestBodyBytesMax = 100 * 1024 * 1024;  // beyond: 413 (default)
inline constexpr std::uint32_t kRequestHeadTimeoutMs = 15'000;          // slower: 408
inline constexpr std::uint32_t kKeepAliveTimeoutMs = 75'000;
inline constexpr std::size_t kPipelinedRequestsMax = 64;  // beyond: reading stops

inline constexpr std::size_t kWebSocketMessageBytesMax = 32 * 1024 * 1024;  // beyond: 1009
// Held of messages that have not come whole, of all sockets: past this, those that hold the most
// for the longest are closed with 1013 (net/unfinished.h).
inline constexpr std::size_t kUnfinishedBytesMax = 512UL * 1024 * 1024;
inline constexpr std::size_t kWebSocketCloseReasonBytesMax = 123;  // RFC 6455 section 5.5
// A socket whose client reads slower than its agent writes: past this it is closed with 1013.
inline constexpr std::size_t kSocketSendBufferBytesMax = 64 * 1024 * 1024;
// Response bytes that a host may send ahead of what the client has taken.
inline constexpr std::uint32_t kBodyWindowBytes = 256 * 1024;
inline constexpr std::uint32_t kCloseHandshakeTimeoutMs = 5'000;
inline constexpr std::uint32_t kPingIntervalMs = 30'000;  // of an idle WebSocket (default)

inline constexpr std::size_t kWireFrameBytesMax = 40 * 1024 * 1024;
inline constexpr std::uint32_t kProgressSlots = 16 * 1024;
// Bytes of frames a host has not read yet: past this, reading from clients of its agents stops.
inline constexpr std::size_t kHostQueueBytesMax = 64 * 1024 * 1024;
// Of these, and of the places of its host, one agent has at most so much: its clients are not read
// past it, and its neighbours are (core/share.h).
inline constexpr std::size_t kAgentQueueBytesMax = 16 * 1024 * 1024;
inline constexpr std::uint32_t kAgentEventsMax = 4096;
// Of all hosts together.
inline constexpr std::size_t kQueueBytesMax = 256 * 1024 * 1024;

inline constexpr std::size_t kTagsPerSocketMax = 10;
inline constexpr std::size_t kTagBytesMax = 256;
inline constexpr std::size_t kAttachmentBytesMax = 16 * 1024;
inline constexpr std::uint32_t kAgentIdleTimeoutMs = 10'000;
inline constexpr std::uint32_t kShutdownTimeoutMs = 5'000;
inline constexpr std::uint32_t kAlarmRetriesMax = 6;
inline constexpr std::uint32_t kAlarmBackoffMs = 2'000;

}  // namespace hearth
