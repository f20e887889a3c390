// A copy of a database in use: all that is committed, and nothing else.
#include "storage/copy.h"

#include <filesystem>

#include "storage/test_support.h"

namespace hearth::storage {
namespace {

class Copies : public DatabaseTest {
 protected:
  Status copy() { return copy_database(*database_->connection(), to_); }
  std::string value_in_copy(const std::string& key) {
    AgentDatabase copied(to_);
    std::string value = "(none)";
    const auto found = copied.get(key, [&](std::string_view bytes) { value = bytes; });
    return found ? value : found.error().message;
  }
  const std::string to_ = path_ + ".copy.sqlite";
};

TEST_F(Copies, HaveWhatIsCommittedWhileTheOriginalGoesOn) {
  put("a", "first");
  commit();
  ASSERT_TRUE(copy());
  put("a", "second");
  put("b", std::string(3'000'000, 'b'));
  commit();
  EXPECT_EQ(value_in_copy("a"), "first");
  EXPECT_EQ(value_in_copy("b"), "(none)");
  std::filesystem::remove(to_ + "-wal");
  ASSERT_TRUE(copy());
  EXPECT_EQ(value_in_copy("a"), "second");
  EXPECT_EQ(value_in_copy("b").size(), 3'000'000U);
  EXPECT_EQ(value("a"), "second");
}

TEST_F(Copies, AreNotMadeInTheMiddleOfATransaction) {
  put("a", "committed");
  commit();
  put("a", "not yet");
  const Status refused = copy();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_FALSE(std::filesystem::exists(to_));
  commit();
  EXPECT_TRUE(copy());
  EXPECT_EQ(value_in_copy("a"), "not yet");
}

TEST_F(Copies, SayWhereTheyCouldNotBeMade) {
  put("a");
  commit();
  const Status refused = copy_database(*database_->connection(), "/nonexistent/copy.sqlite");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_NE(refused.error().message.find("/nonexistent/copy.sqlite"), std::string::npos);
}

}  // namespace
}  // namespace hearth::storage
