#include "core/copies.h"

#include <utility>
#include <vector>

namespace hearth::core {

void Copies::start(const AgentId& agent, std::string from, std::string to, Done done) {
  waiting_.push_back(
      {.agent = agent, .from = std::move(from), .to = std::move(to), .done = std::move(done)});
  loop_.defer([this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) pump();
  });
}

void Copies::pump() {
  while (!waiting_.empty() && running_.size() < kRunningMax) {
    const std::uint64_t number = ++last_;
    running_.emplace(number, std::move(waiting_.front()));
    waiting_.pop_front();
    ask(number);
  }
}

void Copies::ask(std::uint64_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return;
  Copy& copy = found->second;
  Host* host = host_of_(copy.agent);
  if (host == nullptr) return try_again(number, {ErrorCode::kCancelled, "no host serves it"});
  copy.host = host->number;
  host->send(wire::CopyDatabase{number, copy.from, copy.to});
}

void Copies::try_again(std::uint64_t number, const Error& otherwise) {
  Copy& copy = running_.at(number);
  copy.host = 0;
  if (++copy.retries > kRetriesMax) return finish(number, otherwise);
  loop_.after(kRetryMs, [this, alive = std::weak_ptr(alive_), number] {
    if (!alive.expired()) ask(number);
  });
}

void Copies::on_copied(const wire::DatabaseCopied& message) {
  const auto found = running_.find(message.copy);
  if (found == running_.end() || found->second.host == 0) return;
  switch (static_cast<wire::CopyOutcome>(message.outcome)) {
    case wire::CopyOutcome::kDone:
      return finish(message.copy, {});
    case wire::CopyOutcome::kNoFile:
      return finish(message.copy, Error{ErrorCode::kNotFound, std::string(message.text)});
    case wire::CopyOutcome::kBusy:
      return try_again(message.copy, {ErrorCode::kConflict, std::string(message.text)});
    case wire::CopyOutcome::kFailed:
      break;
  }
  finish(message.copy, Error{ErrorCode::kIo, std::string(message.text)});
}

void Copies::on_host_lost(const Host& host) {
  std::vector<std::uint64_t> lost;
  for (const auto& [number, copy] : running_) {
    if (copy.host == host.number) lost.push_back(number);
  }
  for (const std::uint64_t number : lost) {
    try_again(number, {ErrorCode::kCancelled, "its host ended again and again"});
  }
}

void Copies::finish(std::uint64_t number, const Status& status) {
  const Done done = std::move(running_.at(number).done);
  running_.erase(number);
  done(status);
  pump();
}

}  // namespace hearth::core
