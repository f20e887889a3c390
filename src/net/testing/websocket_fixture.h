// A server that echoes, and clients that make their frames by hand.
#pragma once

#include <memory>
#include <string>

#include "net/testing/fixture.h"

namespace hearth::net::testing {

class WebSocketServer : public ServerTest {
 protected:
  static std::string handshake(const std::string& headers = "") {
    return "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
           headers + "\r\n";
  }
  static std::string frame(int opcode, const std::string& payload, bool final = true,
                           int reserved = 0) {
    std::string out;
    out += static_cast<char>((final ? 0x80 : 0) | reserved << 4 | opcode);
    const std::size_t size = payload.size();
    const int width = size < 126 ? 0 : size < 65536 ? 2 : 8;
    out += static_cast<char>(0x80U | (width == 0 ? size : width == 2 ? 126U : 127U));
    for (int i = width - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
    const char key[4] = {'\x01', '\xfe', '\x55', '\x00'};
    out.append(key, 4);
    for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(payload[i] ^ key[i & 3]);
    return out;
  }
  static std::string close_frame(int code, const std::string& reason = "") {
    return frame(8, std::string{static_cast<char>(code >> 8), static_cast<char>(code)} + reason);
  }
  struct Received {
    int opcode;
    bool compressed;
    std::string payload;
  };
  Received receive(Client& client) {
    const std::string head = client.read(2);
    if (head.size() < 2) return {-1, false, "the server closed"};
    EXPECT_EQ(head[1] & 0x80, 0) << "a server's frame is not masked";
    std::uint64_t size = static_cast<unsigned char>(head[1]);
    if (size >= 126) {
      const std::string extended = client.read(size == 126 ? 2 : 8);
      size = 0;
      for (const char c : extended) size = size << 8 | static_cast<unsigned char>(c);
    }
    return {head[0] & 0x0f, (head[0] & 0x40) != 0, client.read(size)};
  }
  static std::string close_text(const Received& frame) {
    if (frame.opcode != 8) return "opcode " + std::to_string(frame.opcode);
    if (frame.payload.empty()) return "no code";
    const int code = static_cast<unsigned char>(frame.payload[0]) << 8 |
                     static_cast<unsigned char>(frame.payload[1]);
    return std::to_string(code) + " " + frame.payload.substr(2);
  }
  // Accepts every upgrade, echoes every message.
  void echo(const std::string& headers = "") {
    seen_.request_hook = [this, headers](const Request& request) {
      if (request.upgrade) socket_ = server_->upgrade(request.id, headers);
    };
    seen_.message_hook = [this](const Recorder::Message& message) {
      server_->send(message.socket, message.kind, message.data);
    };
  }
  std::string open(Client& client, const std::string& headers = "") {
    client.send(handshake(headers));
    return client.read_until("\r\n\r\n");
  }
  SocketId socket_;
};

}  // namespace hearth::net::testing
