// Keeps the slots filled: starts hosts, one spare ahead, promotes them, and replaces those that die
// or run an older document. A slot has one host that takes what comes, and at most one more that
// leaves: the next has its place already, and it keeps the agents that are awake there until they
// move, for so long as there is patience, and is drained then. After a death the next is promoted
// when the last has been reaped; so it is with code whose migrations concern agents, which none may
// have at the former's: there the old host is drained first. Hosts that die at once, again and
// again, are started more and more slowly, and loudly. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/host.h"
#include "core/report.h"

namespace hearth::core {

struct SupervisorOptions {
  unsigned host_count = 1;
  bool spare = true;
  std::uint32_t drain_ms = 2'000;  // for a replaced host to finish what has begun
  // How long a host that is replaced goes on while something lasts there. 0: it is drained at once.
  std::uint32_t patience_ms = 0;
  // There only handlers and streams are waited for: whoever edits code wants to see it.
  bool hurry = false;
  std::uint32_t load_ms_max = 60'000;  // for a bundle to load
  std::uint32_t backoff_ms = 100;      // doubled at each death at start
  std::uint32_t backoff_ms_max = 10'000;
};

class SupervisorEvents {
 public:
  virtual ~SupervisorEvents() = default;
  // Frames other than Ready, LoadFailed and Drained.
  virtual Status on_frame(Host& host, std::string_view frame) = 0;
  virtual void on_batch_end(Host& host) = 0;
  virtual void on_room(Host& host) = 0;
  // The slot `host.slot` has this host from now on.
  virtual void on_promoted(Host& host) = 0;
  // It was asked whether it is quiet, and is not: it goes on and takes events again.
  virtual void on_stays(Host& host) = 0;
  // The next host gets the slot `host.slot`; this one keeps what is at work there.
  virtual void on_leaving(Host& host) = 0;
  // It has left the slot `host.slot`; `host.events()` holds what it had not finished.
  virtual void on_slot_lost(Host& host) = 0;
  virtual void on_loaded(const Document& document, std::string_view json) = 0;
  virtual void on_load_failed(const Document& document, std::string_view json) = 0;
  // No host can be had for now: whoever waits is to be told `reason`.
  virtual void on_unavailable(std::string_view reason) = 0;
  // Whether nothing that takes long is at work on the host.
  virtual bool is_quiet(const Host& host) const = 0;
  // Hosts of this document end as soon as they start, again and again; the last with `ending`.
  virtual void on_failing(const Document& document, std::string_view ending) = 0;
  // Once for each document: all slots have hosts that run it.
  virtual void on_switched(const Document& document) = 0;
  // While held: as many hosts are warm as there are slots.
  virtual void on_warm() = 0;
};

class Supervisor final : HostEvents {
 public:
  Supervisor(SupervisorOptions options, const os::World& world, HostLauncher& launcher,
             Report& report, SupervisorEvents& events);
  ~Supervisor() override;

  // What hosts run from now on. Those that run something else are replaced once as many are ready.
  // The document's version. `whole`: a slot's host is drained before the next is promoted.
  std::uint64_t deploy(std::string worker_json, bool whole = false);
  // Puts another host in the place of this one, between events, when one is ready.
  void replace(Host& host, std::string why);
  // Of one that leaves nothing is known to be left: it ends, unless it says that something is.
  void let_end(Host& host);
  // Drains every host; `done` once, when all are gone. Those that are not `grace_ms` after the
  // deadline they were given are killed.
  void stop(std::uint32_t deadline_ms, std::function<void()> done, std::uint32_t grace_ms = 0);
  // After stop(): as at the start.
  void resume();
  // Held: hosts are started and load, but none is given a slot until release(). `generation`: the
  // highest that a slot had before, in whatever process.
  void hold() { held_ = true; }
  void release(std::uint16_t generation);
  std::uint16_t generation() const;

  unsigned slot_count() const { return static_cast<unsigned>(slots_.size()); }
  // The host of a slot that takes events, or null.
  Host* active(unsigned slot) const {
    Host* host = slots_[slot].host;
    return host != nullptr && host->state == HostState::kActive ? host : nullptr;
  }
  // The host that has left that slot to another and is not gone, or null.
  Host* leaving(unsigned slot) const { return slots_[slot].leaving; }
  // Why no host can be had, or empty while one may come.
  const std::string& unavailable() const { return unavailable_; }
  template <typename Visit>
  void for_each_host(Visit visit) const {
    for (const auto& host : hosts_) visit(*host);
  }
  // Null when it is gone.
  Host* find(std::uint32_t number) const;
  std::size_t host_total() const { return hosts_.size(); }
  // Hosts that died soon after they started, in a row: none came up between two of them and lived.
  unsigned deaths_at_start() const { return deaths_at_start_; }
  std::uint64_t version() const { return desired_ ? desired_->version : 0; }

 private:
  struct Slot {
    Host* host = nullptr;     // active or draining
    Host* leaving = nullptr;  // the one before: leaving or draining
    std::uint16_t generation = 0;
  };

  Status on_host_frame(Host& host, std::string_view frame) override;
  void on_host_batch_end(Host& host) override { events_.on_batch_end(host); }
  void on_host_room(Host& host) override { events_.on_room(host); }
  void on_host_ended(Host& host) override;

  void on_ready(Host& host, std::string_view json);
  void on_load_failed(Host& host, std::string_view json);
  void on_drained(Host& host);

  void balance();
  void fill_slots();
  void replace_old();
  void start_missing();
  bool start_one(const std::shared_ptr<Document>& document);
  void promote(unsigned slot, Host& host);
  void drain(Host& host, std::uint32_t deadline_ms);
  void drain_if_quiet(Host& host);
  void leave(Host& host);
  void on_may_leave(Host& host);
  void look_for_impatience();
  void end_unless_drained(Host& host, std::uint32_t deadline_ms);
  void on_not_quiet(Host& host);
  void leave_slot(Host& host);
  void forget(Host& host);
  void note_death(const Host& host);
  bool row_is_broken(const Document& document) const;
  void set_unavailable(std::string reason);
  void tell_switched();
  void tell_stopped();
  void look_again();
  std::shared_ptr<Document> target() const;
  Host* warm_host() const;
  static bool outdated(const Host& host, const std::shared_ptr<Document>& wanted) {
    return host.document != wanted || !host.why_replaced.empty();
  }
  std::size_t count(HostState state, const Document* document) const;

  const SupervisorOptions options_;
  const os::World world_;
  HostLauncher& launcher_;
  Report& report_;
  SupervisorEvents& events_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::shared_ptr<Document> desired_;
  std::shared_ptr<Document> good_;  // the last that loaded
  std::uint64_t last_version_ = 0;
  std::uint32_t last_host_ = 0;
  unsigned deaths_at_start_ = 0;  // in a row
  std::int64_t last_death_ms_ = 0;
  std::int64_t start_not_before_ms_ = 0;
  os::TimerId backoff_timer_;
  os::TimerId patience_timer_;
  std::int64_t replacing_since_ms_ = -1;  // hosts of another document; -1: there are none
  std::string unavailable_;
  bool stopping_ = false;
  bool held_ = false;
  std::function<void()> stopped_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hearth::core
