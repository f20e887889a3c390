// Frames and their codec. A frame is a little-endian u32 length (of what follows), a u8 message
// type and the fields in the order of messages.def; numbers are little-endian, Text, Bytes and List
// are a u32 length and the bytes, an AgentId is a u16 namespace and 32 bytes. Lengths are checked
// on reading, never trusted. Pure; used by the core and by the addon.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/limits.h"
#include "base/result.h"
#include "wire/messages.h"

namespace hearth::wire {

inline constexpr std::size_t kFrameHeaderBytes = 5;

namespace detail {

template <typename T>
requires std::is_integral_v<T>
void put(std::string& out, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);  // every machine we build for is little-endian
  out.append(raw, sizeof value);
}
inline void put(std::string& out, std::string_view value) {
  put(out, static_cast<std::uint32_t>(value.size()));
  out.append(value);
}
template <typename Tag>
void put(std::string& out, StrongId<Tag> value) {
  put(out, value.value);
}
inline void put(std::string& out, const AgentId& value) {
  put(out, value.name_space);
  out.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}

// Takes fields off the front of a frame; `ok` turns false for good at the first that is cut short.
struct Cursor {
  std::string_view rest;
  bool ok = true;

  std::string_view take(std::size_t count) {
    if (count > rest.size()) {
      ok = false;
      return {};
    }
    std::string_view taken = rest.substr(0, count);
    rest.remove_prefix(count);
    return taken;
  }
  template <typename T>
  requires std::is_integral_v<T>
  void get(T& value) {
    std::string_view raw = take(sizeof value);
    if (ok) std::memcpy(&value, raw.data(), sizeof value);
  }
  void get(std::string_view& value) {
    std::uint32_t length = 0;
    get(length);
    if (ok) value = take(length);
  }
  template <typename Tag>
  void get(StrongId<Tag>& value) {
    get(value.value);
  }
  void get(AgentId& value) {
    get(value.name_space);
    std::string_view raw = take(value.bytes.size());
    if (ok) std::memcpy(value.bytes.data(), raw.data(), raw.size());
  }
};

}  // namespace detail

#define MESSAGE(message_name, number, direction)                                       \
  inline void append(std::string& out, [[maybe_unused]] const message_name& message) { \
    const std::size_t start = out.size();                                              \
    detail::put(out, std::uint32_t{0});                                                \
    detail::put(out, static_cast<std::uint8_t>(message_name::kType));
#define FIELD(type, name) detail::put(out, message.name);
#define END(message_name)                                                                     \
  const auto length = static_cast<std::uint32_t>(out.size() - start - sizeof(std::uint32_t)); \
  ASSERT(length <= kWireFrameBytesMax, "a frame over the bound was written");                 \
  std::memcpy(out.data() + start, &length, sizeof length);                                    \
  }
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

#define MESSAGE(message_name, number, direction)                   \
  inline bool read_fields([[maybe_unused]] detail::Cursor& cursor, \
                          [[maybe_unused]] message_name& message) {
#define FIELD(type, name) cursor.get(message.name);
#define END(message_name)                  \
  return cursor.ok && cursor.rest.empty(); \
  }
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

// Calls `handler.on(message)` for one frame's type and fields. The handler has an overload of `on`
// for every message of `direction`. kCorrupt for an unknown type, a message of the other direction,
// a field cut short, or bytes left over: the link is then closed, never resynchronised.
template <Direction kDirection, typename Handler>
Status dispatch(std::string_view frame, Handler& handler) {
  if (frame.empty()) return Error{ErrorCode::kCorrupt, "an empty frame"};
  detail::Cursor cursor{frame.substr(1)};
  switch (static_cast<MessageType>(static_cast<std::uint8_t>(frame[0]))) {
#define MESSAGE(message_name, number, message_direction)                          \
  case MessageType::k##message_name: {                                            \
    if constexpr (Direction::message_direction == kDirection) {                   \
      message_name message;                                                       \
      if (!read_fields(cursor, message))                                          \
        return Error{ErrorCode::kCorrupt, "a malformed " #message_name " frame"}; \
      handler.on(message);                                                        \
      return {};                                                                  \
    }                                                                             \
    break;                                                                        \
  }
#define FIELD(type, name)
#define END(message_name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
  }
  return Error{ErrorCode::kCorrupt, "a frame of unknown type"};
}

// Cuts frames out of a byte stream that arrives in any pieces. `feed` gets what was read; complete
// frames go to `on_frame(string_view)`, the rest is kept. kCorrupt past the bound.
class FrameReader {
 public:
  template <typename OnFrame>
  Status feed(std::string_view data, OnFrame&& on_frame) {
    if (!pending_.empty()) {
      pending_.append(data);
      std::string_view rest = pending_;
      Status status = cut(rest, on_frame);
      // What is left over moves to the front only now, when no frame's view is in use, and only if
      // a frame was cut: a large frame that arrives in many pieces is not copied at each.
      if (rest.size() != pending_.size()) pending_.erase(0, pending_.size() - rest.size());
      return status;
    }
    Status status = cut(data, on_frame);
    if (status) pending_.assign(data);
    return status;
  }

  std::size_t pending_bytes() const { return pending_.size(); }

 private:
  template <typename OnFrame>
  Status cut(std::string_view& rest, OnFrame& on_frame) {
    while (rest.size() >= sizeof(std::uint32_t)) {
      std::uint32_t length;
      std::memcpy(&length, rest.data(), sizeof length);
      if (length > kWireFrameBytesMax) return Error{ErrorCode::kCorrupt, "a frame over the bound"};
      if (rest.size() - sizeof length < length) break;
      std::string_view frame = rest.substr(sizeof length, length);
      rest.remove_prefix(sizeof length + length);
      Status status = on_frame(frame);
      if (!status) return status;
    }
    return {};
  }

  std::string pending_;
};

// Walks a List: `visit(string_view)` for each entry.
template <typename Visit>
void for_each_entry(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t end = list.find('\0');
    visit(list.substr(0, end));
    if (end == std::string_view::npos) return;
    list.remove_prefix(end + 1);
  }
}

}  // namespace hearth::wire
