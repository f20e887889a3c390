#include "server/rehearsal.h"

#include <algorithm>
#include <utility>

#include "wire/codec.h"

namespace hearth::server {

namespace {

core::Fault fault_saying(std::string message) {
  core::Fault fault;
  fault.message = std::move(message);
  return fault;
}

}  // namespace

Rehearsal::Rehearsal(const os::World& world, core::HostLauncher& launcher, std::string document,
                     std::vector<RehearsedAgent> agents, Limits limits,
                     std::function<bool()> cancelled, std::function<void()> done)
    : world_(world),
      launcher_(launcher),
      document_(std::make_shared<core::Document>()),
      agents_(std::move(agents)),
      limits_(limits),
      cancelled_(std::move(cancelled)),
      done_(std::move(done)) {
  document_->json = std::move(document);
}

Rehearsal::~Rehearsal() {
  *alive_ = false;
  world_.loop.cancel(timer_);
}

void Rehearsal::start() {
  until_ms_ = world_.clock.steady_ms() + limits_.total_ms_max;
  later(&Rehearsal::launch);
}

void Rehearsal::later(void (Rehearsal::*step)()) {
  world_.loop.defer([this, alive = alive_, step] {
    if (*alive) (this->*step)();
  });
}

void Rehearsal::launch() {
  ready_ = false;
  core::HostEvents& self = *this;
  const auto number = static_cast<std::uint32_t>(hosts_.size() + 1);
  hosts_.push_back(std::make_unique<core::Host>(number, document_, world_, self));
  if (const Status launched = hosts_.back()->launch(launcher_); !launched) {
    load_fault_ = fault_saying("a host could not be started: " + launched.error().message);
    hosts_.pop_back();
    return done_();
  }
  end_after(limits_.load_ms_max, "the code did not load in time");
}

void Rehearsal::end_after(std::uint32_t delay_ms, std::string reason) {
  world_.loop.cancel(timer_);
  timer_ = world_.loop.after(delay_ms, [this, alive = alive_, reason = std::move(reason)] {
    if (*alive) hosts_.back()->kill(reason);
  });
}

// ---- a host's messages

Status Rehearsal::on_host_frame(core::Host&, std::string_view frame) {
  return wire::dispatch<wire::Direction::kToCore>(frame, *this);
}

void Rehearsal::on(const wire::Ready&) {
  ready_ = true;
  hosts_.back()->send(wire::Promote{0, 1, 1});
  next();
}

void Rehearsal::on(const wire::LoadFailed& message) {
  load_fault_ = core::fault_from_json(message.json, fault_saying("the code did not load"));
  load_fault_.code = "S302";
  finish();
}

// The copies have no sockets.
void Rehearsal::on(const wire::AgentOpened& message) {
  hosts_.back()->send(wire::AgentWake{message.agent, message.name, "", "", 0, 0});
}

void Rehearsal::on(const wire::AgentSleep& message) {
  hosts_.back()->send(wire::SleepAccepted{message.agent});
}

void Rehearsal::on(const wire::AgentRehearsed& message) {
  if (current_ == kNone || agents_[current_].id != message.agent) return;
  if (message.json.empty()) {
    agents_[std::exchange(current_, kNone)].outcome = RehearsedAgent::Outcome::kWell;
  } else {
    settle(core::fault_from_json(message.json, fault_saying("it could not be started")));
  }
  next();
}

// ---- one agent after the other

void Rehearsal::settle(core::Fault fault) {
  RehearsedAgent& agent = agents_[std::exchange(current_, kNone)];
  agent.outcome = RehearsedAgent::Outcome::kFailed;
  agent.fault = std::move(fault);
}

// The next agent to try; kNone when there is none, or no time for it.
std::size_t Rehearsal::untried() const {
  if (finishing_ || cancelled_() || world_.clock.steady_ms() >= until_ms_) return kNone;
  const auto found = std::find_if(agents_.begin(), agents_.end(), [](const auto& each) {
    return each.outcome == RehearsedAgent::Outcome::kNotTried;
  });
  return found == agents_.end() ? kNone : static_cast<std::size_t>(found - agents_.begin());
}

void Rehearsal::next() {
  current_ = untried();
  if (current_ == kNone) return finish();
  const RehearsedAgent& agent = agents_[current_];
  core::Host& host = *hosts_.back();
  host.send(wire::AgentWake{agent.id, agent.name, "", "", 0, 0});
  host.send(wire::AgentRehearse{agent.id});
  end_after(limits_.agent_ms_max, "it had not started after " +
                                      std::to_string(limits_.agent_ms_max / 1'000) + " seconds");
}

void Rehearsal::finish() {
  finishing_ = true;
  world_.loop.cancel(timer_);
  hosts_.back()->kill("the rehearsal is over");
}

void Rehearsal::on_host_ended(core::Host& host) {
  world_.loop.cancel(timer_);
  if (!finishing_ && !ready_) {
    load_fault_ = fault_saying("the code's host ended while it loaded: " + host.ending());
    load_fault_.code = "S302";
    finishing_ = true;
  } else if (current_ != kNone) {
    const bool late = host.ending().starts_with("it had not started");
    settle(fault_saying(late ? host.ending() : "it ended its host: " + host.ending()));
  }
  const bool goes_on = hosts_.size() < limits_.hosts_max && untried() != kNone;
  later(goes_on ? &Rehearsal::launch : &Rehearsal::tell);
}

void Rehearsal::tell() {
  done_();
}

}  // namespace hearth::server
