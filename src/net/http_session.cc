#include "net/http_session.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "net/handover.h"
#include "net/hub.h"

namespace hearth::net {

namespace {
// A sized body up to this is raised whole with its head, if it comes soon.
constexpr std::uint64_t kGatheredBodyBytesMax = 16UL * 1024;
constexpr TimeMs kGatherMs = 250;
constexpr TimeMs kContinueMs = 250;  // 100 (Continue) is sent unasked after this
constexpr TimeMs kHalfClosedMs = 2'000;
constexpr TimeMs kBodyStallMs = 60'000;
constexpr TimeMs kWriteStallMs = 120'000;
}  // namespace

HttpSession::HttpSession(Connection& connection, std::string client_address, bool loopback)
    : connection_(connection),
      parser_(kRequestHeadBytesMax, connection.hub().options.request_body_bytes_max),
      client_address_(std::move(client_address)),
      since_(connection.hub().now_ms()),
      loopback_(loopback) {}

bool HttpSession::blocked() const {
  return upgrading_ || held_head_ || exchanges_.size() >= kPipelinedRequestsMax;
}

// Between requests, but for a part of the next one's head.
bool HttpSession::movable() const {
  return exchanges_.empty() && orphans_.empty() && !gathering_ && !discarding_ && !held_head_ &&
         !upgrading_ && !last_request_ && !half_closed_ && !parser_.in_body();
}

void HttpSession::save(ConnectionState& state) const {
  state.input.insert(0, parser_.partial());
}

std::size_t HttpSession::consume(char* data, std::size_t size) {
  std::size_t done = 0;
  if (held_head_ && exchanges_.empty()) {
    held_head_ = false;
    raise_request();
  }
  body_blocked_ = false;
  while (!connection_.closed() && !connection_.finishing() && !blocked()) {
    if (connection_.hub().held && !parser_.in_body()) break;
    // What follows a last request is not read, but for the rest of its body.
    if (last_request_ && !parser_.in_body()) {
      done = size;
      break;
    }
    std::size_t used = 0;
    const std::size_t room = discarding_ ? SIZE_MAX : static_cast<std::size_t>(credit_);
    const auto event = parser_.next({data + done, size - done}, room, used);
    done += used;
    if (used > 0) since_ = connection_.hub().now_ms();
    if (event == HttpParser::Event::kNeedMore) {
      if (parser_.in_head() && head_since_ == 0) head_since_ = since_;
      break;
    }
    if (event == HttpParser::Event::kBlocked) {
      body_blocked_ = true;
      break;
    }
    switch (event) {
      case HttpParser::Event::kHead:
        head_since_ = 0;
        begin_request({data + done, size - done}, done);
        break;
      case HttpParser::Event::kBody:
        take_body();
        break;
      case HttpParser::Event::kBodyEnd:
        take_body_end();
        break;
      default:
        on_parser_fault();
        done = size;
    }
  }
  if (!connection_.closed()) arm();
  return done;
}

void HttpSession::begin_request(std::string_view rest, std::size_t& done) {
  const RequestHead& head = parser_.head();
  body_.clear();
  body_view_ = {};
  body_complete_ = head.body == BodyKind::kNone;
  if (!head.keep_alive) last_request_ = true;
  if (head.target == "*") {
    credit_ = 0;
    discarding_ = head.body != BodyKind::kNone;
    discard_left_ = kBodyWindowBytes;
    answer_options();
    return;
  }
  credit_ = kBodyWindowBytes;
  if (!body_complete_) {
    gathering_ = true;
    if (!gather_body(rest, done)) return;
    const bool small = head.body == BodyKind::kSized && !head.expect_continue &&
                       head.content_length <= kGatheredBodyBytesMax;
    if (!body_complete_ && small) {
      // The rest is usually the next segment; on_deadline raises the request if it is not.
      if (body_.empty()) body_.assign(body_view_);
      body_view_ = {};
      return;
    }
    gathering_ = false;
  }
  if (head.upgrade && !exchanges_.empty()) {
    held_head_ = true;
    return;
  }
  raise_request();
}

// Takes what of the body has come with the head; false when it was wrong and is answered.
bool HttpSession::gather_body(std::string_view rest, std::size_t& done) {
  while (!body_complete_) {
    std::size_t used = 0;
    const auto event = parser_.next(rest, static_cast<std::size_t>(credit_), used);
    rest.remove_prefix(used);
    done += used;
    if (event == HttpParser::Event::kFault) {
      on_parser_fault();
      return false;
    }
    if (event == HttpParser::Event::kBodyEnd) {
      body_complete_ = true;
    } else if (event == HttpParser::Event::kBody) {
      credit_ -= parser_.body().size();
      if (body_view_.empty() && body_.empty()) {
        body_view_ = parser_.body();
        continue;
      }
      if (body_.empty()) body_.assign(body_view_);
      body_.append(parser_.body());
      body_view_ = body_;
    } else {
      break;
    }
  }
  return true;
}

void HttpSession::raise_request() {
  Hub& hub = connection_.hub();
  RequestHead& head = parser_.head();
  const RequestId id{hub.next_id(connection_.slot())};
  Exchange& exchange = push_exchange(id);
  exchange.traits = {head.method == "HEAD", head.minor_version, head.keep_alive && !hub.stopping};
  exchange.upgrade = head.upgrade;
  if (head.upgrade) {
    upgrading_ = true;
    exchange.websocket_key = head.websocket_key;
    exchange.websocket_extensions = head.websocket_extensions;
  }
  exchange.continue_due = head.expect_continue && !body_complete_ && body_view_.empty();
  if (!body_complete_) receiving_ = id;
  Request request;
  request.id = id;
  request.method = head.method;
  const bool secure = loopback_ && equals_ignoring_case(head.forwarded_proto, "https");
  request.url = absolute_url(head, secure ? "https" : "http", hub.default_host);
  request.target = head.target;
  request.headers = head.headers;
  request.client_address = client_address_;
  request.upgrade = head.upgrade;
  request.has_body = head.body != BodyKind::kNone;
  request.body_complete = body_complete_;
  request.body = body_view_;
  ++hub.counters.requests;
  hub.events.on_request(request);
  if (body_.capacity() > 4096) std::string().swap(body_);
}

void HttpSession::end_gathering() {
  gathering_ = false;
  body_view_ = body_;
  raise_request();
}

void HttpSession::take_body() {
  const std::string_view piece = parser_.body();
  if (gathering_) {
    credit_ -= piece.size();
    body_.append(piece);
    return;
  }
  if (discarding_) {
    if (piece.size() > discard_left_) return connection_.finish();
    discard_left_ -= piece.size();
    return;
  }
  credit_ -= piece.size();
  if (Exchange* exchange = find(receiving_)) exchange->continue_due = false;
  if (!piece.empty()) connection_.hub().events.on_body(receiving_, piece);
}

void HttpSession::take_body_end() {
  if (gathering_) {
    body_complete_ = true;
    return end_gathering();
  }
  if (discarding_) {
    discarding_ = false;
    return;
  }
  const RequestId id = receiving_;
  receiving_ = {};
  connection_.hub().events.on_body_end(id);
}

void HttpSession::on_parser_fault() {
  gathering_ = false;
  last_request_ = true;
  // The request was answered already; nothing that is said now could be told from the next answer.
  if (discarding_ && exchanges_.empty()) return connection_.finish();
  if (receiving_) {
    // The request is known outside: it ends there, and here if nothing of an answer was sent.
    const RequestId id = receiving_;
    receiving_ = {};
    connection_.hub().events.on_request_gone(id, parser_.fault().message);
    Exchange* exchange = find(id);
    if (exchange == nullptr) return connection_.finish();
    if (exchange->stage != Stage::kWaiting) {
      exchange->stage = Stage::kDone;
      exchange->close_after = true;
      return advance();
    }
    exchanges_.pop_back();
  }
  refuse(parser_.fault());
}

void HttpSession::refuse(const HttpFault& fault) {
  last_request_ = true;
  const FaultAnswer answer = make_fault_answer(fault, connection_.hub().options.fault_body);
  Exchange& exchange = push_exchange({});
  exchange.traits.keep_alive = false;
  exchange.close_after = true;
  start_response(exchange, fault.status, {}, answer.headers, answer.body.size());
  put(exchange, {}, answer.body);
  exchange.stage = Stage::kDone;
  advance();
}

void HttpSession::answer_options() {
  Exchange& exchange = push_exchange({});
  exchange.traits = {false, parser_.head().minor_version, parser_.head().keep_alive};
  using namespace std::string_view_literals;
  static constexpr auto kAllow = "Allow\0GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\0"sv;
  start_response(exchange, 204, {}, kAllow, 0);
  exchange.stage = Stage::kDone;
  advance();
}

HttpSession::Exchange& HttpSession::push_exchange(RequestId id) {
  Exchange& exchange = exchanges_.emplace_back();
  exchange.id = id;
  return exchange;
}

HttpSession::Exchange* HttpSession::find(RequestId id) {
  if (!id) return nullptr;
  for (Exchange& exchange : exchanges_) {
    if (exchange.id == id) return &exchange;
  }
  return nullptr;
}

void HttpSession::on_eof() {
  half_closed_ = true;
  gathering_ = false;
  since_ = connection_.hub().now_ms();
  last_request_ = true;
  if (receiving_) return abandon("the client left");
  // What is answered already is still written: the client may only be done with sending.
  if (exchanges_.empty()) return connection_.finish();
  arm();
}

void HttpSession::on_broken(std::string_view reason) {
  gathering_ = false;
  std::vector<RequestId> gone;
  gone.swap(orphans_);
  for (const Exchange& exchange : exchanges_) {
    if (exchange.id) gone.push_back(exchange.id);
  }
  exchanges_.clear();
  marks_.clear();
  receiving_ = {};
  for (const RequestId id : gone) connection_.hub().events.on_request_gone(id, reason);
}

void HttpSession::abandon(std::string_view reason) {
  on_broken(reason);
  connection_.destroy();
}

void HttpSession::on_turn_end() {
  if (connection_.written_total() != written_seen_) {
    written_seen_ = connection_.written_total();
    written_since_ = connection_.hub().now_ms();
  }
  report_taken();
  arm();
  if (orphans_.empty()) return;
  std::vector<RequestId> orphans;
  orphans.swap(orphans_);
  for (const RequestId id : orphans) {
    connection_.hub().events.on_request_gone(id, "the response ended before the request's body");
  }
}

void HttpSession::report_taken() {
  while (!marks_.empty() && marks_.front().end <= connection_.written_total()) {
    std::uint64_t bytes = 0;
    const RequestId id = marks_.front().id;
    std::size_t count = 0;
    for (; count < marks_.size() && marks_[count].id == id &&
           marks_[count].end <= connection_.written_total();
         ++count) {
      bytes += marks_[count].bytes;
    }
    marks_.erase(marks_.begin(), marks_.begin() + static_cast<std::ptrdiff_t>(count));
    if (find(id) != nullptr) {
      connection_.hub().events.on_response_taken(id, static_cast<std::uint32_t>(bytes));
    }
  }
}

// Sets the connection's one deadline by what is waited for.
void HttpSession::arm() {
  if (upgraded_) return;
  const ServerOptions& options = connection_.hub().options;
  TimeMs at = 0;
  const auto by = [&at](TimeMs other) { at = at == 0 ? other : std::min(at, other); };
  if (gathering_) by(since_ + kGatherMs);
  if (half_closed_) by(std::max(since_, written_since_) + kHalfClosedMs);
  if (!exchanges_.empty() && exchanges_.front().continue_due) by(since_ + kContinueMs);
  if (receiving_ && !body_blocked_) by(since_ + kBodyStallMs);
  if (connection_.queued_bytes() > 0) by(std::max(written_since_, since_) + kWriteStallMs);
  if (exchanges_.empty() && !gathering_) {
    by(head_since_ > 0 ? head_since_ + options.request_head_timeout_ms
                       : since_ + options.keep_alive_timeout_ms);
  }
  connection_.set_deadline(at);
}

void HttpSession::on_deadline() {
  const ServerOptions& options = connection_.hub().options;
  const TimeMs now = connection_.hub().now_ms();
  if (half_closed_ && connection_.queued_bytes() == 0 &&
      now >= std::max(since_, written_since_) + kHalfClosedMs) {
    return abandon("the client left");
  }
  if (connection_.queued_bytes() > 0 && now >= std::max(written_since_, since_) + kWriteStallMs) {
    return abandon("the client stopped reading");
  }
  if (gathering_) {
    end_gathering();
  } else if (!exchanges_.empty() && exchanges_.front().continue_due) {
    write_continue(exchanges_.front());
  } else if (receiving_ && !body_blocked_ && now >= since_ + kBodyStallMs) {
    const RequestId id = receiving_;
    receiving_ = {};
    connection_.hub().events.on_request_gone(id, "the request's body stopped coming");
    Exchange* exchange = find(id);
    if (exchange != nullptr && exchange->stage == Stage::kWaiting) {
      exchanges_.pop_back();
      refuse({408, "the request's body stopped coming"});
    } else {
      abandon("the request's body stopped coming");
    }
  } else if (exchanges_.empty()) {
    if (head_since_ > 0 && now >= head_since_ + options.request_head_timeout_ms) {
      refuse({408, "the request's head did not come whole within " +
                       std::to_string(options.request_head_timeout_ms / 1000) + " s"});
    } else if (head_since_ == 0 && now >= since_ + options.keep_alive_timeout_ms) {
      connection_.finish();
    }
  }
  if (!connection_.closed()) arm();
}

void HttpSession::shut_down(std::uint16_t, std::string_view) {
  if (exchanges_.empty() && !gathering_ && !parser_.in_head()) return connection_.finish();
  last_request_ = last_request_ || !exchanges_.empty();
  if (!exchanges_.empty()) exchanges_.back().traits.keep_alive = false;
}

}  // namespace hearth::net
