#include "core/supervisor.h"

#include <algorithm>
#include <utility>

namespace hearth::core {

namespace {
// A host that lived shorter than this died at its start, as far as the back-off is concerned.
constexpr std::int64_t kShortLifeMs = 1'000;
// From here on those who wait are told instead of queued.
constexpr unsigned kDeathsUntilUnavailable = 3;

// The supervisor's own messages; all others are the engine's.
struct LifeMessages {
  std::function<void(const wire::Ready&)> ready;
  std::function<void(const wire::LoadFailed&)> load_failed;
  std::function<void()> drained;
  std::function<void()> not_quiet;
  std::function<void()> may_leave;
  void on(const wire::Ready& message) { ready(message); }
  void on(const wire::LoadFailed& message) { load_failed(message); }
  void on(const wire::Drained&) { drained(); }
  void on(const wire::NotQuiet&) { not_quiet(); }
  void on(const wire::Leaving&) { may_leave(); }
  template <typename Message>
  void on(const Message&) {}
};

bool is_life_message(std::string_view frame) {
  if (frame.empty()) return false;
  const auto type = static_cast<wire::MessageType>(static_cast<std::uint8_t>(frame[0]));
  return type == wire::MessageType::kReady || type == wire::MessageType::kLoadFailed ||
         type == wire::MessageType::kDrained || type == wire::MessageType::kNotQuiet ||
         type == wire::MessageType::kLeaving;
}
}  // namespace

Supervisor::Supervisor(SupervisorOptions options, const os::World& world, HostLauncher& launcher,
                       Report& report, SupervisorEvents& events)
    : options_(options),
      world_(world),
      launcher_(launcher),
      report_(report),
      events_(events),
      slots_(options.host_count) {
  ASSERT(options.host_count >= 1 && options.host_count <= 255, "a slot is one byte on the wire");
}

Supervisor::~Supervisor() {
  *alive_ = false;
  world_.loop.cancel(backoff_timer_);
  world_.loop.cancel(patience_timer_);
}

std::uint64_t Supervisor::deploy(std::string worker_json, bool whole) {
  desired_ = std::make_shared<Document>();
  desired_->whole = whole;
  desired_->version = ++last_version_;
  desired_->json = std::move(worker_json);
  deaths_at_start_ = 0;
  start_not_before_ms_ = 0;
  unavailable_.clear();  // there is hope again: whoever asks now waits for it
  replacing_since_ms_ = -1;
  const std::uint64_t version = desired_->version;
  balance();
  return version;
}

void Supervisor::replace(Host& host, std::string why) {
  if (stopping_ || host.state != HostState::kActive || !host.why_replaced.empty()) return;
  host.why_replaced = std::move(why);
  balance();
}

std::uint16_t Supervisor::generation() const {
  std::uint16_t highest = 0;
  for (const Slot& slot : slots_) highest = std::max(highest, slot.generation);
  return highest;
}

void Supervisor::release(std::uint16_t generation) {
  held_ = false;
  for (Slot& slot : slots_) slot.generation = std::max(slot.generation, generation);
  balance();
}

void Supervisor::resume() {
  stopping_ = false;
  stopped_ = nullptr;
  balance();
}

void Supervisor::stop(std::uint32_t deadline_ms, std::function<void()> done,
                      std::uint32_t grace_ms) {
  stopping_ = true;
  stopped_ = std::move(done);
  world_.loop.cancel(backoff_timer_);
  world_.loop.cancel(patience_timer_);
  const std::size_t count = hosts_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Host& host = *hosts_[i];
    if (host.state == HostState::kActive || host.state == HostState::kLeaving) {
      drain(host, deadline_ms);
    } else if (host.state != HostState::kDraining) {
      host.kill("hearth is shutting down");
    }
  }
  world_.loop.after(deadline_ms + grace_ms, [this, alive = alive_] {
    if (!*alive || !stopping_) return;
    for (const auto& host : hosts_) host->kill("it had not drained at the shutdown's deadline");
  });
  tell_stopped();
}

