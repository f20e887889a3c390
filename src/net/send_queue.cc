#include "net/send_queue.h"

#include "base/assert.h"

namespace hearth::net {

std::string ChunkPool::take() {
  if (chunks_.empty()) return {};
  std::string chunk = std::move(chunks_.back());
  chunks_.pop_back();
  return chunk;
}

void ChunkPool::give(std::string&& chunk) {
  constexpr std::size_t kKeptBytesMax = 80UL * 1024;
  if (chunks_.size() >= kKept || chunk.capacity() > kKeptBytesMax) {
    std::string().swap(chunk);
    return;
  }
  chunk.clear();
  chunks_.push_back(std::move(chunk));
}

void SendQueue::append(ChunkPool& pool, std::string_view head, std::string_view body) {
  const std::size_t size = head.size() + body.size();
  if (size == 0) return;
  if (first_ == chunks_.size() || chunks_.back().size() + size > kChunkBytes) {
    chunks_.push_back(pool.take());
    // A large frame's chunk is exactly as large; others grow by doubling as they fill.
    if (size > kChunkBytes) chunks_.back().reserve(size);
  }
  chunks_.back().append(head);
  chunks_.back().append(body);
  bytes_ += size;
}

std::size_t SendQueue::gather(iovec* vectors, std::size_t count_max) const {
  std::size_t count = 0;
  for (std::size_t i = first_; i < chunks_.size() && count < count_max; ++i) {
    const std::size_t skip = i == first_ ? offset_ : 0;
    vectors[count].iov_base = const_cast<char*>(chunks_[i].data()) + skip;
    vectors[count].iov_len = chunks_[i].size() - skip;
    ++count;
  }
  return count;
}

void SendQueue::consume(ChunkPool& pool, std::size_t bytes) {
  ASSERT(bytes <= bytes_, "no more is written than was queued");
  bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = chunks_[first_].size() - offset_;
    if (bytes < left) {
      offset_ += bytes;
      return;
    }
    bytes -= left;
    offset_ = 0;
    pool.give(std::move(chunks_[first_++]));
  }
  if (first_ == chunks_.size()) {
    first_ = 0;
    chunks_.clear();
    if (chunks_.capacity() > 4) chunks_.shrink_to_fit();
  } else if (first_ > 64) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void SendQueue::drop_unstarted(ChunkPool& pool) {
  const std::size_t keep = first_ + (offset_ > 0 ? 1 : 0);
  while (chunks_.size() > keep) {
    bytes_ -= chunks_.back().size();
    pool.give(std::move(chunks_.back()));
    chunks_.pop_back();
  }
  if (bytes_ == 0) clear(pool);
}

std::vector<std::string> SendQueue::content() const {
  std::vector<std::string> content;
  for (std::size_t i = first_; i < chunks_.size(); ++i) {
    content.push_back(i == first_ ? chunks_[i].substr(offset_) : chunks_[i]);
  }
  return content;
}

void SendQueue::restore(std::vector<std::string> chunks, bool started) {
  ASSERT(empty(), "only an empty queue is restored");
  std::erase_if(chunks, [](const std::string& chunk) { return chunk.empty(); });
  chunks_ = std::move(chunks);
  first_ = offset_ = bytes_ = 0;
  for (const std::string& chunk : chunks_) bytes_ += chunk.size();
  if (!started || chunks_.empty()) return;
  // A byte that counts as written keeps the rest of its frame from being dropped.
  chunks_.front().insert(0, 1, '\0');
  offset_ = 1;
}

void SendQueue::clear(ChunkPool& pool) {
  for (std::size_t i = first_; i < chunks_.size(); ++i) pool.give(std::move(chunks_[i]));
  std::vector<std::string>().swap(chunks_);
  first_ = offset_ = bytes_ = 0;
}

}  // namespace hearth::net
