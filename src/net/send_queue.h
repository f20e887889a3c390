// What waits to be written to one socket. Small writes gather in chunks of 64 KiB, and each frame
// lies whole in one chunk, so that everything behind the chunk being written can be dropped at a
// frame's boundary. Chunks come from a pool that the loop's sockets share: an empty queue holds
// none.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::net {

class ChunkPool {
 public:
  std::string take();
  void give(std::string&& chunk);

 private:
  static constexpr std::size_t kKept = 64;
  std::vector<std::string> chunks_;
};

class SendQueue {
 public:
  bool empty() const { return bytes_ == 0; }
  std::size_t bytes() const { return bytes_; }

  // Appends `head` and `body` as one frame.
  void append(ChunkPool& pool, std::string_view head, std::string_view body);
  // Fills `vectors` with what is to be written next; returns how many.
  std::size_t gather(iovec* vectors, std::size_t count_max) const;
  // `bytes` of what gather() named were written.
  void consume(ChunkPool& pool, std::size_t bytes);
  // Drops every frame of which nothing was written yet and that lies behind the chunk in progress.
  void drop_unstarted(ChunkPool& pool);
  void clear(ChunkPool& pool);
  // What is queued, by chunks; whether a part of the first one's first frame was written.
  std::vector<std::string> content() const;
  bool started() const { return offset_ > 0; }
  // Of an empty queue: as if it had been queued here.
  void restore(std::vector<std::string> chunks, bool started);

 private:
  static constexpr std::size_t kChunkBytes = 64 * 1024;
  std::vector<std::string> chunks_;
  std::size_t first_ = 0;   // chunks_ before it are spent
  std::size_t offset_ = 0;  // written of chunks_[first_]
  std::size_t bytes_ = 0;
};

}  // namespace hearth::net
