#include "os/descriptor_channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace hearth::os {
namespace {

class ChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto ends = socket_pair();
    ASSERT_TRUE(ends);
    ours_.emplace(std::move(ends->first));
    theirs_.emplace(std::move(ends->second));
  }
  std::optional<DescriptorChannel> ours_;
  std::optional<DescriptorChannel> theirs_;
};

TEST_F(ChannelTest, FramesArriveInOrderEachWithItsDescriptor) {
  constexpr int kFrames = 1'000;
  std::thread sender([&] {
    for (int i = 0; i < kFrames; ++i) {
      int pipe_ends[2];
      ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
      const Descriptor reading(pipe_ends[0]);
      const Descriptor writing(pipe_ends[1]);
      const std::string number = std::to_string(i);
      ASSERT_GT(::write(writing.get(), number.data(), number.size()), 0);
      // Every third goes without one; one in a hundred is large.
      const std::string frame = number + ":" + std::string(i % 100 == 0 ? 300'000 : 10, 'x');
      ASSERT_TRUE(ours_->send(frame, i % 3 == 0 ? -1 : reading.get()));
      ASSERT_TRUE(ours_->flush());
    }
  });
  for (int i = 0; i < kFrames; ++i) {
    auto frame = theirs_->receive(10'000);
    ASSERT_TRUE(frame) << frame.error().message;
    EXPECT_EQ(frame->bytes.substr(0, frame->bytes.find(':')), std::to_string(i));
    EXPECT_EQ(static_cast<bool>(frame->carried), i % 3 != 0);
    if (!frame->carried) continue;
    char text[16] = {};
    EXPECT_GT(::read(frame->carried.get(), text, sizeof text - 1), 0);
    EXPECT_EQ(text, std::to_string(i)) << "the descriptor is the frame's own";
  }
  sender.join();
}

TEST_F(ChannelTest, ManyDescriptorsOfOneBatchArrive) {
  std::thread sender([&] {
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(ours_->send("frame", ours_->descriptor()));
    ASSERT_TRUE(ours_->flush());
  });
  for (int i = 0; i < 500; ++i) {
    auto frame = theirs_->receive(10'000);
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->carried);
  }
  sender.join();
}

TEST_F(ChannelTest, TheOthersEndAndSilenceAreToldApart) {
  const auto silent = theirs_->receive(10);
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, ErrorCode::kIo);
  ASSERT_TRUE(ours_->send("last words"));
  ASSERT_TRUE(ours_->flush());
  ours_->close();
  EXPECT_EQ(theirs_->receive(1'000)->bytes, "last words");
  const auto ended = theirs_->receive(1'000);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kNotFound);
}

TEST_F(ChannelTest, WhatIsNoFrameIsRefused) {
  const std::string wrong("\xff\xff\xff\xff\x00", 5);
  ASSERT_EQ(::send(ours_->descriptor(), wrong.data(), wrong.size(), 0), 5);
  const auto refused = theirs_->receive(1'000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace hearth::os
