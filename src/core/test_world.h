// A fake world for the core's tests: hosts that are C++ objects at the other end of a stream in
// memory, speaking the wire, and a network that only remembers what it was told. With the virtual
// clock everything is deterministic.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine.h"
#include "os/virtual_world.h"

namespace hearth::core::testing {

// A message that a fake host received, reduced to what tests look at.
struct Received {
  std::string type{};
  std::uint32_t slot = 0;
  std::uint64_t subject = 0;  // request or connection
  AgentId agent{};
  std::string text{};  // data, url, name
  std::int64_t number = 0;
  std::uint32_t count = 0;
};

std::vector<std::string> texts(const std::vector<Received>& received);

// One that the first host of slot 0 makes.
ConnectionId connection(unsigned counter);

class FakeHost final : public os::StreamEvents {
 public:
  FakeHost(std::unique_ptr<os::Stream> stream, wire::ProgressPage& page,
           std::function<void(os::ExitStatus)> on_exit);

  template <typename Message>
  void send(const Message& message) {
    std::string out;
    wire::append(out, message);
    raw(out);
  }
  void raw(std::string_view bytes) { EXPECT_EQ(stream_->write_some(bytes), bytes.size()); }

  void ready() { send(wire::Ready{R"({"handlers":["fetch"],"classes":[]})"}); }
  // The event's handler begins, ends.
  void begin(std::uint32_t slot);
  // That event's code is on the stack; nullopt: none's.
  void run(std::optional<std::uint32_t> slot);
  void finish(std::uint32_t slot);
  // As SIGKILL: what it wrote stays readable, then end of file.
  void die(os::ExitStatus status = {0, 9});
  void drained() { send(wire::Drained{}); }
  bool alive() const { return stream_ != nullptr; }

  std::vector<Received> take(std::string_view type);
  std::size_t count(std::string_view type) const;
  // Types in the order in which they came, joined by spaces.
  std::string types() const;

  std::vector<Received> received;
  std::string configured;
  bool killed = false;
  bool obeys_kill = true;
  std::uint64_t resident_bytes = 0;
  std::uint64_t cpu_ns = 0;
  std::uint64_t waited_ns = 0;  // for a CPU
  bool stopped = false;  // SIGSTOP
  // Whose code it says is running; null: the worker's.
  void mark(const AgentId* agent);
  // Its event loop turns.
  void turn() { page_.heartbeat.fetch_add(1); }
  bool leaves_at_once = true;  // answers Leave by itself
  bool blocked = false;        // its event loop does not turn

 private:
  friend struct Reader;
  void on_data(std::string_view data) override;
  void on_writable() override {}
  void on_closed() override {}

  std::unique_ptr<os::Stream> stream_;
  wire::ProgressPage& page_;
  std::function<void(os::ExitStatus)> on_exit_;
  wire::FrameReader reader_;
};

class FakeLauncher final : public HostLauncher {
 public:
  explicit FakeLauncher(os::Loop& loop) : loop_(loop) {}
  Result<LaunchedHost> launch(std::uint32_t number,
                              std::function<void(os::ExitStatus)> on_exit) override;

  std::vector<std::shared_ptr<FakeHost>> hosts;  // shared with the fake process that kills it
  std::size_t room = 1 << 24;
  bool refuse = false;
  bool ready_at_once = true;
  std::function<void(FakeHost&)> on_launch = [](FakeHost&) {};

 private:
  os::Loop& loop_;
};

struct Answered {
  std::uint16_t status = 0;
  std::string headers;
  std::string body;
  bool streamed = false;
  bool ended = false;
  bool aborted = false;
};

struct FakeSocket {
  std::vector<std::string> sent;
  std::optional<std::uint16_t> close_code;
  std::string close_reason;
  bool paused = false;
};

class FakeNetwork final : public net::Server {
 public:
  Status start() override { return {}; }
  std::uint16_t port() const override { return 1; }
  void stop(std::uint16_t code, std::string_view, std::uint32_t,
            std::function<void()> done) override {
    stop_code = code;
    done();
  }
  void respond(RequestId request, std::uint16_t status, std::string_view, std::string_view headers,
               std::string_view body) override;
  void respond_streamed(RequestId request, std::uint16_t status, std::string_view,
                        std::string_view headers) override;
  void respond_data(RequestId request, std::string_view data) override;
  void respond_end(RequestId request) override { answers[request.value].ended = true; }
  void respond_abort(RequestId request) override { answers[request.value].aborted = true; }
  net::SocketId upgrade(RequestId request, std::string_view headers) override;
  void body_credit(RequestId, std::uint32_t bytes) override { credit += bytes; }
  net::SendResult send(net::SocketId socket, net::MessageKind, std::string_view data) override;
  void close(net::SocketId socket, std::uint16_t code, std::string_view reason) override;
  void pause(net::SocketId socket) override { sockets[socket.value].paused = true; }
  void resume(net::SocketId socket) override { sockets[socket.value].paused = false; }
  net::ServerCounters counters() const override { return {}; }

  std::map<std::uint64_t, Answered> answers;
  std::map<std::uint64_t, net::SocketId> upgrades;  // by request
  std::map<std::uint64_t, FakeSocket> sockets;
  std::uint64_t credit = 0;
  std::uint64_t last_socket = 0;
  bool client_gone = false;
  std::uint16_t stop_code = 0;
};

class FakeReport final : public Report {
 public:
  void say(Level level, std::string_view message) override {
    lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(message));
  }
  void host_log(Level, std::string_view json) override { host_lines.emplace_back(json); }
  bool has(std::string_view part) const;
  std::vector<std::string> lines;
  std::vector<std::string> host_lines;
};

class NoProcesses final : public os::Processes {
 public:
  Result<std::unique_ptr<os::Process>> spawn(const os::ProcessOptions&,
                                             std::function<void(os::ExitStatus)>) override {
    return Error{ErrorCode::kIo, "no processes in a simulation"};
  }
};

// The whole core over fakes, with one namespace "w-Room" served at /agents/room.
class CoreTest : public ::testing::Test {
 protected:
  CoreTest();
  ~CoreTest() override;
  // Call once, with options changed before; hosts are ready when it returns unless told otherwise.
  void boot();
  void deploy();
  void settle() { world.settle(); }

  net::ServerEvents& client() { return *engine; }
  std::uint64_t request(const std::string& path, bool upgrade = false,
                        std::string_view headers = {});
  AgentId agent(const std::string& name);
  // The active host of a slot: the last one promoted to it.
  FakeHost& host(unsigned slot = 0);
  // A message whose handler ends the host that it began on.
  void die_in_a_message(net::SocketId socket);
  // A client's socket of an agent on `host`: request, SocketOpen, 101. Ends the Fetch.
  net::SocketId open_socket(FakeHost& host, const std::string& name, ConnectionId id,
                            std::uint8_t flags = wire::kSocketHibernatable);
  void message(net::SocketId socket, const std::string& text) {
    client().on_message(socket, net::MessageKind::kAsciiText, text);
  }
  void finish_all(FakeHost& host);

  os::VirtualWorld world;
  NoProcesses processes;
  FakeLauncher launcher{world};
  FakeNetwork network;
  FakeReport report;
  EngineOptions options;
  Deployment deployment;
  std::filesystem::path state;
  std::unique_ptr<Registry> registry;
  Ledger* ledger = nullptr;  // attached at boot()
  std::unique_ptr<Engine> engine;
  std::uint64_t last_request = 0;
  int servings = 0;
};

}  // namespace hearth::core::testing
