// The process that leaves.
#include "core/handover.h"

#include <utility>

namespace hearth::core {

namespace {
constexpr std::uint32_t kLookMs = 20;
constexpr std::uint32_t kLookFastMs = 2;
// Clients wait for these: requests that began since settle(), and messages that a host has been
// sent.
constexpr std::int64_t kRequestsMs = 2'000;
constexpr std::int64_t kEventsMs = 250;
// Of these 500 ms are the host's own to close its agents; past the grace it is ended.
constexpr std::uint32_t kDrainMs = 1'000;
constexpr std::uint32_t kDrainGraceMs = 2'000;

using handover::encode;

// A host's frames, read again for what the successor is told of them.
struct EventReader {
  handover::EventRecord record;
  void on(const wire::SocketMessage& message) {
    record.kind = handover::EventRecord::kMessage;
    record.connection = message.connection;
    record.message_kind = message.kind;
    record.data = message.data;
  }
  void on(const wire::SocketClosed& message) {
    record.kind = handover::EventRecord::kClosed;
    record.connection = message.connection;
    record.code = message.code;
    record.data = message.reason;
    record.clean = message.clean;
  }
  void on(const wire::Scheduled& message) {
    record.kind = handover::EventRecord::kScheduled;
    record.data = message.cron;
    record.scheduled_ms = message.scheduled_ms;
    record.worker = message.worker;
  }
  template <typename Message>
  void on(const Message&) {}
};

Fault moving() {
  Fault fault = fault_of("R413", 503, "hearth is being upgraded, and this request had not begun",
                         "Ask again.");
  fault.retry_after_s = 1;
  return fault;
}
}  // namespace

EngineHandover::EngineHandover(Engine& engine, net::Handover& network)
    : engine_(engine), network_(network) {}

// ---- what is in hand ends, if it does so in time

void EngineHandover::settle(std::uint32_t limit_ms, std::function<void()> done) {
  done_ = std::move(done);
  until_ms_ = engine_.world_.clock.steady_ms() + limit_ms;
  stragglers_ = {};
  engine_.requests_.for_each(
      [&](PendingRequest& request) { stragglers_.requests.insert(request.id.value); });
  engine_.supervisor_.for_each_host([&](Host& host) {
    if (host.has_slot()) stragglers_.events[host.number] = host.events().last_number();
  });
  look_whether_settled();
}

std::size_t EngineHandover::waits_for() const {
  std::size_t count = 0;
  for (const auto& [number, last] : stragglers_.events) {
    Host* host = engine_.supervisor_.find(number);
    if (host != nullptr && host->has_slot()) count += host->events().in_flight_until(last);
  }
  return std::max(count, stragglers_.requests.size());
}

void EngineHandover::look_whether_settled() {
  std::erase_if(stragglers_.requests,
                [&](std::uint64_t id) { return engine_.requests_.find(id) == nullptr; });
  if (waits_for() == 0 || engine_.world_.clock.steady_ms() >= until_ms_) {
    return std::exchange(done_, nullptr)();
  }
  engine_.world_.loop.after(kLookMs, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) look_whether_settled();
  });
}

// ---- nothing new is read

void EngineHandover::leave(std::function<void()> done) {
  done_ = std::move(done);
  held_at_ms_ = engine_.world_.clock.steady_ms();
  engine_.leaving_ = true;
  engine_.alarms_.stop();
  engine_.world_.loop.cancel(engine_.cron_timer_);
  engine_.world_.loop.cancel(engine_.watchdog_timer_);
  network_.hold(true);
  look_whether_idle();
}

bool EngineHandover::busy_with_new() {
  const std::int64_t waited_ms = engine_.world_.clock.steady_ms() - held_at_ms_;
  bool requests = false;
  engine_.requests_.for_each([&](PendingRequest& request) {
    requests = requests || !stragglers_.requests.contains(request.id.value);
  });
  if (requests && waited_ms < kRequestsMs) return true;
  if (waited_ms >= kEventsMs) return false;
  bool events = false;
  for (unsigned slot = 0; slot < engine_.mailboxes_.size(); ++slot) engine_.sweep(slot);
  engine_.supervisor_.for_each_host([&](Host& host) {
    if (!host.has_slot()) return;
    const auto found = stragglers_.events.find(host.number);
    const std::uint64_t last = found != stragglers_.events.end() ? found->second : 0;
    if (host.events().in_flight() > host.events().in_flight_until(last)) events = true;
  });
  return events;
}

void EngineHandover::look_whether_idle() {
  if (!busy_with_new()) return drain();
  engine_.world_.loop.after(kLookFastMs, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) look_whether_idle();
  });
}

void EngineHandover::drain() {
  const auto drained = [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) conclude();
  };
  engine_.supervisor_.stop(kDrainMs, drained, kDrainGraceMs);
}

// No host is left. What can only end here does so now, and leaves with the next turn's writes.
void EngineHandover::conclude() {
  std::vector<PendingRequest*> left;
  engine_.requests_.for_each([&](PendingRequest& request) { left.push_back(&request); });
  for (PendingRequest* request : left) engine_.answer_and_close(*request, moving());
  engine_.connections_.for_each([&](Connection& connection) {
    if (connection.closing_code == 0 || !connection.socket) return;
    engine_.server_->close(connection.socket, connection.closing_code, {});
  });
  engine_.world_.loop.after(1, [this, alive = std::weak_ptr(alive_)] {
    if (!alive.expired() && done_) std::exchange(done_, nullptr)();
  });
}

