#include "net/websocket_session.h"

#include <utility>

#include "base/limits.h"
#include "net/hub.h"

namespace hearth::net {

namespace {
constexpr std::size_t kPongQueueBytesMax = 64UL * 1024;
constexpr TimeMs kCloseMsMax = 60'000;
}  // namespace

WebSocketSession::WebSocketSession(Connection& connection, SocketId id, int window_bits)
    : connection_(connection),
      id_(id),
      decoder_(connection.hub().options.websocket_message_bytes_max, window_bits > 0),
      heard_ms_(connection.hub().now_ms()),
      window_bits_(static_cast<std::uint8_t>(window_bits)) {
  Hub& hub = connection_.hub();
  ++hub.counters.websockets_open;
  const TimeMs interval = hub.options.ping_interval_ms;
  connection_.set_deadline(interval == 0 ? 0 : hub.now_ms() + interval);
}

WebSocketSession::~WebSocketSession() {
  --connection_.hub().counters.websockets_open;
  connection_.hub().unfinished.change(held_bytes_, 0);
}

void WebSocketSession::save(ConnectionState& state) const {
  state.web_socket = true;
  state.window_bits = window_bits_;
  state.silent_ms = static_cast<std::uint32_t>(connection_.hub().now_ms() - heard_ms_);
  state.pinged = pinged_;
  state.pong_owed = pong_owed_;
  state.close_sent = close_sent_;
  state.pong = pong_;
  state.decoder = decoder_.state();
}

void WebSocketSession::restore(ConnectionState& state) {
  const TimeMs now = connection_.hub().now_ms();
  heard_ms_ = now - state.silent_ms;
  pinged_ = state.pinged;
  pong_owed_ = state.pong_owed;
  pong_ = std::move(state.pong);
  decoder_.restore(std::move(state.decoder));
  account();
  if (!state.close_sent) return;
  close_sent_ = true;
  close_by_ms_ = now + kCloseMsMax;
  connection_.set_deadline(now + connection_.hub().options.close_timeout_ms);
}

std::size_t WebSocketSession::consume(char* data, std::size_t size) {
  const std::size_t done = read(data, size);
  account();
  return done;
}

void WebSocketSession::account() {
  if (ending_) decoder_.drop();
  const std::size_t held = decoder_.bytes_held();
  if (held == held_bytes_) return;
  Hub& hub = connection_.hub();
  if (held_bytes_ == 0) held_since_ms_ = hub.now_ms();
  const std::size_t before = std::exchange(held_bytes_, held);
  if (hub.unfinished.change(before, held)) hub.unfinished.make_room(hub);
}

// The close frame leaves at once, the rest happens when the turn ends: another connection may be
// within an event.
void WebSocketSession::cut(std::string_view reason) {
  send_close(kCloseTryLater, reason);
  overflowed_ = true;
  cut_reason_ = reason;
  connection_.touch();
}

void WebSocketSession::give_up() {
  decoder_.drop();
  connection_.hub().unfinished.change(std::exchange(held_bytes_, 0), 0);
  given_up_ = true;
  cut(kGivenUpReason);
}

std::size_t WebSocketSession::read(char* data, std::size_t size) {
  Hub& hub = connection_.hub();
  std::size_t done = 0;
  heard_ms_ = hub.now_ms();
  pinged_ = false;
  if (ending_ || given_up_) return size;
  while (!connection_.closed() && !connection_.finishing()) {
    if ((paused_ && !discarding_) || hub.held) return done;
    std::size_t used = 0;
    const auto event = decoder_.next(data + done, size - done, used, hub.inflater);
    done += used;
    switch (event) {
      case WebSocketDecoder::Event::kNeedMore:
        return size;
      case WebSocketDecoder::Event::kMessage:
        if (discarding_) break;
        ++hub.counters.messages_in;
        hub.events.on_message(id_, decoder_.kind(), decoder_.payload());
        break;
      case WebSocketDecoder::Event::kPing:
        on_ping(decoder_.payload());
        break;
      case WebSocketDecoder::Event::kPong:
        break;
      case WebSocketDecoder::Event::kClose:
        end(decoder_.close_code(), decoder_.payload(), true);
        return size;
      case WebSocketDecoder::Event::kFault: {
        std::string reason("R411: ");
        reason += decoder_.payload();
        if (decoder_.close_code() == kCloseTooBig) {
          reason += ": " + std::to_string(hub.options.websocket_message_bytes_max) + " bytes";
        }
        end(decoder_.close_code(), reason, false);
        return size;
      }
    }
  }
  return size;
}

void WebSocketSession::report(std::uint16_t code, std::string_view reason, bool clean) {
  if (reported_) return;
  reported_ = true;
  connection_.hub().events.on_socket_closed(id_, code, reason, clean);
}

void WebSocketSession::send_control(Opcode opcode, std::string_view payload) {
  char head[kFrameHeadBytesMax];
  const std::size_t size = encode_frame_head(head, opcode, false, payload.size());
  connection_.append({head, size}, payload);
}

void WebSocketSession::send_close(std::uint16_t code, std::string_view reason) {
  if (close_sent_) return;
  close_sent_ = true;
  send_control(Opcode::kClose, close_payload(code, reason));
}

// A client that reads nothing gets one pong for its last ping (RFC 6455 section 5.5.3).
void WebSocketSession::on_ping(std::string_view payload) {
  if (close_sent_) return;
  if (connection_.queued_bytes() <= kPongQueueBytesMax) {
    send_control(Opcode::kPong, payload);
    return;
  }
  pong_.assign(payload);
  pong_owed_ = true;
}

// The client closed, or broke the protocol: nothing more is read from it. When the handler wants to
// answer what came before, the close frame waits for that.
void WebSocketSession::end(std::uint16_t code, std::string_view reason, bool clean) {
  Hub& hub = connection_.hub();
  discarding_ = true;
  ending_ = std::make_unique<Ending>(Ending{code, clean, std::string(reason)});
  if (close_sent_ || hub.stopping ||
      !hub.events.on_socket_closing(id_, code, ending_->reason, clean)) {
    return conclude_as_ended();
  }
  if (connection_.closed() || connection_.finishing()) return;
  connection_.set_deadline(hub.now_ms() + hub.options.close_timeout_ms);
}

void WebSocketSession::conclude(std::uint16_t code, std::string_view reason) {
  send_close(code, reason);
  connection_.finish();  // on_turn_end reports: this may be within a command
}

void WebSocketSession::conclude_as_ended() {
  // What the client closed with goes back to it, without its reason; RFC 6455 section 5.5.1.
  conclude(ending_->code, ending_->clean ? std::string_view() : ending_->reason);
}

void WebSocketSession::on_eof() {
  if (ending_) return conclude_as_ended();
  connection_.destroy();
  report(kCloseVanished, kVanishedReason, false);
}

void WebSocketSession::on_broken(std::string_view reason) {
  if (ending_) return report(ending_->code, ending_->reason, ending_->clean);
  report(kCloseVanished, reason, false);
}

void WebSocketSession::on_turn_end() {
  if (pong_owed_ && !close_sent_ && connection_.queued_bytes() <= kPongQueueBytesMax) {
    pong_owed_ = false;
    send_control(Opcode::kPong, pong_);
    std::string().swap(pong_);
  }
  if (ending_ && close_sent_) report(ending_->code, ending_->reason, ending_->clean);
  if (overflowed_ && !reported_) {
    connection_.finish();
    report(kCloseTryLater, cut_reason_, false);
  }
}

SendResult WebSocketSession::send(MessageKind kind, std::string_view data) {
  if (reported_ || close_sent_ || connection_.closed()) return SendResult::kUnknown;
  Hub& hub = connection_.hub();
  if (connection_.queued_bytes() + data.size() > kSocketSendBufferBytesMax) {
    connection_.drop_unstarted();
    cut("the client reads slower than its agent writes");
    return SendResult::kOverflow;
  }
  bool compressed = false;
  if (window_bits_ > 0 && data.size() >= kCompressBytesMin) {
    if (const auto smaller = hub.deflater.compress(data, window_bits_)) {
      data = *smaller;
      compressed = true;
    }
  }
  char head[kFrameHeadBytesMax];
  const Opcode opcode = kind == MessageKind::kBinary ? Opcode::kBinary : Opcode::kText;
  const std::size_t size = encode_frame_head(head, opcode, compressed, data.size());
  connection_.append({head, size}, data);
  ++hub.counters.messages_out;
  return connection_.write_blocked() ? SendResult::kBuffered : SendResult::kSent;
}

void WebSocketSession::close(std::uint16_t code, std::string_view reason) {
  if (reported_ || close_sent_ || connection_.closed()) return;
  if (ending_) {
    return ending_->clean && is_close_code(code) ? conclude(code, reason) : conclude_as_ended();
  }
  send_close(code, reason);
  const TimeMs now = connection_.hub().now_ms();
  written_seen_ = connection_.written_total();
  close_by_ms_ = now + kCloseMsMax;
  connection_.set_deadline(now + connection_.hub().options.close_timeout_ms);
  if (!paused_) return;
  // Nobody takes messages any more, but the client's close frame stands behind them.
  discarding_ = true;
  connection_.set_reading(true);
  connection_.resume_input();
}

void WebSocketSession::on_deadline() {
  const TimeMs now = connection_.hub().now_ms();
  if (ending_) return conclude_as_ended();
  if (!close_sent_) return look_for_life();
  // A client that reads what was sent before the close frame is given the time for that.
  const bool reads = connection_.written_total() != written_seen_;
  if (connection_.queued_bytes() > 0 && reads && now < close_by_ms_) {
    written_seen_ = connection_.written_total();
    connection_.set_deadline(now + connection_.hub().options.close_timeout_ms);
    return;
  }
  connection_.destroy();
  report(kCloseVanished, "the client did not answer the closing handshake in time", false);
}

// The one deadline of an open socket. A client that nothing was heard of for an interval is pinged,
// one that stays silent for another is gone: its network went away without a word. Whoever reads
// what is queued lives, and one that is not read itself cannot be heard.
void WebSocketSession::look_for_life() {
  Hub& hub = connection_.hub();
  const TimeMs now = hub.now_ms();
  const TimeMs interval = hub.options.ping_interval_ms;
  if (interval == 0) return;
  if (now - heard_ms_ < interval) return connection_.set_deadline(heard_ms_ + interval);
  connection_.set_deadline(now + interval);
  const bool reads = connection_.written_total() != written_seen_;
  const bool queued = connection_.queued_bytes() > 0;
  if (!pinged_) {
    // Behind what is queued a ping would only wait.
    if (!queued) send_control(Opcode::kPing, {});
    pinged_ = true;
    written_seen_ = connection_.written_total();
    return;
  }
  if (paused_ || (queued && reads)) {
    pinged_ = false;
    return;
  }
  send_close(kCloseTryLater, kNoPongReason);
  connection_.finish();
  report(kCloseVanished, kNoPongReason, false);
}

void WebSocketSession::pause() {
  if (paused_ || close_sent_ || ending_) return;
  paused_ = true;
  connection_.set_reading(false);
  connection_.read_little();
}

void WebSocketSession::resume() {
  if (!paused_) return;
  paused_ = false;
  if (connection_.closed()) return;
  connection_.set_reading(true);
  connection_.resume_input();
}

}  // namespace hearth::net
