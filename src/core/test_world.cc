#include "core/test_world.h"

#include <signal.h>
#include <stdlib.h>

#include <algorithm>

namespace hearth::core::testing {

std::vector<std::string> texts(const std::vector<Received>& received) {
  std::vector<std::string> all;
  for (const Received& each : received) all.push_back(each.text);
  return all;
}

ConnectionId connection(unsigned counter) {
  return make_connection_id(0, 1, counter);
}

// Writes down what a host is sent.
struct Reader {
  FakeHost& host;
  void add(Received received) { host.received.push_back(std::move(received)); }
  void on(const wire::Configure& m) { host.configured = m.json; }
  void on(const wire::Promote& m) {
    add({.type = "Promote", .number = m.generation, .count = m.host_slot});
  }
  void on(const wire::Fetch& m) {
    add({.type = "Fetch", .slot = m.slot, .subject = m.request.value, .text = std::string(m.url)});
  }
  void on(const wire::BodyData& m) {
    add({.type = "BodyData", .subject = m.request.value, .text = std::string(m.data)});
  }
  void on(const wire::BodyEnd& m) { add({.type = "BodyEnd", .subject = m.request.value}); }
  void on(const wire::RequestGone& m) { add({.type = "RequestGone", .subject = m.request.value}); }
  void on(const wire::ResponseCredit& m) { add({.type = "ResponseCredit", .count = m.bytes}); }
  void on(const wire::SocketMessage& m) {
    add({.type = "SocketMessage",
         .slot = m.slot,
         .subject = m.connection.value,
         .text = std::string(m.data)});
  }
  void on(const wire::SocketClosed& m) {
    add({.type = "SocketClosed", .slot = m.slot, .subject = m.connection.value, .number = m.code});
  }
  void on(const wire::Alarm& m) {
    add({.type = "Alarm",
         .slot = m.slot,
         .agent = m.agent,
         .text = std::string(m.name),
         .number = m.scheduled_ms,
         .count = m.retries});
  }
  void on(const wire::AgentWake& m) {
    add({.type = "AgentWake", .agent = m.agent, .text = std::string(m.name), .count = m.sockets});
  }
  void on(const wire::AgentSocket& m) {
    add({.type = "AgentSocket",
         .subject = m.connection.value,
         .agent = m.agent,
         .text = std::string(m.attachment)});
  }
  void on(const wire::AgentResume& m) { add({.type = "AgentResume", .agent = m.agent}); }
  void on(const wire::AgentRehearse& m) { add({.type = "AgentRehearse", .agent = m.agent}); }
  void on(const wire::AgentRefused& m) {
    add({.type = "AgentRefused", .agent = m.agent, .text = std::string(m.message)});
  }
  void on(const wire::SleepAccepted& m) { add({.type = "SleepAccepted", .agent = m.agent}); }
  void on(const wire::ProbeAlarm& m) { add({.type = "ProbeAlarm", .agent = m.agent}); }
  void on(const wire::CopyDatabase& m) {
    add({.type = "CopyDatabase", .subject = m.copy, .text = std::string(m.from)});
  }
  void on(const wire::Scheduled& m) {
    add({.type = "Scheduled",
         .slot = m.slot,
         .text = std::string(m.cron),
         .number = m.scheduled_ms,
         .count = m.worker});
  }
  void on(const wire::PeerData& m) {
    add({.type = "PeerData", .text = std::string(m.data), .count = m.peer});
  }
  void on(const wire::PeerGone& m) { add({.type = "PeerGone", .count = m.peer}); }
  void on(const wire::HostServes& m) {
    add({.type = "HostServes", .number = m.host, .count = m.host_slot});
  }
  void on(const wire::Leave&) {
    if (host.leaves_at_once)
      host.send(wire::Leaving{});
    else
      add({.type = "Leave"});
  }
  void on(const wire::AgentMove& m) {
    add({.type = "AgentMove", .agent = m.agent, .number = m.hurry, .count = m.patience_ms});
  }
  void on(const wire::AgentElsewhere& m) {
    add({.type = "AgentElsewhere", .agent = m.agent, .count = m.host});
  }
  void on(const wire::Drain&) { add({.type = "Drain"}); }
  void on(const wire::DrainIfQuiet& m) { add({.type = "DrainIfQuiet", .count = m.patience_ms}); }
  void on(const wire::AutoResponded& m) {
    if (!m.connection) return;  // the watchdog's nudge
    add({.type = "AutoResponded", .subject = m.connection.value});
  }
};

FakeHost::FakeHost(std::unique_ptr<os::Stream> stream, wire::ProgressPage& page,
                   std::function<void(os::ExitStatus)> on_exit)
    : stream_(std::move(stream)), page_(page), on_exit_(std::move(on_exit)) {
  stream_->start(*this);
}

void FakeHost::on_data(std::string_view data) {
  if (!blocked) page_.heartbeat.fetch_add(1);
  Reader reader{*this};
  const Status status = reader_.feed(data, [&](std::string_view frame) {
    return wire::dispatch<wire::Direction::kToHost>(frame, reader);
  });
  EXPECT_TRUE(status.ok());
}

void FakeHost::begin(std::uint32_t slot) {
  EXPECT_EQ(page_.state[slot].load(), static_cast<std::uint8_t>(wire::Progress::kSent));
  page_.state[slot].store(static_cast<std::uint8_t>(wire::Progress::kBegun));
}

void FakeHost::run(std::optional<std::uint32_t> slot) {
  page_.running.store(slot ? *slot + 1 : 0);
}

void FakeHost::mark(const AgentId* agent) {
  if (agent == nullptr) return page_.marks.agent.store(wire::ProgressPage::kWorkersOwn);
  constexpr std::uint32_t kPlace = 7;
  page_.agents[kPlace].name_space = agent->name_space;
  std::copy(agent->bytes.begin(), agent->bytes.end(), std::begin(page_.agents[kPlace].id));
  page_.marks.agent.store(kPlace + 1);
}

void FakeHost::finish(std::uint32_t slot) {
  page_.state[slot].store(static_cast<std::uint8_t>(wire::Progress::kDone));
}

void FakeHost::die(os::ExitStatus status) {
  if (!stream_) return;
  stream_->close();
  stream_.reset();
  on_exit_(status);
}

std::vector<Received> FakeHost::take(std::string_view type) {
  std::vector<Received> taken;
  std::erase_if(received, [&](const Received& each) {
    if (each.type != type) return false;
    taken.push_back(each);
    return true;
  });
  return taken;
}

std::size_t FakeHost::count(std::string_view type) const {
  return static_cast<std::size_t>(std::count_if(
      received.begin(), received.end(), [&](const Received& each) { return each.type == type; }));
}

std::string FakeHost::types() const {
  std::string all;
  for (const Received& each : received) all += (all.empty() ? "" : " ") + each.type;
  return all;
}

namespace {
class FakeProcess final : public os::Process {
 public:
  FakeProcess(os::Loop& loop, std::shared_ptr<FakeHost> host)
      : loop_(loop), host_(std::move(host)) {}
  int pid() const override { return 1; }
  std::uint64_t resident_bytes() const override { return host_->resident_bytes; }
  std::uint64_t cpu_ns() const override { return host_->cpu_ns; }
  std::uint64_t main_thread_waited_ns() const override { return host_->waited_ns; }
  bool stopped() const override { return host_->stopped && host_->alive(); }
  void kill(int signal) override {
    if (signal == SIGSTOP || signal == SIGCONT) {
      host_->stopped = signal == SIGSTOP;
      return;
    }
    host_->killed = true;
    if (!host_->obeys_kill) return;
    loop_.defer([host = host_, signal] { host->die({0, signal}); });
  }