// Those that are gone are forgotten a little later.
void Supervisor::tell_stopped() {
  const auto gone = [](const auto& each) { return each->gone(); };
  if (stopped_ && std::all_of(hosts_.begin(), hosts_.end(), gone)) {
    std::exchange(stopped_, nullptr)();
  }
}

Status Supervisor::on_host_frame(Host& host, std::string_view frame) {
  if (!is_life_message(frame)) {
    // Before Ready too: a bundle's own log lines at load.
    return events_.on_frame(host, frame);
  }
  LifeMessages messages{
      [&](const wire::Ready& message) { on_ready(host, message.json); },
      [&](const wire::LoadFailed& message) { on_load_failed(host, message.json); },
      [&] { on_drained(host); }, [&] { on_not_quiet(host); }, [&] { on_may_leave(host); }};
  return wire::dispatch<wire::Direction::kToCore>(frame, messages);
}

void Supervisor::on_ready(Host& host, std::string_view json) {
  if (host.state != HostState::kStarting) return;
  if (host.document != desired_ && !host.document->loaded) {
    // A newer one was deployed before this one had loaded: it is never served.
    host.drained = true;
    host.kill("a newer build took its place");
    return balance();
  }
  host.state = HostState::kWarm;
  host.active_since_ms = world_.clock.steady_ms();
  const bool first = !std::exchange(host.document->loaded, true);
  if (!good_ || good_->version <= host.document->version) good_ = host.document;
  if (first) events_.on_loaded(*host.document, json);
  balance();
}

void Supervisor::on_load_failed(Host& host, std::string_view json) {
  if (host.state != HostState::kStarting) return;
  if (host.document->loaded) {
    // It loaded before: whatever is wrong now may pass, so it counts as a death at start.
    report_.say(Level::kError,
                "a host could not load a bundle that had loaded before: " + std::string(json));
    host.kill("its bundle did not load");
    return;
  }
  const bool first = !std::exchange(host.document->failed, true);
  host.document->failure = json;
  host.kill("its bundle did not load");
  if (first) events_.on_load_failed(*host.document, json);
  balance();
}

void Supervisor::on_drained(Host& host) {
  if (!host.has_slot()) return;
  // Its databases are closed and its progress page will not change: the slot is free, the process
  // may take its time to exit.
  host.retire();
  leave_slot(host);
  balance();
}

void Supervisor::on_host_ended(Host& host) {
  const bool had_slot = host.has_slot();
  if (!stopping_ && !host.drained && !host.document->failed) note_death(host);
  if (had_slot) leave_slot(host);
  host.state = HostState::kEnded;
  forget(host);
  stopping_ ? tell_stopped() : balance();
}

void Supervisor::note_death(const Host& host) {
  const std::int64_t now_ms = world_.clock.steady_ms();
  const bool at_start =
      host.state == HostState::kStarting || now_ms - host.active_since_ms < kShortLifeMs;
  if (host.state == HostState::kDraining && !host.may_stay) return;
  report_.say(Level::kError,
              "host " + std::to_string(host.number) +
                  (host.state == HostState::kStarting ? " died while starting: " : " died: ") +
                  host.ending());
  // By somebody, or of code that has been replaced: it says nothing of what is served.
  if (host.looks_stopped > 0 || slots_[host.slot].leaving == &host) return;
  if (!at_start) {
    deaths_at_start_ = 0;
    return;
  }
  if (row_is_broken(*host.document)) deaths_at_start_ = 0;
  last_death_ms_ = now_ms;
  ++deaths_at_start_;
  // The first is replaced at once.
  if (deaths_at_start_ < 2) return;
  const unsigned doublings = std::min(deaths_at_start_ - 2, 20u);
  const std::uint64_t wait_ms = std::min<std::uint64_t>(
      std::uint64_t{options_.backoff_ms} << doublings, options_.backoff_ms_max);
  start_not_before_ms_ = world_.clock.steady_ms() + static_cast<std::int64_t>(wait_ms);
  if (deaths_at_start_ >= kDeathsUntilUnavailable) {
    report_.say(Level::kError, std::to_string(deaths_at_start_) +
                                   " hosts in a row died soon after they started; the next is "
                                   "tried in " +
                                   std::to_string(wait_ms) + " ms");
    events_.on_failing(*host.document, host.ending());
  }
}