void EngineHandover::come_back() {
  done_ = nullptr;
  if (!std::exchange(engine_.leaving_, false)) return;
  engine_.supervisor_.resume();
  engine_.alarms_.start();
  engine_.arm_crons();
  engine_.watch_hosts();
  network_.hold(false);
}

// ---- records

Status EngineHandover::send(const Send& to) {
  records_ = 0;
  counts_ = {};
  const Send counted = [&](std::string_view record, int descriptor) {
    ++records_;
    return to(record, descriptor);
  };
  handover::Core core;
  core.generation = engine_.supervisor_.generation();
  core.held_at_ms = held_at_ms_;
  Status status = counted(encode(core), network_.listener());
  for (std::uint16_t i = 0; status && i < engine_.deployment_.namespaces.size(); ++i) {
    status =
        counted(encode(handover::Namespace{i, engine_.deployment_.namespaces[i].unique_key}), -1);
  }
  if (status) status = send_agents(counted);
  if (status) status = send_connections(counted);
  if (status) status = send_events(counted);
  if (status) status = to(encode(handover::End{records_}), -1);
  return status;
}

Status EngineHandover::send_agents(const Send& send) {
  Status status;
  engine_.agents_.for_each([&](Agent& agent) {
    if (!status) return;
    handover::AgentRecord record{agent.id, agent.name, agent.auto_response != nullptr,
                                 {},       {},         agent.event_timeout_ms};
    if (agent.auto_response) {
      record.auto_request = agent.auto_response->request;
      record.auto_response = agent.auto_response->response;
    }
    status = send(encode(std::move(record)), -1);
  });
  return status;
}

Status EngineHandover::send_connections(const Send& send) {
  Status status;
  const auto record_of_socket = [](const Connection& connection) {
    handover::SocketRecord record;
    record.id = connection.id;
    record.agent = connection.agent->id;
    record.url = connection.url;
    record.protocol = connection.protocol;
    record.tags = connection.tags;
    record.attachment = connection.attachment;
    record.auto_response_ms = connection.auto_response_ms;
    record.messages = connection.messages;
    return record;
  };
  const auto stays = [](const Connection& each) {
    return !each.hibernatable || each.orphaned || each.early || each.agent == nullptr;
  };
  std::unordered_set<std::uint64_t> shown;
  network_.show([&](net::SocketId socket, int descriptor, const net::ConnectionState& state) {
    if (!status) return false;
    if (!socket) {
      ++counts_.http;
      status = send(encode(handover::HttpRecord{state}), descriptor);
      return true;
    }
    const Connection* connection = engine_.connections_.find(socket);
    if (connection == nullptr || stays(*connection) || connection->closed) return false;
    handover::SocketRecord record = record_of_socket(*connection);
    record.open = true;
    record.state = state;
    ++counts_.sockets;
    shown.insert(connection->id.value);
    status = send(encode(std::move(record)), descriptor);
    return true;
  });
  // The client is gone, or is leaving this very moment, and the agent has not heard of it.
  engine_.connections_.for_each([&](Connection& connection) {
    if (!status || stays(connection) || shown.contains(connection.id.value)) return;
    if (connection.close_told) return;
    status = send(encode(record_of_socket(connection)), -1);
    if (!status || connection.closed) return;
    handover::EventRecord gone;
    gone.kind = handover::EventRecord::kClosed;
    gone.connection = connection.id;
    gone.code = 1006;
    status = send(encode(std::move(gone)), -1);
  });
  return status;
}

std::optional<handover::EventRecord> EngineHandover::record_of(const Event& event) const {
  if (event.kind != EventKind::kSocketMessage && event.kind != EventKind::kSocketClosed &&
      event.kind != EventKind::kScheduled) {
    return std::nullopt;  // alarms are in the registry; requests were answered; peers were told
  }
  if (engine_.stale(event)) return std::nullopt;
  EventReader reader;
  const std::string_view frame = std::string_view(event.frame).substr(wire::kFrameHeaderBytes - 1);
  if (!wire::dispatch<wire::Direction::kToHost>(frame, reader)) return std::nullopt;
  reader.record.number = event.number;
  return std::move(reader.record);
}

Status EngineHandover::send_events(const Send& send) {
  Status status;
  for (const Engine::Mailbox& mailbox : engine_.mailboxes_) {
    for (const Event& event : mailbox.pending) {
      const std::optional<handover::EventRecord> record = status ? record_of(event) : std::nullopt;
      if (!record) continue;
      ++counts_.events;
      status = send(encode(*record), -1);
    }
    for (const Engine::Resume& resume : mailbox.resumes) {
      if (status) status = send(encode(handover::ResumeRecord{resume.id, resume.attempts}), -1);
    }
  }
  for (const auto& asked :
       {std::vector<AgentId>(engine_.probes_.begin(), engine_.probes_.end()),
        std::vector<AgentId>(engine_.probing_.begin(), engine_.probing_.end())}) {
    for (const AgentId& agent : asked) {
      if (status) status = send(encode(handover::ProbeRecord{agent}), -1);
    }
  }
  return status;
}

}  // namespace hearth::core
