// An event on its way to a host: something that a handler will run for. Until the host has finished
// it the core keeps its whole frame, so that an event which had not begun when a host died can be
// handed to the next one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wire/codec.h"

namespace hearth::core {

struct Agent;

enum class EventKind : std::uint8_t {
  kNone,
  kFetch,          // subject: RequestId; the worker's
  kSocketMessage,  // subject: ConnectionId
  kSocketClosed,   // subject: ConnectionId
  kAlarm,          // of `agent`
  kScheduled,      // the worker's
};

// What an agent wakes for, in words.
constexpr std::string_view cause_of(EventKind kind) {
  switch (kind) {
    case EventKind::kSocketMessage:
      return "a WebSocket message";
    case EventKind::kSocketClosed:
      return "a WebSocket's end";
    case EventKind::kAlarm:
      return "its alarm";
    case EventKind::kFetch:
      return "a request";
    case EventKind::kScheduled:
      return "a cron trigger";
    default:
      return "a call";
  }
}

struct Event {
  EventKind kind = EventKind::kNone;
  Agent* agent = nullptr;  // counted in its events; null: the worker's
  std::uint64_t subject = 0;
  std::string frame;         // the slot, its first field, is written when it is sent
  std::uint64_t number = 0;  // a message's, among its connection's
};

// Every event's first field is its slot on the progress page.
inline constexpr std::size_t kSlotOffset = wire::kFrameHeaderBytes;

}  // namespace hearth::core