// By a host that has come up since the last death at the start, and lives.
bool Supervisor::row_is_broken(const Document& document) const {
  const std::int64_t now_ms = world_.clock.steady_ms();
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& each) {
    const bool up = each->state == HostState::kActive || each->state == HostState::kWarm;
    return up && each->document.get() == &document && each->active_since_ms >= last_death_ms_ &&
           now_ms - each->active_since_ms >= kShortLifeMs;
  });
}

// ---- balance: what there is, what there should be
// ------------------------------------------------

std::shared_ptr<Document> Supervisor::target() const {
  if (desired_ && !desired_->failed) return desired_;
  return good_;
}

std::size_t Supervisor::count(HostState state, const Document* document) const {
  return static_cast<std::size_t>(std::count_if(
      hosts_.begin(), hosts_.end(),
      [&](const auto& host) { return host->state == state && host->document.get() == document; }));
}

// The newest document's, so that a slot that falls empty during a deploy moves on.
Host* Supervisor::warm_host() const {
  Host* best = nullptr;
  for (const auto& host : hosts_) {
    if (host->state != HostState::kWarm) continue;
    if (!best || host->document->version > best->document->version) best = host.get();
  }
  return best;
}

void Supervisor::balance() {
  if (stopping_) return;
  if (held_) {
    start_missing();
    if (target() && count(HostState::kWarm, target().get()) >= slots_.size()) events_.on_warm();
    return;
  }
  fill_slots();
  replace_old();
  look_for_impatience();
  start_missing();
  tell_switched();
  const bool some_empty = std::any_of(slots_.begin(), slots_.end(),
                                      [](const Slot& slot) { return slot.host == nullptr; });
  if (!some_empty) return set_unavailable("");
  if (!target() && desired_) return set_unavailable(desired_->failure);
  if (deaths_at_start_ >= kDeathsUntilUnavailable) {
    set_unavailable("{\"message\":\"the code's hosts end as soon as they start; see the log\"}");
  }
}

void Supervisor::tell_switched() {
  const std::shared_ptr<Document> wanted = target();
  if (!wanted || wanted->switched) return;
  for (const Slot& slot : slots_) {
    if (!slot.host || slot.host->document != wanted || slot.host->state != HostState::kActive)
      return;
  }
  wanted->switched = true;
  replacing_since_ms_ = -1;
  events_.on_switched(*wanted);
}

void Supervisor::set_unavailable(std::string reason) {
  if (unavailable_ == reason) return;
  unavailable_ = std::move(reason);
  if (!unavailable_.empty()) events_.on_unavailable(unavailable_);
}

void Supervisor::fill_slots() {
  for (unsigned slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].host != nullptr) continue;
    Host* host = warm_host();
    if (host == nullptr) return;
    if (slots_[slot].leaving != nullptr && host->document->whole) continue;
    promote(slot, *host);
  }
}

void Supervisor::start_missing() {
  const std::shared_ptr<Document> wanted = target();
  if (!wanted) return;
  std::size_t needed = options_.spare && !held_ ? 1 : 0;
  for (const Slot& slot : slots_) {
    if (slot.host == nullptr || outdated(*slot.host, wanted) ||
        slot.host->state == HostState::kDraining) {
      ++needed;
    }
  }
  const std::size_t have =
      count(HostState::kStarting, wanted.get()) + count(HostState::kWarm, wanted.get());
  if (have >= needed) return;
  const std::int64_t wait_ms = start_not_before_ms_ - world_.clock.steady_ms();
  if (wait_ms > 0) {
    world_.loop.cancel(backoff_timer_);
    backoff_timer_ = world_.loop.after(static_cast<std::uint32_t>(wait_ms), [this] { balance(); });
    return;
  }
  // The spare is started when the slots have their hosts: it would only slow them down.
  const bool slots_first = needed - have == 1 && options_.spare && !held_ &&
                           count(HostState::kStarting, wanted.get()) > 0;
  if (slots_first) return;
  const bool spare_later = options_.spare && !held_ && needed - have > 1;
  const std::size_t missing = needed - have - (spare_later ? 1 : 0);
  for (std::size_t i = 0; i < missing && start_one(wanted); ++i) {
  }
}

