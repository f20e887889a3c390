#include "core/trash.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "os/virtual_world.h"

namespace hearth::core {
namespace {

namespace fs = std::filesystem;

class TrashTest : public ::testing::Test {
 protected:
  TrashTest() {
    std::string folder = (fs::temp_directory_path() / "hearth-trash-XXXXXX").string();
    state = ::mkdtemp(folder.data());
    fs::create_directories(state / "do" / "w-A");
    std::ofstream(state / "do" / "w-A" / "x.sqlite") << "data";
    reopen();
    registry->set_alarm({"w-A", "id", "one", 5, 0});
    registry->agent_opened("w-A", "id", "one");
    NamespaceChange made{.worker = "w", .set = {{"w", "A", "w-A"}, {"w", "B", "w-B"}}};
    EXPECT_TRUE(registry->change_namespaces(made));
  }
  ~TrashTest() override { fs::remove_all(state); }
  // As after a kill: nothing is closed in order.
  void reopen() {
    registry.reset();
    registry = std::move(Registry::open(state, world)).value();
  }
  void note() {
    NamespaceChange change{
        .worker = "w", .trashed = {{"w-A", trash_name("w-A", 1'769'904'000'000)}}, .tags = {"v2"}};
    ASSERT_TRUE(registry->change_namespaces(change));
  }
  void expect_moved() {
    EXPECT_FALSE(fs::exists(state / "do" / "w-A"));
    EXPECT_TRUE(fs::exists(state / "trash" / "20260201-000000-w-A" / "x.sqlite"));
    EXPECT_TRUE(registry->trash().empty());
    EXPECT_TRUE(registry->alarms().empty());
    EXPECT_TRUE(registry->agents().empty());
    EXPECT_EQ(registry->applied_tags("w"), std::vector<std::string>{"v2"});
    ASSERT_EQ(registry->namespaces().size(), 1u);
    EXPECT_EQ(registry->namespaces()[0].class_name, "B");
  }

  os::VirtualWorld world;
  fs::path state;
  std::unique_ptr<Registry> registry;
};

TEST_F(TrashTest, MovesTheFolderOfADeletedClass) {
  note();
  ASSERT_TRUE(move_trash(state, *registry));
  expect_moved();
  ASSERT_TRUE(move_trash(state, *registry));
}

TEST_F(TrashTest, ADeathBeforeTheFolderIsMovedIsMadeUpForAtTheNextStart) {
  note();
  reopen();
  EXPECT_TRUE(fs::exists(state / "do" / "w-A"));
  ASSERT_TRUE(move_trash(state, *registry));
  expect_moved();
}

TEST_F(TrashTest, ADeathBeforeTheNoteIsStruckOffIsMadeUpForAtTheNextStart) {
  note();
  fs::create_directories(state / "trash");
  fs::rename(state / "do" / "w-A", state / "trash" / "20260201-000000-w-A");
  reopen();
  ASSERT_TRUE(move_trash(state, *registry));
  expect_moved();
}

TEST_F(TrashTest, ADeathBeforeTheTransactionChangesNothing) {
  reopen();
  EXPECT_EQ(registry->namespaces().size(), 2u);
  EXPECT_TRUE(registry->applied_tags("w").empty());
  EXPECT_EQ(registry->alarms().size(), 1u);
}

TEST_F(TrashTest, AFolderThatCannotBeMovedIsTriedAgain) {
  note();
  std::ofstream(state / "trash") << "a file where the folder should be";
  const Status refused = move_trash(state, *registry);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("S305"), std::string::npos);
  EXPECT_TRUE(fs::exists(state / "do" / "w-A" / "x.sqlite"));
  fs::remove(state / "trash");
  reopen();
  ASSERT_TRUE(move_trash(state, *registry));
  expect_moved();
}

}  // namespace
}  // namespace hearth::core
