// The half of HttpSession that writes: responses in order, their framing and backpressure.
#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "net/http_session.h"
#include "net/hub.h"
#include "net/websocket_handshake.h"
#include "net/websocket_session.h"

namespace hearth::net {

namespace {
// The unread rest of an answered request's body is read and dropped up to this; else it closes.
constexpr std::uint64_t kDiscardedBodyBytesMax = 256UL * 1024;
}  // namespace

void HttpSession::put(Exchange& exchange, std::string_view head, std::string_view body) {
  if (is_front(exchange)) {
    connection_.append(head, body);
  } else {
    exchange.held.append(head).append(body);
  }
}

void HttpSession::start_response(Exchange& exchange, std::uint16_t status, std::string_view text,
                                 std::string_view headers,
                                 std::optional<std::uint64_t> body_bytes) {
  // A client that was not told to send its body may or may not do so: the connection is of no use.
  if (exchange.continue_due) exchange.traits.keep_alive = false;
  exchange.continue_due = false;
  std::string& head = connection_.hub().head_buffer;
  head.clear();
  exchange.frame = write_response_head(head, status, text, headers, body_bytes, exchange.traits,
                                       connection_.hub().date());
  if (!exchange.frame.keep_alive) exchange.close_after = true;
  put(exchange, head, {});
}

void HttpSession::settle_unread_body(Exchange& exchange) {
  if (receiving_ != exchange.id) return;
  const auto left = parser_.body_left();
  if (left && *left > kDiscardedBodyBytesMax) exchange.traits.keep_alive = false;
}

void HttpSession::respond(RequestId id, std::uint16_t status, std::string_view text,
                          std::string_view headers, std::string_view body) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->stage != Stage::kWaiting) return;
  settle_unread_body(*exchange);
  if (status < 200 || status > 999) {
    const FaultAnswer answer =
        make_fault_answer({500, "the worker's response has a wrong status", "R406"},
                          connection_.hub().options.fault_body);
    start_response(*exchange, 500, {}, answer.headers, answer.body.size());
    put(*exchange, {}, exchange->traits.is_head ? std::string_view() : answer.body);
  } else {
    start_response(*exchange, status, text, headers, body.size());
    if (exchange->frame.framing == Framing::kSized) put(*exchange, {}, body);
  }
  exchange->stage = Stage::kDone;
  advance();
}

void HttpSession::respond_streamed(RequestId id, std::uint16_t status, std::string_view text,
                                   std::string_view headers) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->stage != Stage::kWaiting) return;
  if (status < 200 || status > 999) return respond(id, status, text, headers, {});
  // A stream that begins well may be made of the very body that the client waits to send.
  if (exchange->continue_due && status < 300) write_continue(*exchange);
  start_response(*exchange, status, text, headers, std::nullopt);
  exchange->stage = Stage::kStreaming;
}

void HttpSession::put_data(Exchange& exchange, std::string_view data) {
  switch (exchange.frame.framing) {
    case Framing::kNoBody:
      break;
    case Framing::kUntilClose:
      put(exchange, {}, data);
      break;
    case Framing::kSized:
      // More than was announced cannot be told apart from the next response.
      if (data.size() > exchange.frame.length) {
        data = data.substr(0, static_cast<std::size_t>(exchange.frame.length));
        exchange.close_after = true;
      }
      exchange.frame.length -= data.size();
      put(exchange, {}, data);
      break;
    case Framing::kChunked: {
      char line[20];
      const auto [end, error] = std::to_chars(line, line + 18, data.size(), 16);
      end[0] = '\r';
      end[1] = '\n';
      put(exchange, {line, static_cast<std::size_t>(end + 2 - line)}, data);
      put(exchange, "\r\n", {});
      break;
    }
  }
}

void HttpSession::respond_data(RequestId id, std::string_view data) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->stage != Stage::kStreaming || data.empty()) return;
  // Whoever writes keeps to what was taken; past this it did not, and the response is cut.
  const std::size_t waiting = connection_.queued_bytes() + exchange->held.size();
  if (waiting + data.size() > kSocketSendBufferBytesMax) return respond_abort(id);
  put_data(*exchange, data);
  Mark mark{id, connection_.queued_total(), static_cast<std::uint32_t>(data.size())};
  if (is_front(*exchange)) {
    marks_.push_back(mark);
  } else {
    mark.end = exchange->held.size();
    exchange->marks.push_back(mark);
  }
  connection_.touch();
}

