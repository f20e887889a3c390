#include "core/host.h"

#include <signal.h>

#include <new>
#include <utility>

namespace hearth::core {

namespace {
// Between the end of the process and the end of its stream, or the other way round.
constexpr std::uint32_t kEndGraceMs = 500;
}  // namespace

Result<os::SharedMemory> make_progress_page() {
  auto memory = os::SharedMemory::create("hearth-progress", sizeof(wire::ProgressPage));
  if (memory) new (memory->data()) wire::ProgressPage();
  return memory;
}

Host::Host(std::uint32_t host_number, std::shared_ptr<Document> host_document,
           const os::World& world, HostEvents& events)
    : number(host_number), document(std::move(host_document)), world_(world), events_(events) {}

Host::~Host() {
  world_.loop.cancel(grace_);
}

Status Host::launch(HostLauncher& launcher) {
  auto launched = launcher.launch(number, [this](os::ExitStatus status) { on_exit(status); });
  if (!launched) return launched.error();
  launched_ = std::move(launched).value();
  table_ = std::make_unique<EventTable>(*static_cast<wire::ProgressPage*>(launched_.page.data()));
  LinkEvents& self = *this;
  link_ = std::make_unique<HostLink>(world_.loop, std::move(launched_.stream), self);
  link_->send(wire::Configure{document->json});
  return {};
}

std::uint64_t Host::heartbeat() const {
  const auto& page = *static_cast<wire::ProgressPage*>(launched_.page.data());
  return page.heartbeat.load(std::memory_order_relaxed) +
         page.marks.entries.load(std::memory_order_relaxed);
}

void Host::kill(std::string reason) {
  if (reason_.empty()) reason_ = std::move(reason);
  if (launched_.process) launched_.process->kill(SIGKILL);
}

void Host::hold() {
  if (held_since_ms_ || exit_ || !launched_.process) return;
  held_since_ms_ = world_.clock.steady_ms();
  launched_.process->kill(SIGSTOP);
}

void Host::go_on() {
  if (!held_since_ms_) return;
  held_before_ms_ = held_ms();
  held_since_ms_.reset();
  launched_.process->kill(SIGCONT);
}

std::int64_t Host::held_ms() const {
  return held_before_ms_ + (held_since_ms_ ? world_.clock.steady_ms() - *held_since_ms_ : 0);
}

void Host::retire() {
  drained = true;
  kill_after(kEndGraceMs);
}

std::string Host::ending() const {
  if (!reason_.empty()) return reason_;
  return exit_ ? exit_->describe() : "its socket closed";
}

void Host::on_link_closed(std::string_view reason) {
  link_closed_ = true;
  if (!reason.empty()) {
    kill("it sent " + std::string(reason));
  } else if (!exit_) {
    kill_after(kEndGraceMs);
  }
  ended_if_all_is_in();
}

void Host::on_exit(os::ExitStatus status) {
  exit_ = status;
  // What it wrote before it died is still to be read; a child that kept the descriptor must not
  // hold the end up for ever.
  if (!link_closed_) {
    world_.loop.cancel(grace_);
    grace_ = world_.loop.after(kEndGraceMs, [this] {
      link_->close();
      link_closed_ = true;
      ended_if_all_is_in();
    });
  }
  ended_if_all_is_in();
}

void Host::ended_if_all_is_in() {
  if (!exit_ || !link_closed_ || std::exchange(gone_, true)) return;
  world_.loop.cancel(grace_);
  events_.on_host_ended(*this);
}

void Host::kill_after(std::uint32_t delay_ms) {
  world_.loop.cancel(grace_);
  grace_ = world_.loop.after(delay_ms, [this] {
    if (!exit_ && launched_.process) launched_.process->kill(SIGKILL);
  });
}

}  // namespace hearth::core
