#include "net/send_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace hearth::net {
namespace {

std::string drain(SendQueue& queue, ChunkPool& pool, std::size_t step) {
  std::string out;
  while (!queue.empty()) {
    iovec vectors[3];
    const std::size_t count = queue.gather(vectors, 3);
    std::size_t left = step;
    for (std::size_t i = 0; i < count && left > 0; ++i) {
      const std::size_t take = std::min(left, vectors[i].iov_len);
      out.append(static_cast<const char*>(vectors[i].iov_base), take);
      left -= take;
    }
    queue.consume(pool, step - left);
  }
  return out;
}

TEST(SendQueue, WhatIsQueuedComesOutInOrderHoweverItIsWritten) {
  for (const std::size_t step : {1000UL, 4096UL, 70'000UL, 10'000'000UL}) {
    ChunkPool pool;
    SendQueue queue;
    std::string expected;
    for (std::size_t i = 0; i < 300; ++i) {
      const std::string body(i * 37 % 5000 + (i == 50 ? 200'000 : 0),
                             static_cast<char>('a' + i % 26));
      queue.append(pool, "<", body);
      expected += "<" + body;
    }
    EXPECT_EQ(queue.bytes(), expected.size());
    EXPECT_EQ(drain(queue, pool, step), expected);
    EXPECT_TRUE(queue.empty());
  }
}

TEST(SendQueue, SmallSendsOfATurnAreOnePieceToWrite) {
  ChunkPool pool;
  SendQueue queue;
  for (int i = 0; i < 100; ++i) queue.append(pool, "ab", "cdefgh");
  iovec vectors[16];
  EXPECT_EQ(queue.gather(vectors, 16), 1U);
  EXPECT_EQ(vectors[0].iov_len, 800U);
}

TEST(SendQueue, DroppingKeepsTheFrameInProgressWhole) {
  ChunkPool pool;
  SendQueue queue;
  const std::string first(100'000, '1'), second(100'000, '2');
  queue.append(pool, "", first);
  queue.append(pool, "", second);
  queue.consume(pool, 10);
  queue.drop_unstarted(pool);
  queue.append(pool, "", "close");
  EXPECT_EQ(drain(queue, pool, 1 << 20), first.substr(10) + "close");
}

TEST(SendQueue, DroppingBeforeAnythingWasWrittenDropsAll) {
  ChunkPool pool;
  SendQueue queue;
  queue.append(pool, "", std::string(100'000, '1'));
  queue.drop_unstarted(pool);
  EXPECT_TRUE(queue.empty());
  queue.append(pool, "", "close");
  EXPECT_EQ(drain(queue, pool, 100), "close");
}

}  // namespace
}  // namespace hearth::net
