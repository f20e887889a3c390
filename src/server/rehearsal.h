// Starts new code on copies of agents, one agent after the other, in a host of its own that serves
// nobody: each is constructed and started as for a caller, and how that went is noted. An agent
// that does not start in time, or takes its host with it, is a failure, and the next host goes on
// with the rest. Nothing reaches the running hosts; what the code logs is not kept. Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "core/fault.h"
#include "core/host.h"
#include "os/world.h"

namespace hearth::server {

// One agent, and what became of its copy.
struct RehearsedAgent {
  enum class Outcome : std::uint8_t { kNotTried, kWell, kFailed };
  AgentId id;  // its namespace is the new code's
  std::string name{};
  Outcome outcome = Outcome::kNotTried;
  core::Fault fault{};  // why it failed
};

class Rehearsal final : core::HostEvents {
 public:
  struct Limits {
    std::uint32_t agent_ms_max = 10'000;  // for one agent to start
    std::uint32_t load_ms_max = 60'000;
    std::uint32_t total_ms_max = 120'000;  // what is not tried by then is not tried
    unsigned hosts_max = 10;               // that end before their time
  };
  // `cancelled`: nobody waits for it any more. `done` runs once, and not inside start().
  Rehearsal(const os::World& world, core::HostLauncher& launcher, std::string document,
            std::vector<RehearsedAgent> agents, Limits limits, std::function<bool()> cancelled,
            std::function<void()> done);
  ~Rehearsal() override;

  void start();
  const std::vector<RehearsedAgent>& agents() const { return agents_; }
  // LoadFailed's fault, or why no host could be had; no message when the code loaded.
  const core::Fault& load_fault() const { return load_fault_; }

  // A host's messages.
  void on(const wire::Ready& message);
  void on(const wire::LoadFailed& message);
  void on(const wire::AgentOpened& message);
  void on(const wire::AgentSleep& message);
  void on(const wire::AgentRehearsed& message);
  template <typename Message>
  void on(const Message&) {}

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  Status on_host_frame(core::Host& host, std::string_view frame) override;
  void on_host_batch_end(core::Host&) override {}
  void on_host_room(core::Host&) override {}
  void on_host_ended(core::Host& host) override;

  void launch();
  std::size_t untried() const;
  void next();
  void settle(core::Fault fault);
  void end_after(std::uint32_t delay_ms, std::string reason);
  void finish();
  void tell();
  // Later, unless this is gone by then: a host is on the stack now.
  void later(void (Rehearsal::*step)());

  const os::World world_;
  core::HostLauncher& launcher_;
  const std::shared_ptr<core::Document> document_;  // shared as hosts have it
  std::vector<RehearsedAgent> agents_;
  const Limits limits_;
  const std::function<bool()> cancelled_;
  const std::function<void()> done_;
  std::vector<std::unique_ptr<core::Host>> hosts_;  // the last one may run
  core::Fault load_fault_;
  std::size_t current_ = kNone;  // the agent that starts now
  std::int64_t until_ms_ = 0;
  bool ready_ = false;      // the last host has loaded the code
  bool finishing_ = false;  // no more is tried
  os::TimerId timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // timers outlive this
};

}  // namespace hearth::server
