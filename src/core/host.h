// One host process as the core holds it: the process, the socket to it, its progress page and the
// events it was sent. It ends once, when the process has been reaped and every frame it sent has
// been read, in whichever order those happen; only then is its progress page the last word. Made
// and owned by the Supervisor, on the loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/cpu_budget.h"
#include "core/event_table.h"
#include "core/host_link.h"
#include "os/shared_memory.h"
#include "os/world.h"

namespace hearth::core {

// What a launcher gives: the running process and what the core shares with it.
struct LaunchedHost {
  std::unique_ptr<os::Stream> stream;
  os::SharedMemory page;  // holds a wire::ProgressPage
  std::unique_ptr<os::Process> process;
};

class HostLauncher {
 public:
  virtual ~HostLauncher() = default;
  // `number`: the host's, for whatever it prints.
  virtual Result<LaunchedHost> launch(std::uint32_t number,
                                      std::function<void(os::ExitStatus)> on_exit) = 0;
};

// Maps a fresh progress page. For launchers.
Result<os::SharedMemory> make_progress_page();

// The worker document that hosts are configured with, and how that went.
struct Document {
  std::uint64_t version = 0;
  std::string json;
  bool loaded = false;    // some host was Ready with it
  bool switched = false;  // every slot has had a host that runs it
  bool failed = false;    // LoadFailed: it is not tried again
  bool whole = false;     // no agent may be at the former code's when this one's begins
  std::string failure;    // LoadFailed's JSON
};

// Active: it has its slot. Leaving: another one has, and it keeps what is at work there.
enum class HostState { kStarting, kWarm, kActive, kLeaving, kDraining, kEnded };

class Host;

class HostEvents {
 public:
  virtual ~HostEvents() = default;
  virtual Status on_host_frame(Host& host, std::string_view frame) = 0;
  virtual void on_host_batch_end(Host& host) = 0;
  virtual void on_host_room(Host& host) = 0;
  // Reaped, and all it sent was read. The Host may not be destroyed inside.
  virtual void on_host_ended(Host& host) = 0;
};

class Host final : LinkEvents {
 public:
  Host(std::uint32_t number, std::shared_ptr<Document> document, const os::World& world,
       HostEvents& events);
  ~Host() override;

  // Starts the process and sends Configure.
  Status launch(HostLauncher& launcher);

  template <typename Message>
  void send(const Message& message) {
    link_->send(message);
  }
  HostLink& link() { return *link_; }
  EventTable& events() { return *table_; }
  std::size_t in_flight() const { return table_->in_flight(); }
  std::uint64_t heartbeat() const;
  // The watchdog's own: what it saw last, and since when by the host's own clock; nothing before it
  // first looked.
  std::optional<std::uint64_t> heartbeat_seen;
  std::int64_t heartbeat_since_ms = 0;
  std::uint64_t heartbeat_waited_ns = 0;  // main_thread_waited_ns() then
  // In how many looks of StoppedHosts, one after the other, its process was found stopped.
  unsigned looks_stopped = 0;
  // By whoever else: not held.
  bool stopped() const {
    return !held_since_ms_ && launched_.process && launched_.process->stopped();
  }
  // TurnLimit's own: the turn that it saw last, what the main thread had used before, and since
  // when by the host's own clock it is past the limit.
  struct Turn {
    std::optional<std::uint64_t> heartbeat;
    std::uint64_t used_before_ns = 0;
    std::optional<std::int64_t> over_since_ms;
  };
  Turn turn;
  std::uint64_t main_thread_waited_ns() const {
    return launched_.process ? launched_.process->main_thread_waited_ns() : 0;
  }
  std::uint64_t main_thread_cpu_ns() const {
    return launched_.process ? launched_.process->main_thread_cpu_ns() : 0;
  }
  bool connected() const { return link_ && link_->open(); }

  bool takes_events() const { return state == HostState::kActive || state == HostState::kLeaving; }
  // Agents are, or may be, awake there.
  bool has_slot() const { return takes_events() || state == HostState::kDraining; }

  // SIGKILL. It ends when it has been reaped.
  void kill(std::string reason);
  // Nothing more is expected of it (it said Drained): the process has a moment to leave by itself.
  void retire();

  const std::uint32_t number;  // never reused
  const std::shared_ptr<Document> document;
  HostState state = HostState::kStarting;
  unsigned slot = 0;                 // while active, leaving or draining
  std::uint16_t generation = 0;      // of that slot
  std::int64_t active_since_ms = 0;  // or warm
  std::string why_replaced{};        // though its code is the newest; empty: it is not
  // That it will leave was said (Leave), and it has heard so (Leaving).
  bool leave_asked = false;
  bool may_leave = false;
  std::int64_t leave_asked_ms = 0;
  std::int64_t leaving_since_ms = 0;
  bool drained = false;  // it said so: its end is no loss
  // How often it was asked to drain, and whether it may answer that it is not quiet; then when it
  // is asked again.
  unsigned drains = 0;
  bool may_stay = false;
  std::int64_t ask_again_ms = 0;
  bool gone() const { return gone_; }  // reaped, and its end was told
  // Why it ended, in words: the core's reason, else the process's own.
  std::string ending() const;
  std::uint64_t resident_bytes() const {
    return launched_.process ? launched_.process->resident_bytes() : 0;
  }
  std::uint64_t cpu_ns() const { return launched_.process ? launched_.process->cpu_ns() : 0; }

  // Stops the process for a while (SIGSTOP), and lets it go on. It must not be held while it is
  // expected to drain; SIGKILL ends it all the same.
  void hold();
  void go_on();
  // For how long it was held, in all and up to now; and the steady clock without that time, by
  // which what it must do in time is measured.
  std::int64_t held_ms() const;
  std::int64_t running_clock_ms() const { return world_.clock.steady_ms() - held_ms(); }
  // CpuLimit's own: what the host may use, and what was said of it last.
  std::optional<CpuBudget> cpu_budget;
  std::int64_t held_told_ms = 0;
  std::optional<std::int64_t> held_told_at_ms;

  int pid() const { return launched_.process ? launched_.process->pid() : 0; }

 private:
  Status on_frame(std::string_view frame) override { return events_.on_host_frame(*this, frame); }
  void on_batch_end() override { events_.on_host_batch_end(*this); }
  void on_drained() override { events_.on_host_room(*this); }
  void on_link_closed(std::string_view reason) override;
  void on_exit(os::ExitStatus status);
  void ended_if_all_is_in();
  void kill_after(std::uint32_t delay_ms);

  const os::World& world_;
  HostEvents& events_;
  LaunchedHost launched_;
  std::unique_ptr<EventTable> table_;
  std::unique_ptr<HostLink> link_;
  std::optional<os::ExitStatus> exit_;
  std::optional<std::int64_t> held_since_ms_;
  std::int64_t held_before_ms_ = 0;
  bool link_closed_ = false;
  bool gone_ = false;
  std::string reason_;
  os::TimerId grace_;
};

}  // namespace hearth::core
