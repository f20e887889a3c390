// The process that comes.
#include <utility>

#include "core/handover.h"

namespace hearth::core {

namespace {
constexpr std::string_view kNotServed = "its class is no longer served";
}  // namespace

using handover::decode;
using handover::RecordType;

Status EngineHandover::take(std::string_view record, os::Descriptor carried) {
  const std::optional<RecordType> type = handover::type_of(record);
  if (type != RecordType::kEnd) ++records_;
  switch (type.value_or(RecordType::kReply)) {
    case RecordType::kCore:
      return take_core(record, std::move(carried));
    case RecordType::kNamespace:
      return take_namespace(record);
    case RecordType::kAgent:
      return take_agent(record);
    case RecordType::kSocket:
      return take_socket(record, std::move(carried));
    case RecordType::kHttp: {
      auto http = decode<handover::HttpRecord>(record);
      if (!http) return http.error();
      if (!carried) return Error{ErrorCode::kInvalid, "a connection came without its socket"};
      ++counts_.http;
      network_.adopt(carried.release(), std::move(http->state));
      return {};
    }
    case RecordType::kEvent:
      return take_event(record);
    case RecordType::kResume: {
      const auto resume = decode<handover::ResumeRecord>(record);
      if (!resume) return resume.error();
      const std::optional<AgentId> id = translated(resume->agent);
      const unsigned slots = engine_.supervisor_.slot_count();
      if (!id) return {};
      engine_.mailboxes_[wire::owning_slot(id->bytes, slots)].resumes.push_back(
          {*id, resume->attempts});
      return {};
    }
    case RecordType::kProbe: {
      const auto probe = decode<handover::ProbeRecord>(record);
      if (!probe) return probe.error();
      if (const std::optional<AgentId> id = translated(probe->agent)) engine_.probe(*id);
      return {};
    }
    case RecordType::kEnd: {
      const auto end = decode<handover::End>(record);
      if (!end) return end.error();
      if (end->records != records_) return Error{ErrorCode::kInvalid, "records are missing"};
      complete_ = true;
      return {};
    }
    default:
      return Error{ErrorCode::kInvalid, "a record of the handover is of no known type"};
  }
}

std::optional<AgentId> EngineHandover::translated(AgentId id) const {
  const auto found = namespaces_.find(id.name_space);
  if (found == namespaces_.end()) return std::nullopt;
  id.name_space = found->second;
  return id;
}

Status EngineHandover::take_core(std::string_view record, os::Descriptor carried) {
  const auto core = decode<handover::Core>(record);
  if (!core) return core.error();
  if (!carried) return Error{ErrorCode::kInvalid, "the listening socket is missing"};
  generation_ = core->generation;
  held_at_ms_ = core->held_at_ms;
  network_.hold(true);
  return network_.adopt_listener(carried.release());
}

Status EngineHandover::take_namespace(std::string_view record) {
  const auto theirs = decode<handover::Namespace>(record);
  if (!theirs) return theirs.error();
  const auto& ours = engine_.deployment_.namespaces;
  for (std::uint16_t i = 0; i < ours.size(); ++i) {
    if (ours[i].unique_key == theirs->unique_key) namespaces_[theirs->number] = i;
  }
  return {};
}

Status EngineHandover::take_agent(std::string_view record) {
  auto theirs = decode<handover::AgentRecord>(record);
  if (!theirs) return theirs.error();
  const std::optional<AgentId> id = translated(theirs->id);
  if (!id) return {};
  Agent& agent = engine_.agents_.get(*id);
  agent.name = std::move(theirs->name);
  agent.event_timeout_ms = theirs->event_timeout_ms;
  if (!theirs->has_auto_response) return {};
  agent.auto_response = std::make_unique<AutoResponse>(
      AutoResponse{std::move(theirs->auto_request), std::move(theirs->auto_response)});
  return {};
}

Status EngineHandover::take_socket(std::string_view record, os::Descriptor carried) {
  auto theirs = decode<handover::SocketRecord>(record);
  if (!theirs) return theirs.error();
  if (theirs->open && !carried) {
    return Error{ErrorCode::kInvalid, "a WebSocket came without its socket"};
  }
  net::SocketId socket;
  if (theirs->open) socket = network_.adopt(carried.release(), std::move(theirs->state));
  const std::optional<AgentId> id = translated(theirs->agent);
  if (!id) {
    if (socket) engine_.server_->close(socket, 1012, kNotServed);
    return {};
  }
  Connection* connection = engine_.connections_.open(theirs->id, &engine_.agents_.get(*id));
  if (connection == nullptr) return Error{ErrorCode::kInvalid, "a WebSocket came twice"};
  connection->hibernatable = true;
  connection->url = std::move(theirs->url);
  connection->protocol = std::move(theirs->protocol);
  connection->tags = std::move(theirs->tags);
  connection->attachment = std::move(theirs->attachment);
  connection->auto_response_ms = theirs->auto_response_ms;
  connection->messages = theirs->messages;
  if (!socket) return {};
  ++counts_.sockets;
  engine_.connections_.bind(*connection, socket);
  return {};
}

Status EngineHandover::take_event(std::string_view record) {
  auto theirs = decode<handover::EventRecord>(record);
  if (!theirs) return theirs.error();
  ++counts_.events;
  if (theirs->kind == handover::EventRecord::kScheduled) {
    wire::Scheduled message;
    message.cron = theirs->data;
    message.scheduled_ms = theirs->scheduled_ms;
    message.worker = theirs->worker;
    engine_.deliver(0, EventKind::kScheduled, nullptr, 0, message);
    return {};
  }
  Connection* connection = engine_.connections_.find(theirs->connection);
  if (connection == nullptr) return {};  // of a class that is not served here
  const unsigned slot = engine_.slot_of(*connection->agent);
  if (theirs->kind == handover::EventRecord::kMessage) {
    wire::SocketMessage message;
    message.connection = connection->id;
    message.kind = theirs->message_kind;
    message.data = theirs->data;
    ++connection->messages_held;
    engine_.deliver(slot, EventKind::kSocketMessage, connection->agent, connection->id.value,
                    message, theirs->number);
    return {};
  }
  wire::SocketClosed message;
  message.connection = connection->id;
  message.code = theirs->code;
  message.reason = theirs->data;
  message.clean = theirs->clean;
  connection->closed = true;
  engine_.deliver(slot, EventKind::kSocketClosed, connection->agent, connection->id.value, message);
  return {};
}

void EngineHandover::go() {
  std::vector<Agent*> idle;
  engine_.agents_.for_each([&](Agent& agent) {
    if (agent.idle()) idle.push_back(&agent);
  });
  for (Agent* agent : idle) engine_.agents_.drop_if_idle(*agent);
  engine_.held_ = false;
  engine_.meet_registry();
  engine_.supervisor_.release(generation_);
  network_.hold(false);
}

}  // namespace hearth::core
