// The replacement of hosts that run an older document, or are to make room: one leaves its slot to
// the next and keeps its agents until they move, or it is drained first, between its events.
#include <algorithm>
#include <utility>

#include "core/quiet.h"
#include "core/supervisor.h"

namespace hearth::core {

void Supervisor::replace_old() {
  const std::shared_ptr<Document> wanted = target();
  if (!wanted || !wanted->loaded) return;
  std::vector<Host*> old;
  for (const Slot& slot : slots_) {
    if (slot.host && outdated(*slot.host, wanted) && slot.host->state == HostState::kActive) {
      old.push_back(slot.host);
    }
  }
  // Patience is for each replacement anew.
  if (std::all_of(slots_.begin(), slots_.end(),
                  [&](const Slot& slot) { return slot.host && !outdated(*slot.host, wanted); })) {
    replacing_since_ms_ = -1;
  }
  if (count(HostState::kWarm, wanted.get()) >= old.size()) {
    const bool one_by_one = options_.patience_ms > 0 && !wanted->whole;
    for (Host* host : old) one_by_one ? leave(*host) : drain_if_quiet(*host);
    fill_slots();
  }
  // Spares of other documents serve until here, should an active host die meanwhile.
  const bool replaced = std::all_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
    return slot.host && (!outdated(*slot.host, wanted) ||
                         (slot.host->state == HostState::kDraining && !slot.host->may_stay));
  });
  for (const auto& host : hosts_) {
    if (host->document == wanted) continue;
    if (host->state == HostState::kStarting || (host->state == HostState::kWarm && replaced)) {
      host->drained = true;  // its end is no loss
      host->kill("a newer build took its place");
    }
  }
}

// A slot moves to the new build between its events: while something that takes long is at work
// there, it goes on and gets what comes for it, until patience ends.
void Supervisor::drain_if_quiet(Host& host) {
  const std::int64_t now_ms = world_.clock.steady_ms();
  if (replacing_since_ms_ < 0) replacing_since_ms_ = now_ms;
  const std::int64_t left_ms = replacing_since_ms_ + options_.patience_ms - now_ms;
  if (left_ms <= 0 || options_.hurry) return drain(host, options_.drain_ms);
  if (now_ms < host.ask_again_ms || !events_.is_quiet(host)) return look_again();
  host.state = HostState::kDraining;
  host.may_stay = true;
  host.go_on();
  host.send(wire::DrainIfQuiet{quiet_ms(host.drains)});
  // A loop that is blocked answers late.
  end_unless_drained(host, static_cast<std::uint32_t>(left_ms) + options_.drain_ms);
}

void Supervisor::look_again() {
  world_.loop.cancel(patience_timer_);
  patience_timer_ = world_.loop.after(kLookAgainMs, [this] { balance(); });
}

void Supervisor::on_not_quiet(Host& host) {
  if (host.state != HostState::kDraining || !std::exchange(host.may_stay, false)) return;
  if (stopping_) return drain(host, options_.drain_ms);
  if (slots_[host.slot].leaving == &host) {
    host.state = HostState::kLeaving;
    return balance();
  }
  host.state = HostState::kActive;
  host.ask_again_ms = world_.clock.steady_ms() + kAskAgainMs;
  events_.on_stays(host);
  balance();
}

// ---- a host leaves its slot to the next

// What it had said before it heard that it leaves must be known first: an agent that it was just
// allowed to put to sleep may have been called meanwhile, and be awake there after all.
void Supervisor::leave(Host& host) {
  const std::int64_t now_ms = world_.clock.steady_ms();
  if (replacing_since_ms_ < 0) replacing_since_ms_ = now_ms;
  // The one before it has its time.
  if (slots_[host.slot].leaving != nullptr) return;
  if (!std::exchange(host.leave_asked, true)) {
    host.leave_asked_ms = now_ms;
    host.send(wire::Leave{});
  }
  if (!host.may_leave) {
    // Its loop is blocked.
    if (now_ms - host.leave_asked_ms >= options_.patience_ms) return drain(host, options_.drain_ms);
    return look_again();
  }
  Slot& slot = slots_[host.slot];
  slot.leaving = &host;
  slot.host = nullptr;
  host.state = HostState::kLeaving;
  host.leaving_since_ms = now_ms;
  events_.on_leaving(host);
}

void Supervisor::on_may_leave(Host& host) {
  if (!host.leave_asked) return;
  host.may_leave = true;
  if (!stopping_) balance();
}

void Supervisor::let_end(Host& host) {
  if (host.state != HostState::kLeaving) return;
  host.state = HostState::kDraining;
  host.may_stay = true;
  host.go_on();
  host.send(wire::DrainIfQuiet{quiet_ms(0)});
  end_unless_drained(host, options_.patience_ms + options_.drain_ms);
}

void Supervisor::look_for_impatience() {
  const std::shared_ptr<Document> wanted = target();
  for (const Slot& slot : slots_) {
    if (slot.leaving == nullptr || slot.leaving->state != HostState::kLeaving) continue;
    const std::int64_t waited_ms = world_.clock.steady_ms() - slot.leaving->leaving_since_ms;
    const bool hurry = wanted && wanted->whole && wanted->loaded;
    if (waited_ms >= options_.patience_ms || hurry) {
      drain(*slot.leaving, options_.drain_ms);
    } else {
      look_again();
    }
  }
}

}  // namespace hearth::core
