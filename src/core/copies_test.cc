// Copies of databases by their hosts: asked for once, again where that helps, and answered once.
#include <gtest/gtest.h>

#include "core/test_world.h"

namespace hearth::core {
namespace {

using testing::FakeHost;

class CopiesTest : public testing::CoreTest {
 protected:
  void start() {
    engine->copy_database(agent("a"), "/from", "/to",
                          [this](const Status& status) { answers_.push_back(status); });
    settle();
  }
  void answer(FakeHost& host, wire::CopyOutcome outcome) {
    const auto asked = host.take("CopyDatabase");
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].text, "/from");
    wire::DatabaseCopied message;
    message.copy = asked[0].subject;
    message.outcome = static_cast<std::uint8_t>(outcome);
    message.text = "why";
    host.send(message);
    settle();
  }
  std::vector<Status> answers_;
};

TEST_F(CopiesTest, AreMadeByTheHostAndAnsweredOnce) {
  boot();
  start();
  answer(host(), wire::CopyOutcome::kDone);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(answers_[0].ok());
  start();
  answer(host(), wire::CopyOutcome::kNoFile);
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[1].error().code, ErrorCode::kNotFound);
  start();
  answer(host(), wire::CopyOutcome::kFailed);
  ASSERT_EQ(answers_.size(), 3u);
  EXPECT_EQ(answers_[2].error().message, "why");
}

TEST_F(CopiesTest, WaitForTheEndOfATransactionButNotForEver) {
  boot();
  start();
  answer(host(), wire::CopyOutcome::kBusy);
  EXPECT_TRUE(answers_.empty());
  world.advance(100);
  answer(host(), wire::CopyOutcome::kDone);
  ASSERT_EQ(answers_.size(), 1u);
  start();
  for (int i = 0; answers_.size() == 1 && i < 1'000; ++i) {
    answer(host(), wire::CopyOutcome::kBusy);
    world.advance(50);
  }
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(answers_[1].error().code, ErrorCode::kConflict);
}

TEST_F(CopiesTest, AreAskedOfTheNextHostWhenOneDies) {
  boot();
  start();
  FakeHost& first = host();
  ASSERT_EQ(first.count("CopyDatabase"), 1u);
  first.die();
  settle();
  world.advance(100);
  ASSERT_NE(&host(), &first);
  answer(host(), wire::CopyOutcome::kDone);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_TRUE(answers_[0].ok());
}

TEST_F(CopiesTest, RunAFewAtATime) {
  boot();
  for (int i = 0; i < 20; ++i) start();
  EXPECT_EQ(host().count("CopyDatabase"), 8u);
  for (int i = 0; i < 20; ++i) {
    for (const auto& asked : host().take("CopyDatabase")) {
      wire::DatabaseCopied message;
      message.copy = asked.subject;
      host().send(message);
    }
    settle();
  }
  EXPECT_EQ(answers_.size(), 20u);
}

}  // namespace
}  // namespace hearth::core
