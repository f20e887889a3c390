// What an agent has said and may not be heard yet: frames that wait for the commit they came after
// to be durable, in order. Nothing leaves that a power cut could take back. JavaScript thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "wire/codec.h"

namespace hearth::addon {

class Gate {
 public:
  // One agent may have this much waiting; who says more in one turn is refused (see
  // Database::emit).
  static constexpr std::size_t kBytesMax = 64 * 1024 * 1024;

  template <typename Message>
  void hold(const Message& message, std::uint64_t sequence) {
    wire::append(bytes_, message);
    if (!marks_.empty() && marks_.back().sequence == sequence) {
      marks_.back().end = dropped_ + bytes_.size();
    } else {
      marks_.push_back({sequence, dropped_ + bytes_.size()});
    }
  }

  // Calls `send` with all frames that waited for `sequence` or an earlier commit.
  template <typename Send>
  void release(std::uint64_t sequence, Send&& send) {
    std::uint64_t end = dropped_;
    while (!marks_.empty() && marks_.front().sequence <= sequence) {
      end = marks_.front().end;
      marks_.pop_front();
    }
    if (end == dropped_) return;
    const std::size_t count = static_cast<std::size_t>(end - dropped_);
    send(std::string_view(bytes_).substr(0, count));
    erase_front(count);
  }

  // Forgets the frames that wait for a commit after `sequence`.
  void drop_after(std::uint64_t sequence) {
    while (!marks_.empty() && marks_.back().sequence > sequence) marks_.pop_back();
    bytes_.resize(marks_.empty() ? 0 : static_cast<std::size_t>(marks_.back().end - dropped_));
  }

  // The turn wrote nothing after all: what waited for its commit waits for the one before it.
  void lower_to(std::uint64_t sequence) {
    while (!marks_.empty() && marks_.back().sequence > sequence) {
      const std::uint64_t end = marks_.back().end;
      marks_.pop_back();
      if (!marks_.empty() && marks_.back().sequence >= sequence) {
        marks_.back().end = end;
      } else {
        marks_.push_back({sequence, end});
      }
    }
  }

  bool empty() const { return marks_.empty(); }
  std::size_t bytes() const { return bytes_.size(); }

 private:
  static constexpr std::size_t kKeepBytes = 64 * 1024;

  struct Mark {
    std::uint64_t sequence;
    std::uint64_t end;  // counted from the gate's first byte ever
  };

  void erase_front(std::size_t count) {
    dropped_ += count;
    bytes_.erase(0, count);
    if (bytes_.empty() && bytes_.capacity() > kKeepBytes) bytes_.shrink_to_fit();
  }

  std::string bytes_;
  std::uint64_t dropped_ = 0;
  std::deque<Mark> marks_;
};

}  // namespace hearth::addon
