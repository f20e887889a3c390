// HTTP/1.1 on one connection: requests in, answers out in the order of the requests, bodies both
// ways with backpressure. Owned by its connection; used on the loop's thread. A request's id is
// valid outside from on_request until its response is complete or on_request_gone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/connection.h"
#include "net/http_parser.h"
#include "net/http_response.h"
#include "net/server.h"

namespace hearth::net {

class HttpSession final : public Session {
 public:
  HttpSession(Connection& connection, std::string client_address, bool loopback);

  HttpSession* http() override { return this; }
  std::size_t consume(char* data, std::size_t size) override;
  void on_eof() override;
  void on_broken(std::string_view reason) override;
  void on_turn_end() override;
  void on_deadline() override;
  void shut_down(std::uint16_t code, std::string_view reason) override;
  bool movable() const override;
  void save(ConnectionState& state) const override;

  void respond(RequestId id, std::uint16_t status, std::string_view text, std::string_view headers,
               std::string_view body);
  void respond_streamed(RequestId id, std::uint16_t status, std::string_view text,
                        std::string_view headers);
  void respond_data(RequestId id, std::string_view data);
  void respond_end(RequestId id);
  void respond_abort(RequestId id);
  void body_credit(RequestId id, std::uint32_t bytes);
  SocketId upgrade(RequestId id, std::string_view headers);

 private:
  enum class Stage : std::uint8_t { kWaiting, kStreaming, kDone };
  // `bytes` of a streamed body are written once the connection has written up to `end`.
  struct Mark {
    RequestId id;
    std::uint64_t end;
    std::uint32_t bytes;
  };
  struct Exchange {
    RequestId id;  // 0: an answer of the server's own
    RequestTraits traits;
    ResponseFrame frame;
    Stage stage = Stage::kWaiting;
    bool close_after = false;
    bool continue_due = false;  // the client waits for 100 (Continue)
    bool upgrade = false;
    std::string held;         // written when its turn comes
    std::vector<Mark> marks;  // of `held`: ends are relative to it
    std::string websocket_key;
    std::string websocket_extensions;
  };

  bool blocked() const;
  void begin_request(std::string_view rest, std::size_t& done);
  bool gather_body(std::string_view rest, std::size_t& done);
  void raise_request();
  void end_gathering();
  void take_body();
  void take_body_end();
  void on_parser_fault();
  void refuse(const HttpFault& fault);
  void answer_options();
  Exchange& push_exchange(RequestId id);
  Exchange* find(RequestId id);
  bool is_front(const Exchange& exchange) const { return &exchange == exchanges_.data(); }
  void put(Exchange& exchange, std::string_view head, std::string_view body);
  void put_data(Exchange& exchange, std::string_view data);
  void start_response(Exchange& exchange, std::uint16_t status, std::string_view text,
                      std::string_view headers, std::optional<std::uint64_t> body_bytes);
  void settle_unread_body(Exchange& exchange);
  void write_continue(Exchange& exchange);
  void advance();
  void release_held(Exchange& exchange);
  void abandon(std::string_view reason);  // raises on_request_gone for all; then closes
  void report_taken();
  void arm();

  Connection& connection_;
  HttpParser parser_;
  std::vector<Exchange> exchanges_;
  std::vector<Mark> marks_;         // ends count the connection's written bytes
  std::vector<RequestId> orphans_;  // answered before their bodies had come: told at the turn's end
  std::string client_address_;
  std::string body_;  // of the request being gathered, when it came in parts
  std::string_view body_view_;
  TimeMs since_ = 0;       // the last progress of what is waited for
  TimeMs head_since_ = 0;  // the first byte of the head in progress, or 0
  TimeMs written_since_ = 0;
  std::uint64_t written_seen_ = 0;
  RequestId receiving_;  // whose body is being read
  std::uint64_t credit_ = 0;
  std::uint64_t discard_left_ = 0;
  bool loopback_;
  bool body_complete_ = false;
  bool body_blocked_ = false;
  bool gathering_ = false;  // a small body is awaited before its request is raised
  bool held_head_ = false;  // an upgrade waits until earlier requests are answered
  bool upgrading_ = false;
  bool upgraded_ = false;    // another session has taken over
  bool discarding_ = false;  // the rest of an answered request's body
  bool last_request_ = false;
  bool half_closed_ = false;
};

}  // namespace hearth::net
