#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <optional>

#include "os/asio_world.h"
#include "os/files.h"
#include "os/port_holder.h"
#include "os/shared_memory.h"
#include "os/virtual_world.h"

namespace hearth::os {
namespace {

struct Collector final : StreamEvents {
  std::string data;
  bool closed = false;
  int writable = 0;
  std::function<void()> then = [] {};
  void on_data(std::string_view more) override { data += more, then(); }
  void on_writable() override { ++writable, then(); }
  void on_closed() override { closed = true, then(); }
};

TEST(Process, GetsItsDescriptorsAndIsReaped) {
  boost::asio::io_context context;
  SystemProcesses processes(context);
  auto ends = socket_pair();
  ASSERT_TRUE(ends);
  auto stream = make_stream(context, std::move(ends->first));
  Collector collector;
  stream->start(collector);
  std::optional<ExitStatus> status;
  auto child = processes.spawn(
      {.path = "/bin/sh",
       .arguments = {"-c", "echo $GREETING >&3; ls /proc/self/fd | wc -l >&3; exit 7"},
       .environment = {"GREETING=hello"},
       .inherited = {ends->second.get()}},
      [&](ExitStatus exit) { status = exit; });
  ASSERT_TRUE(child) << child.error().message;
  ends->second.reset();
  context.run_for(std::chrono::seconds(10));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 7);
  // 0, 1, 2, 3 and the one that ls opens (the pipe to wc is its 1).
  EXPECT_EQ(collector.data, "hello\n5\n");
  EXPECT_TRUE(collector.closed);
  (*child)->kill(SIGTERM);  // reaped already: its number is nobody's
}

TEST(Process, IsKilledByItsNumber) {
  boost::asio::io_context context;
  SystemProcesses processes(context);
  std::optional<ExitStatus> status;
  auto child = processes.spawn({.path = "/bin/sleep", .arguments = {"30"}},
                               [&](ExitStatus exit) { status = exit; });
  ASSERT_TRUE(child);
  (*child)->kill(SIGKILL);
  context.run_for(std::chrono::seconds(10));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGKILL);
  EXPECT_EQ(status->describe(), "signal 9 (SIGKILL)");
}

TEST(Process, SaysWhetherItIsStopped) {
  boost::asio::io_context context;
  SystemProcesses processes(context);
  auto child = processes.spawn({.path = "/bin/sleep", .arguments = {"300"}}, [](ExitStatus) {});
  ASSERT_TRUE(child);
  const auto comes = [&](bool wanted) {
    for (int i = 0; i < 3'000 && (*child)->stopped() != wanted; ++i) ::usleep(10'000);
    return (*child)->stopped() == wanted;
  };
  EXPECT_FALSE((*child)->stopped());
  (*child)->kill(SIGSTOP);
  EXPECT_TRUE(comes(true));
  EXPECT_TRUE((*child)->stopped()) << "being asked changes nothing";
  (*child)->kill(SIGCONT);
  EXPECT_TRUE(comes(false));
  (*child)->kill(SIGSTOP);
  EXPECT_TRUE(comes(true));
  (*child)->kill(SIGKILL);
  context.run_for(std::chrono::seconds(30));
  EXPECT_FALSE((*child)->stopped());
}

TEST(Process, ThatCannotStartSaysWhy) {
  boost::asio::io_context context;
  SystemProcesses processes(context);
  auto child = processes.spawn({.path = "/no/such/program"}, [](ExitStatus) {});
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().message, "start /no/such/program: No such file or directory");
}

TEST(AsioLoop, RunsTimersUnlessCancelled) {
  boost::asio::io_context context;
  AsioLoop loop(context);
  std::string order;
  loop.after(2, [&] { order += "b"; });
  const TimerId cancelled = loop.after(1, [&] { order += "x"; });
  loop.defer([&] { order += "a"; });
  loop.cancel(cancelled);
  context.run_for(std::chrono::seconds(5));
  EXPECT_EQ(order, "ab");
}

TEST(LockFile, IsHeldByOneAndNamesItsHolder) {
  const auto path =
      std::filesystem::temp_directory_path() / ("hearth-lock-" + std::to_string(::getpid()));
  {
    auto first = lock_file(path);
    ASSERT_TRUE(first);
    auto second = lock_file(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kConflict);
    EXPECT_EQ(second.error().message, std::to_string(::getpid()));
  }
  EXPECT_TRUE(lock_file(path));
  std::filesystem::remove(path);
}

TEST(PortHolder, NamesTheProcessThatListens) {
  const Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), generic, size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), generic, &size), 0);
  EXPECT_EQ(port_holder(ntohs(address.sin_port)),
            "os_test (process " + std::to_string(::getpid()) + ")");
}

TEST(SharedMemory, IsZeroedAndWritable) {
  auto memory = SharedMemory::create("test", 4096);
  ASSERT_TRUE(memory);
  EXPECT_EQ(static_cast<char*>(memory->data())[4095], 0);
  static_cast<char*>(memory->data())[0] = 1;
  char read = 0;
  ASSERT_EQ(::pread(memory->descriptor(), &read, 1, 0), 1);
  EXPECT_EQ(read, 1);
}

TEST(VirtualWorld, RunsTimersInTheirOrder) {
  VirtualWorld world(1000);
  std::string order;
  world.after(20, [&] { order += "c"; });
  world.after(10, [&] {
    order += "a";
    world.defer([&] { order += "b"; });
    EXPECT_EQ(world.wall_ms(), 1010);
  });
  world.advance(15);
  EXPECT_EQ(order, "ab");
  world.advance(15);
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.wall_ms(), 1030);
}

TEST(VirtualStreams, CarryBytesHoldBackAndTellTheEnd) {
  VirtualWorld world;
  auto [left, right] = make_virtual_streams(world, 4);
  Collector from_left, from_right;
  left->start(from_right);
  right->start(from_left);
  EXPECT_EQ(left->write_some("abcdef"), 4u);
  world.settle();
  EXPECT_EQ(from_left.data, "abcd");
  EXPECT_EQ(from_right.writable, 1);
  EXPECT_EQ(left->write_some("ef"), 2u);
  left->close();
  world.settle();
  EXPECT_EQ(from_left.data, "abcdef");
  EXPECT_TRUE(from_left.closed);
}

}  // namespace
}  // namespace hearth::os