bool Supervisor::start_one(const std::shared_ptr<Document>& document) {
  HostEvents& self = *this;
  auto host = std::make_unique<Host>(++last_host_, document, world_, self);
  const Status started = host->launch(launcher_);
  if (!started) {
    ++deaths_at_start_;
    start_not_before_ms_ = world_.clock.steady_ms() + options_.backoff_ms_max;
    report_.say(Level::kError, "a host could not be started: " + started.error().message);
    if (deaths_at_start_ < kDeathsUntilUnavailable) deaths_at_start_ = kDeathsUntilUnavailable;
    world_.loop.cancel(backoff_timer_);
    backoff_timer_ = world_.loop.after(options_.backoff_ms_max, [this] { balance(); });
    return false;
  }
  world_.loop.after(options_.load_ms_max, [this, alive = alive_, number = host->number] {
    if (!*alive) return;
    Host* late = find(number);
    if (late == nullptr || late->state != HostState::kStarting) return;
    on_load_failed(*late, "{\"message\":\"the bundle did not finish loading within " +
                              std::to_string(options_.load_ms_max / 1000) +
                              " seconds: a loop at the top level of a module may not end\"}");
  });
  hosts_.push_back(std::move(host));
  return true;
}

void Supervisor::promote(unsigned slot, Host& host) {
  Slot& place = slots_[slot];
  place.host = &host;
  place.generation = static_cast<std::uint16_t>((place.generation + 1) & 0x1fff);
  host.slot = slot;
  host.generation = place.generation;
  host.state = HostState::kActive;
  host.active_since_ms = world_.clock.steady_ms();
  host.send(wire::Promote{static_cast<std::uint8_t>(slot), place.generation,
                          static_cast<std::uint8_t>(slots_.size())});
  events_.on_promoted(host);
}

void Supervisor::drain(Host& host, std::uint32_t deadline_ms) {
  host.state = HostState::kDraining;
  host.may_stay = false;
  host.go_on();
  host.send(wire::Drain{deadline_ms});
  end_unless_drained(host, deadline_ms);
}

void Supervisor::end_unless_drained(Host& host, std::uint32_t deadline_ms) {
  const unsigned drain = ++host.drains;
  world_.loop.after(deadline_ms + 100, [this, alive = alive_, number = host.number, drain] {
    if (!*alive) return;
    Host* late = find(number);
    if (late == nullptr || late->state != HostState::kDraining || late->drains != drain) return;
    report_.say(Level::kWarn, "host " + std::to_string(number) +
                                  " had work left at the drain's deadline and was ended");
    late->kill("it had not drained at the deadline");
  });
}

Host* Supervisor::find(std::uint32_t number) const {
  for (const auto& host : hosts_) {
    if (host->number == number) return host.get();
  }
  return nullptr;
}

void Supervisor::leave_slot(Host& host) {
  Slot& slot = slots_[host.slot];
  if (slot.host == &host) {
    slot.host = nullptr;
  } else if (slot.leaving == &host) {
    slot.leaving = nullptr;
  } else {
    return;
  }
  host.state = HostState::kEnded;
  events_.on_slot_lost(host);
}

// Later: the host is on the stack now.
void Supervisor::forget(Host& host) {
  world_.loop.defer([this, alive = alive_, number = host.number] {
    if (!*alive) return;
    std::erase_if(hosts_, [&](const auto& each) { return each->number == number; });
  });
}

}  // namespace hearth::core
