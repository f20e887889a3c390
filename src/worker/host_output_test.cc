#include "worker/host_output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "os/descriptor.h"

namespace hearth::worker {
namespace {

struct Taken {
  std::vector<OutputLine> lines;
  OutputLines::Take take() {
    return [this](OutputLine line) { lines.push_back(std::move(line)); };
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const OutputLine& each : lines) out.push_back(each.text);
    return out;
  }
};

using Texts = std::vector<std::string>;

TEST(OutputLines, AreCutAtTheirEndsHoweverTheBytesCome) {
  for (std::size_t size = 1; size < 12; ++size) {
    Taken taken;
    OutputLines lines(taken.take());
    const std::string all = "one\r\n\ntwo\nthree";
    for (std::size_t at = 0; at < all.size(); at += size) lines.add(all.substr(at, size), 1);
    EXPECT_EQ(taken.texts(), (Texts{"one", "", "two"})) << size;
    lines.end();
    EXPECT_EQ(taken.texts(), (Texts{"one", "", "two", "three"})) << size;
    EXPECT_FALSE(taken.lines.back().partial);
  }
}

TEST(OutputLines, ArePassedOnInPartsAtAPauseAndSaySo) {
  Taken taken;
  OutputLines lines(taken.take());
  lines.add("Password: \xe2\x82", 1);
  EXPECT_TRUE(lines.waiting());
  lines.pause(2);
  lines.pause(3);
  lines.add("\xac", 4);
  lines.pause(5);
  lines.add("\nnext\n", 6);
  EXPECT_FALSE(lines.waiting());
  // The line's end alone is nothing to tell.
  EXPECT_EQ(taken.texts(), (Texts{"Password: ", "\xe2\x82\xac", "next"}));
  EXPECT_TRUE(taken.lines[0].partial && !taken.lines[0].continued);
  EXPECT_TRUE(taken.lines[1].partial && taken.lines[1].continued);
  EXPECT_TRUE(!taken.lines[2].partial && !taken.lines[2].continued);
}

TEST(OutputLines, AreBoundedAndSayHowMuchIsMissing) {
  Taken taken;
  OutputLines lines(taken.take());
  const std::string text = std::string(OutputLines::kLineBytesMax - 1, 'x') + "\xc3\xa4" + "yy";
  for (const char c : text) lines.add(std::string(1, c), 1);
  lines.add("\nshort\n", 1);
  ASSERT_EQ(taken.lines.size(), 2u);
  EXPECT_EQ(taken.lines[0].text, std::string(OutputLines::kLineBytesMax - 1, 'x'));
  EXPECT_EQ(taken.lines[0].cut, 4u);
  EXPECT_EQ(taken.lines[1].cut, 0u);
}

TEST(OutputLines, BeyondTheRateAreCountedAndTheLastAreKept) {
  Taken taken;
  OutputLines lines(taken.take());
  for (unsigned i = 0; i < 5'000; ++i) lines.add("line " + std::to_string(i) + "\n", 1);
  lines.add("FATAL ERROR", 1);
  lines.end();
  constexpr std::size_t kWhole = OutputLines::kAtOnce;
  ASSERT_EQ(taken.lines.size(), kWhole + 1 + OutputLines::kKeptMax + 1);
  EXPECT_EQ(taken.lines[kWhole].dropped, 5'000 - kWhole - OutputLines::kKeptMax);
  EXPECT_EQ(taken.lines[kWhole + 1].text, "line 4936");
  EXPECT_EQ(taken.lines[taken.lines.size() - 2].text, "line 4999");
  EXPECT_EQ(taken.lines.back().text, "FATAL ERROR");
}

TEST(OutputLines, AreTakenAgainWhenTimeHasPassed) {
  Taken taken;
  OutputLines lines(taken.take());
  for (unsigned i = 0; i < 3'000; ++i) lines.add("x\n", 0);
  lines.pause(1'000);
  const std::size_t before = taken.lines.size();
  for (unsigned i = 0; i < OutputLines::kPerSecond; ++i) lines.add("y\n", 2'000);
  EXPECT_EQ(taken.lines.size(), before + OutputLines::kPerSecond);
}

TEST(OutputPipe, PassesOnWhatIsPrintedAndEndsWithItsWriters) {
  boost::asio::io_context context;
  auto ends = os::pipe_ends();
  ASSERT_TRUE(ends);
  Taken taken;
  auto pipe = std::make_shared<OutputPipe>(context, std::move(ends->first), taken.take());
  pipe->start();
  ASSERT_EQ(::write(ends->second.get(), "a\nb", 3), 3);
  pipe->drain();
  EXPECT_EQ(taken.texts(), (Texts{"a", "b"}));
  EXPECT_TRUE(taken.lines[1].partial);
  ASSERT_EQ(::write(ends->second.get(), "c\n", 2), 2);
  ends->second.reset();
  context.run();  // returns: nothing waits any more
  EXPECT_EQ(taken.texts(), (Texts{"a", "b", "c"}));
  EXPECT_FALSE(pipe->open());
}

TEST(OutputPipe, PassesOnTheBeginningOfALineAfterAMoment) {
  boost::asio::io_context context;
  auto ends = os::pipe_ends();
  ASSERT_TRUE(ends);
  std::vector<OutputLine> lines;
  auto pipe = std::make_shared<OutputPipe>(context, std::move(ends->first), [&](OutputLine line) {
    lines.push_back(std::move(line));
    context.stop();
  });
  pipe->start();
  ASSERT_EQ(::write(ends->second.get(), "Continue? ", 10), 10);
  context.run();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "Continue? ");
  EXPECT_TRUE(lines[0].partial);
  pipe->close();
}

}  // namespace
}  // namespace hearth::worker