void HttpSession::respond_end(RequestId id) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->stage != Stage::kStreaming) return;
  if (exchange->frame.framing == Framing::kSized && exchange->frame.length > 0) {
    return respond_abort(id);  // fewer bytes than announced
  }
  if (exchange->frame.framing == Framing::kChunked) put(*exchange, "0\r\n\r\n", {});
  exchange->stage = Stage::kDone;
  advance();
}

void HttpSession::respond_abort(RequestId id) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || exchange->stage == Stage::kDone) return;
  exchange->close_after = true;
  exchange->stage = Stage::kDone;
  advance();
}

void HttpSession::write_continue(Exchange& exchange) {
  exchange.continue_due = false;
  put(exchange, "HTTP/1.1 100 Continue\r\n\r\n", {});
}

void HttpSession::body_credit(RequestId id, std::uint32_t bytes) {
  if (!id || receiving_ != id) return;
  credit_ += bytes;
  Exchange* exchange = find(id);
  if (exchange != nullptr && exchange->continue_due && is_front(*exchange)) {
    write_continue(*exchange);
  }
  if (body_blocked_) connection_.resume_input();
}

// Takes finished exchanges off the front and gives the next its turn.
void HttpSession::advance() {
  bool moved = false;
  while (!exchanges_.empty() && exchanges_.front().stage == Stage::kDone) {
    const bool close = exchanges_.front().close_after;
    const RequestId id = exchanges_.front().id;
    exchanges_.erase(exchanges_.begin());
    moved = true;
    if (id && receiving_ == id) {
      receiving_ = {};
      discarding_ = true;
      discard_left_ = kDiscardedBodyBytesMax;
      orphans_.push_back(id);
    }
    if (close) {
      for (const Exchange& later : exchanges_) {
        if (later.id) orphans_.push_back(later.id);
      }
      exchanges_.clear();
      receiving_ = {};
      connection_.finish();
      return;
    }
    if (!exchanges_.empty()) release_held(exchanges_.front());
  }
  if (!moved) return;
  upgrading_ = false;
  since_ = connection_.hub().now_ms();
  if (half_closed_ && exchanges_.empty()) return connection_.finish();
  arm();
  if (held_head_ || connection_.has_input_waiting()) connection_.resume_input();
}

void HttpSession::release_held(Exchange& exchange) {
  const std::uint64_t base = connection_.queued_total();
  connection_.append(exchange.held, {});
  std::string().swap(exchange.held);
  for (Mark mark : exchange.marks) {
    mark.end += base;
    marks_.push_back(mark);
  }
  exchange.marks.clear();
}

SocketId HttpSession::upgrade(RequestId id, std::string_view headers) {
  Exchange* exchange = find(id);
  if (exchange == nullptr || !exchange->upgrade || exchange->stage != Stage::kWaiting) return {};
  Hub& hub = connection_.hub();
  std::optional<DeflateAgreement> agreement;
  if (hub.options.websocket_compression) {
    agreement = negotiate_deflate(exchange->websocket_extensions);
  }
  std::string& head = hub.head_buffer;
  head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  head.append("Sec-WebSocket-Accept: ").append(websocket_accept(exchange->websocket_key));
  head.append("\r\n");
  if (agreement) {
    head.append("Sec-WebSocket-Extensions: ").append(agreement->response).append("\r\n");
  }
  append_upgrade_headers(head, headers);
  head.append("\r\n");
  exchanges_.clear();
  upgraded_ = true;
  connection_.append(head, {});
  const SocketId socket{hub.next_id(connection_.slot())};
  const int window_bits = agreement ? agreement->server_window_bits : 0;
  connection_.set_deadline(0);
  connection_.set_session(std::make_unique<WebSocketSession>(connection_, socket, window_bits));
  // Frames that came behind the request are read at the end of the turn, or when its event returns.
  connection_.resume_input();
  return socket;
}

}  // namespace hearth::net
