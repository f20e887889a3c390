// Hosts' processes, with a shell script in Node's place: it prints its number and lives until the
// socket to it closes.
#include "worker/node_launcher.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <fstream>

#include "os/asio_world.h"

namespace hearth::worker {
namespace {

namespace fs = std::filesystem;

class NodeLauncherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (fs::temp_directory_path() / "hearth-launcher-XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    std::ofstream(folder_ / "node") << "#!/bin/sh\necho $$\nexec cat <&3\n";
    fs::permissions(folder_ / "node", fs::perms::owner_all);
    launcher_.emplace(context_, processes_, Companions{folder_ / "node", "host.mjs", {}, {}},
                      folder_, std::nullopt,
                      [this](const log::LogRecord& record) { printed_.push_back(record); });
  }
  void TearDown() override {
    launched_.clear();
    launcher_.reset();
    fs::remove_all(folder_);
  }

  template <typename Done>
  bool run_until(Done done) {
    for (int i = 0; i < 3'000 && !done(); ++i) {
      context_.restart();  // it stops when there is nothing to wait for
      context_.run_for(std::chrono::milliseconds(10));
    }
    return done();
  }
  int launch(std::uint32_t number) {
    auto launched = launcher_->launch(number, [this](os::ExitStatus) { ++ended_; });
    EXPECT_TRUE(launched.ok());
    launched_.push_back(std::move(launched).value());
    return launched_.back().process->pid();
  }

  fs::path folder_;
  boost::asio::io_context context_;
  os::SystemProcesses processes_{context_};
  std::vector<log::LogRecord> printed_;
  std::optional<NodeLauncher> launcher_;
  std::vector<core::LaunchedHost> launched_;
  int ended_ = 0;
};

TEST_F(NodeLauncherTest, WhatWasPreparedIsTheNextHostAndNoOther) {
  launcher_->prepare();
  launcher_->prepare();
  const int first = launch(7);
  const int second = launch(8);
  EXPECT_NE(first, second);
  ASSERT_TRUE(run_until([&] { return printed_.size() == 2; }));
  for (const log::LogRecord& each : printed_) {
    EXPECT_EQ(each.message, std::to_string(each.host == 7u ? first : second));
  }
  launched_[0].process->kill(SIGKILL);
  EXPECT_TRUE(run_until([&] { return ended_ == 1; }));
}

TEST_F(NodeLauncherTest, WhatWasPreparedAndHasEndedIsNobodysHost) {
  launcher_->prepare();
  ASSERT_TRUE(run_until([&] { return printed_.size() == 1; }));
  const int prepared = std::stoi(printed_[0].message);
  ::kill(prepared, SIGKILL);
  ASSERT_TRUE(run_until([&] { return ::kill(prepared, 0) != 0; })) << "it is reaped";
  EXPECT_NE(launch(7), prepared);
  EXPECT_EQ(ended_, 0) << "the launched one lives";
  ASSERT_TRUE(run_until([&] { return printed_.size() == 2; }));
  EXPECT_EQ(printed_[1].host, 7u);
}

}  // namespace
}  // namespace hearth::worker
