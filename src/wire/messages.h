// The messages between the core and a host as plain structs, made from messages.def. Text, Bytes
// and List are views into the frame that was read (or into what the sender holds until the write):
// a message never owns memory. Pure; no thread of its own.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace hearth::wire {

enum class Direction : std::uint8_t { kToHost, kToCore };

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;
using I64 = std::int64_t;
using Text = std::string_view;
using Bytes = std::string_view;
using List = std::string_view;

enum class MessageType : std::uint8_t {
#define MESSAGE(name, number, direction) k##name = number,
#define FIELD(type, name)
#define END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
};

#define MESSAGE(name, number, direction)                          \
  struct name {                                                   \
    static constexpr MessageType kType = MessageType::k##name;    \
    static constexpr Direction kDirection = Direction::direction; \
    static constexpr std::string_view kName = #name;
#define FIELD(type, name) type name{};
#define END(name) \
  }               \
  ;
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

// `SocketMessage::kind`, `Send::kind`.
enum class MessageKind : std::uint8_t { kAsciiText = 0, kText = 1, kBinary = 2 };
// `Fetch::body_kind`, `Respond::body_kind`.
enum class BodyKind : std::uint8_t { kNone = 0, kWhole = 1, kStreamed = 2 };
// `Fetch::flags`.
inline constexpr std::uint8_t kFetchUpgrade = 1;
// `SocketClosed::clean`.
enum class CloseKind : std::uint8_t { kBroken = 0, kClean = 1, kProtocolError = 2 };
// `DatabaseCopied::outcome`.
enum class CopyOutcome : std::uint8_t { kDone = 0, kBusy = 1, kFailed = 2, kNoFile = 3 };
// `SocketOpen::flags`.
inline constexpr std::uint8_t kSocketHibernatable = 1;
inline constexpr std::uint8_t kSocketOfWorker = 2;

}  // namespace hearth::wire
