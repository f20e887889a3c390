// HTTP: requests to hosts, their answers back, and the answers that the core makes itself.
#include <algorithm>
#include <cstdio>

#include "core/engine.h"
#include "core/route_faults.h"

namespace hearth::core {

using namespace std::string_view_literals;

namespace {

constexpr std::size_t kSpareRequestsMax = 1024;
constexpr std::size_t kKeptBodyBytes = 4096;

// `retry_after_s` for what passes by itself.
Fault for_now(std::string message, std::string fix = {}) {
  Fault fault = fault_of("R413", 503, std::move(message), std::move(fix));
  fault.retry_after_s = 1;
  return fault;
}

Fault shutting_down() {
  return for_now("hearth is shutting down", "Ask again when it is back.");
}

}  // namespace

PendingRequest& Engine::open_request(const net::Request& request) {
  std::unique_ptr<PendingRequest> pending;
  if (spare_requests_.empty()) {
    pending = std::make_unique<PendingRequest>();
  } else {
    pending = std::move(spare_requests_.back());
    spare_requests_.pop_back();
  }
  pending->id = request.id;
  pending->host = nullptr;
  pending->upgrade = request.upgrade;
  pending->head_sent = false;
  pending->body_streamed = request.has_body && !request.body_complete;
  pending->body_ended = !pending->body_streamed;
  pending->body_kept = pending->body_streamed;
  pending->method = request.method;
  pending->url = request.url;
  pending->since_ms = world_.clock.steady_ms();
  pending->accept = header_value(request.headers, "accept");
  PendingRequest& opened = *pending;
  const bool fresh = requests_.insert(request.id.value, pending.release());
  ASSERT(fresh, "the server used a request's id twice");
  return opened;
}

void Engine::close_request(PendingRequest& request) {
  std::unique_ptr<PendingRequest> closed(requests_.erase(request.id.value));
  forget_body(*closed);
  if (spare_requests_.size() >= kSpareRequestsMax) return;
  spare_requests_.push_back(std::move(closed));
}

PendingRequest* Engine::request_of(Host& host, RequestId id) {
  PendingRequest* request = requests_.find(id.value);
  return request != nullptr && request->host == &host ? request : nullptr;
}

// Why this slot will not serve before someone acts, if that is so.
std::optional<Fault> Engine::unavailable_fault(unsigned slot) const {
  if (supervisor_.active(slot) != nullptr) return std::nullopt;
  if (build_fault_) return build_fault_;
  if (supervisor_.unavailable().empty()) return std::nullopt;
  Fault fault = fault_from_json(supervisor_.unavailable(), fault_of("S302", 503));
  fault.status = 503;
  fault.retry_after_s = 5;
  return fault;
}

void Engine::on_request(const net::Request& request) {
  const unsigned slot =
      router_.slot_of(request.url, supervisor_.slot_count()).value_or(least_loaded());
  const std::string_view accept = header_value(request.headers, "accept");
  if (stopping_) return answer(request.id, request.upgrade, accept, shutting_down());
  if (const std::optional<Fault> fault = options_.origins.refusal(request.headers, request.url)) {
    return answer(request.id, request.upgrade, accept, *fault);
  }
  if (const std::optional<Fault> fault = unavailable_fault(slot)) {
    return answer(request.id, request.upgrade, accept, *fault);
  }
  if (const std::optional<Fault> fault = refused_agent(request.url)) {
    return answer(request.id, request.upgrade, accept, *fault);
  }
  if (crowded(slot)) {
    return answer(request.id, request.upgrade, accept,
                  overloaded("the code's host has more waiting for it than may wait"));
  }
  if (const std::optional<Fault> fault = busy_agent(request.url, slot)) {
    return answer(request.id, request.upgrade, accept, *fault);
  }

  PendingRequest& pending = open_request(request);
  wire::Fetch fetch;
  fetch.request = request.id;
  fetch.flags = request.upgrade ? wire::kFetchUpgrade : 0;
  const wire::BodyKind kind = !request.has_body       ? wire::BodyKind::kNone
                              : request.body_complete ? wire::BodyKind::kWhole
                                                      : wire::BodyKind::kStreamed;
  fetch.body_kind = static_cast<std::uint8_t>(kind);
  fetch.method = request.method;
  fetch.url = request.url;
  fetch.headers = request.headers;
  fetch.client_address = request.client_address;
  if (kind == wire::BodyKind::kWhole) fetch.body = request.body;
  deliver(slot, EventKind::kFetch, nullptr, request.id.value, fetch);
  // Sent at once, unless it waits.
  if (mailboxes_[slot].pending.empty()) pending.host = supervisor_.active(slot);
  if (kind == wire::BodyKind::kStreamed && !request.body.empty()) on_body(request.id, request.body);
}

void Engine::on_body(RequestId id, std::string_view data) {
  PendingRequest* request = requests_.find(id.value);
  if (request == nullptr) return;
  request->since_ms = world_.clock.steady_ms();  // whoever still sends is not yet waiting
  // At most the window's bytes: more come only after the host's credit.
  if (request->body_kept) {
    request->body.append(data);
    held_bytes_ += data.size();
    if (held_bytes_ > options_.queues_bytes_max) return refuse_body(*request);
  }
  if (request->host != nullptr) request->host->send(wire::BodyData{id, data});
}

// Requests are let in by their heads, and those that were may grow together.
void Engine::refuse_body(PendingRequest& request) {
  if (request.host != nullptr) {
    request.host->send(wire::RequestGone{request.id, "R415: too much waits for all hosts"});
  }
  answer_and_close(request, overloaded("more waits for all hosts together than may wait"));
}

void Engine::forget_body(PendingRequest& request) {
  held_bytes_ -= request.body.size();
  request.body.clear();
  if (request.body.capacity() > kKeptBodyBytes) std::string().swap(request.body);
}

void Engine::on_body_end(RequestId id) {
  PendingRequest* request = requests_.find(id.value);
  if (request == nullptr) return;
  request->body_ended = true;
  if (request->host != nullptr) request->host->send(wire::BodyEnd{id});
}

void Engine::on_request_gone(RequestId id, std::string_view reason) {
  PendingRequest* request = requests_.find(id.value);
  if (request == nullptr) return;
  if (request->host != nullptr) request->host->send(wire::RequestGone{id, reason});
  close_request(*request);
}

void Engine::on_response_taken(RequestId id, std::uint32_t bytes) {
  PendingRequest* request = requests_.find(id.value);
  if (request == nullptr || request->host == nullptr) return;
  request->host->send(wire::ResponseCredit{id, bytes});
}

// ---- the host's answers

void Engine::on(Host& host, const wire::Respond& message) {
  PendingRequest* request = request_of(host, message.request);
  if (request == nullptr || request->head_sent) return;
  if (request->upgrade) return refuse_upgrade(host, *request, message);
  if (static_cast<wire::BodyKind>(message.body_kind) == wire::BodyKind::kStreamed) {
    request->head_sent = true;
    server_->respond_streamed(message.request, message.status, message.status_text,
                              message.headers);
    return;
  }
  if (is_sdk_refusal(router_, request->url, message.status, message.body)) {
    return answer_and_close(
        *request, unknown_agent(router_, request->url, agent_path(request->url)->segment));
  }
  if (message.status == 404) hint(request->url);
  const RequestId id = message.request;
  close_request(*request);
  server_->respond(id, message.status, message.status_text, message.headers, message.body);
}

void Engine::on(Host& host, const wire::ResponseData& message) {
  PendingRequest* request = request_of(host, message.request);
  if (request != nullptr && request->head_sent) {
    server_->respond_data(message.request, message.data);
  }
}

void Engine::on(Host& host, const wire::ResponseEnd& message) {
  PendingRequest* request = request_of(host, message.request);
  if (request == nullptr || !request->head_sent) return;
  close_request(*request);
  server_->respond_end(message.request);
}

void Engine::on(Host& host, const wire::ResponseFailed& message) {
  PendingRequest* request = request_of(host, message.request);
  if (request == nullptr) return;
  Fault fault = handler_fault(router_, request->url, message.json);
  if (fault.code == kQuarantinedCode) mark_quarantined(fault);
  if (!request->head_sent) return answer_and_close(*request, fault);
  report_.say(Level::kError,
              "a response to " + request->url +
                  " failed after its head was sent, so it was cut: " + fault.message);
  close_request(*request);
  server_->respond_abort(message.request);
}

void Engine::on(Host& host, const wire::BodyCredit& message) {
  PendingRequest* request = request_of(host, message.request);
  if (request == nullptr) return;
  request->body_kept = false;
  forget_body(*request);
  server_->body_credit(message.request, message.bytes);
}

// An upgrade that the worker answered with a plain response: the client would retry for ever and
// never learn why, so the handshake is completed, the reason sent, and the socket closed.
void Engine::refuse_upgrade(Host& host, PendingRequest& request, const wire::Respond& message) {
  const Fault fault = refused_upgrade(router_, request.url, message.status, message.body);
  if (static_cast<wire::BodyKind>(message.body_kind) == wire::BodyKind::kStreamed) {
    host.send(wire::RequestGone{request.id, "the upgrade was answered without 101"});
  }
  answer_and_close(request, fault);
}

// The code's own 404 stays as it is; in `dev` the log says what may have been meant.
void Engine::hint(std::string_view url) {
  if (options_.mode != Mode::kDev) return;
  const std::optional<Fault> fault = no_agent_here(router_, url);
  if (fault) report_.say(Level::kWarn, log_text(*fault));
}

// ---- the core's own answers

std::string Engine::next_reference() {
  char text[24];
  std::snprintf(text, sizeof text, "%llx-%llx",
                static_cast<unsigned long long>(world_.clock.wall_ms() / 1000),
                static_cast<unsigned long long>(++last_reference_));
  return text;
}

void Engine::answer(RequestId id, bool upgrade, std::string_view accept, const Fault& found) {
  Fault fault = found;
  for (std::string* text : {&fault.message, &fault.where, &fault.fix, &fault.stack}) {
    report_.redact(*text);
  }
  const std::string reference = next_reference();
  const Level level = fault.status >= 500 && fault.status != 503 ? Level::kError : Level::kWarn;
  report_.tell({.level = level,
                .message = fault.message,
                .code = fault.code,
                .where = fault.where,
                .fix = fault.fix,
                .stack = fault.stack,
                .reference = reference,
                .request = id.value});
  // Many are refused when too much waits: a handshake for each, to tell by a frame, costs too much.
  if (upgrade && fault.code != kOverloadedCode) {
    const net::SocketId socket = server_->upgrade(id, {});
    if (!socket) return;
    server_->send(socket, net::MessageKind::kText, render_frame(fault, options_.mode, reference));
    server_->close(socket, fault.close_code(), close_reason(fault, options_.mode, reference));
    return;
  }
  Answer answer = render(fault, options_.mode, accept, reference);
  // The page that is refused may read why: the answer holds its own header and nothing else.
  if (fault.code == "R410") answer.headers.append("access-control-allow-origin\0*\0"sv);
  server_->respond(id, fault.status, {}, answer.headers, answer.body);
}

void Engine::answer_and_close(PendingRequest& request, const Fault& fault) {
  const RequestId id = request.id;
  const bool upgrade = request.upgrade;
  const std::string accept = std::move(request.accept);
  note_fault(request.url, fault);
  close_request(request);
  answer(id, upgrade, accept, fault);
}

}  // namespace hearth::core