 private:
  os::Loop& loop_;
  std::shared_ptr<FakeHost> host_;
};
}  // namespace

Result<LaunchedHost> FakeLauncher::launch(std::uint32_t,
                                          std::function<void(os::ExitStatus)> on_exit) {
  if (refuse) return Error{ErrorCode::kIo, "start node: No such file or directory"};
  auto page = make_progress_page();
  if (!page) return page.error();
  auto [ours, theirs] = os::make_virtual_streams(loop_, room);
  auto& progress = *static_cast<wire::ProgressPage*>(page->data());
  auto host = std::make_shared<FakeHost>(std::move(theirs), progress, std::move(on_exit));
  hosts.push_back(host);
  on_launch(*host);
  if (ready_at_once && host->alive()) host->ready();
  return LaunchedHost{std::move(ours), std::move(page).value(),
                      std::make_unique<FakeProcess>(loop_, host)};
}

void FakeNetwork::respond(RequestId request, std::uint16_t status, std::string_view,
                          std::string_view headers, std::string_view body) {
  EXPECT_EQ(answers.count(request.value), 0u) << "a request was answered twice";
  answers[request.value] = {status, std::string(headers), std::string(body), false, true, false};
}

void FakeNetwork::respond_streamed(RequestId request, std::uint16_t status, std::string_view,
                                   std::string_view headers) {
  EXPECT_EQ(answers.count(request.value), 0u);
  answers[request.value] = {status, std::string(headers), {}, true, false, false};
}

void FakeNetwork::respond_data(RequestId request, std::string_view data) {
  answers[request.value].body += data;
}

net::SocketId FakeNetwork::upgrade(RequestId request, std::string_view) {
  if (client_gone) return {};
  const net::SocketId id{++last_socket};
  upgrades[request.value] = id;
  sockets[id.value] = {};
  return id;
}

net::SendResult FakeNetwork::send(net::SocketId socket, net::MessageKind, std::string_view data) {
  sockets[socket.value].sent.emplace_back(data);
  return net::SendResult::kSent;
}

void FakeNetwork::close(net::SocketId socket, std::uint16_t code, std::string_view reason) {
  if (sockets[socket.value].close_code) return;
  sockets[socket.value].close_code = code;
  sockets[socket.value].close_reason = reason;
}

bool FakeReport::has(std::string_view part) const {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

CoreTest::CoreTest() {
  std::string folder = (std::filesystem::temp_directory_path() / "hearth-core-XXXXXX").string();
  state = ::mkdtemp(folder.data());
  options.state = state;
  deployment.worker_json =
      R"({"namespaces":[{"className":"Room","uniqueKey":"w-Room"}],"bindings":[]})";
  deployment.namespaces = {{"Room", "w-Room"}};
  deployment.routes = {{"room", "ROOM", 0, "wrangler.jsonc:7:17", "Room"}};
}

CoreTest::~CoreTest() {
  engine.reset();
  registry.reset();
  std::filesystem::remove_all(state);
}

void CoreTest::boot() {
  auto opened = Registry::open(state, world);
  ASSERT_TRUE(opened) << opened.error().message;
  registry = std::move(opened).value();
  EngineHooks hooks;
  hooks.on_serving = [this] { ++servings; };
  engine = std::make_unique<Engine>(options, hooks, os::World{world, world, processes}, launcher,
                                    *registry, report);
  engine->attach(network);
  if (ledger != nullptr) engine->attach(*ledger);
  deploy();
}

void CoreTest::deploy() {
  engine->deploy(deployment);
  settle();
}

std::uint64_t CoreTest::request(const std::string& path, bool upgrade, std::string_view headers) {
  net::Request request;
  request.id = {++last_request};
  request.method = "GET";
  request.url = "http://h" + path;
  request.target = path;
  request.headers = headers;
  request.upgrade = upgrade;
  client().on_request(request);
  settle();
  return last_request;
}

AgentId CoreTest::agent(const std::string& name) {
  return AgentId{0, wire::AgentIds("w-Room").from_name(name)};
}

FakeHost& CoreTest::host(unsigned slot) {
  for (auto each = launcher.hosts.rbegin(); each != launcher.hosts.rend(); ++each) {
    if (!(*each)->alive()) continue;
    for (const Received& received : (*each)->received) {
      if (received.type == "Promote" && received.count == slot) return **each;
    }
  }
  ADD_FAILURE() << "slot " << slot << " has no host";
  return *launcher.hosts.back();
}

void CoreTest::die_in_a_message(net::SocketId socket) {
  FakeHost& dying = host();
  message(socket, "die");
  settle();
  dying.begin(dying.take("SocketMessage").back().slot);
  dying.die();
  settle();
}

net::SocketId CoreTest::open_socket(FakeHost& to, const std::string& name, ConnectionId id,
                                    std::uint8_t flags) {
  const std::uint64_t number = request("/agents/room/" + name, true);
  const std::vector<Received> fetches = to.take("Fetch");
  EXPECT_EQ(fetches.size(), 1u);
  if ((flags & wire::kSocketOfWorker) == 0) to.send(wire::AgentOpened{agent(name), name});
  to.send(wire::SocketOpen{id, agent(name), flags, {}, "attached"});
  to.send(wire::RespondUpgrade{{number}, id, {}});
  if (!fetches.empty()) to.finish(fetches[0].slot);
  settle();
  EXPECT_TRUE(network.upgrades.contains(number));
  return network.upgrades[number];
}

void CoreTest::finish_all(FakeHost& of) {
  for (const Received& each : of.received) {
    if (each.type == "Fetch" || each.type == "SocketMessage" || each.type == "SocketClosed" ||
        each.type == "Alarm" || each.type == "Scheduled") {
      of.finish(each.slot);
    }
  }
  std::erase_if(of.received, [](const Received& each) { return each.type != "Promote"; });
  // Something must come for the core to look.
  of.send(wire::Log{0, "{}"});
  settle();
}

}  // namespace hearth::core::testing
