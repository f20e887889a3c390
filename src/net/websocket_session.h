// A WebSocket on one connection (RFC 6455): messages in, messages out, the closing handshake in
// both directions. Owned by its connection; used on the loop's thread. on_socket_closed is raised
// exactly once. An idle socket holds no buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/connection.h"
#include "net/server.h"
#include "net/websocket_codec.h"

namespace hearth::net {

class WebSocketSession final : public Session {
 public:
  // `window_bits`: of the compression agreed on; 0: none.
  WebSocketSession(Connection& connection, SocketId id, int window_bits);
  ~WebSocketSession() override;

  SocketId id() const { return id_; }

  WebSocketSession* web_socket() override { return this; }
  std::size_t consume(char* data, std::size_t size) override;
  void on_eof() override;
  void on_broken(std::string_view reason) override;
  void on_turn_end() override;
  void on_deadline() override;
  void shut_down(std::uint16_t code, std::string_view reason) override { close(code, reason); }
  bool movable() const override { return !ending_ && !reported_ && !overflowed_; }
  void save(ConnectionState& state) const override;
  void restore(ConnectionState& state);

  SendResult send(MessageKind kind, std::string_view data);
  void close(std::uint16_t code, std::string_view reason);
  void pause();
  void resume();

  // What is held of a message that is not whole, and since when there is something.
  std::size_t held_bytes() const { return held_bytes_; }
  TimeMs held_since_ms() const { return held_since_ms_; }
  // Drops it, and closes the socket with 1013.
  void give_up();

 private:
  void send_control(Opcode opcode, std::string_view payload);
  void send_close(std::uint16_t code, std::string_view reason);
  void on_ping(std::string_view payload);
  void end(std::uint16_t code, std::string_view reason, bool clean);
  void conclude(std::uint16_t code, std::string_view reason);
  void conclude_as_ended();
  void report(std::uint16_t code, std::string_view reason, bool clean);
  void look_for_life();
  void cut(std::string_view reason);
  std::size_t read(char* data, std::size_t size);
  void account();

  // How the client ended it, while the handler still answers what came before.
  struct Ending {
    std::uint16_t code;
    bool clean;
    std::string reason;
  };

  Connection& connection_;
  SocketId id_;
  WebSocketDecoder decoder_;
  std::unique_ptr<Ending> ending_;
  std::string pong_;  // owed: the answer to the latest ping, while much is queued
  std::uint64_t written_seen_ = 0;
  TimeMs close_by_ms_ = 0;  // the closing handshake's end, however slow the client reads
  TimeMs heard_ms_;         // when the client last sent anything
  TimeMs held_since_ms_ = 0;
  std::size_t held_bytes_ = 0;
  std::string_view cut_reason_;  // of overflowed_, static
  std::uint8_t window_bits_;
  bool pong_owed_ = false;
  bool pinged_ = false;  // and nothing came since
  bool paused_ = false;
  bool close_sent_ = false;
  bool discarding_ = false;  // messages; the close frame is still awaited
  bool overflowed_ = false;  // and closed with 1013, for what cut_reason_ says
  bool given_up_ = false;    // nothing more is read
  bool reported_ = false;
};

}  // namespace hearth::net
