// Copies of agents' databases, which their hosts make while they have them: what runs, and what
// waits for a host, for the end of a transaction, or for its turn. Each is answered once, whatever
// becomes of the host. Loop thread; owned by the Engine.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "core/host.h"
#include "os/world.h"

namespace hearth::core {

class Copies {
 public:
  // kNotFound: the agent has no file. kConflict: it kept a transaction open all the time.
  using Done = std::function<void(const Status&)>;
  using HostOf = std::function<Host*(const AgentId& agent)>;

  Copies(os::Loop& loop, HostOf host_of) : loop_(loop), host_of_(std::move(host_of)) {}

  // Of the file `from`, which is the agent's. `done` never runs inside this call.
  void start(const AgentId& agent, std::string from, std::string to, Done done);
  void on_copied(const wire::DatabaseCopied& message);
  // What it was asked for is asked of the next one.
  void on_host_lost(const Host& host);

 private:
  static constexpr std::size_t kRunningMax = 8;
  static constexpr std::uint32_t kRetryMs = 50;
  static constexpr int kRetriesMax = 200;  // ten seconds

  struct Copy {
    AgentId agent{};
    std::string from;
    std::string to;
    Done done;
    int retries = 0;
    std::uint32_t host = 0;  // that was asked
  };
  void pump();
  void ask(std::uint64_t number);
  void try_again(std::uint64_t number, const Error& otherwise);
  void finish(std::uint64_t number, const Status& status);

  os::Loop& loop_;
  const HostOf host_of_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, Copy> running_;
  std::deque<Copy> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // timers outlive this
};

}  // namespace hearth::core
