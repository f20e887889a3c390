#include "websocket_load.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "connection.h"
#include "drive.h"
#include "histogram.h"
#include "report.h"

namespace hearth::load {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

std::string handshake(const Options& options, std::size_t connection) {
  return "GET " + path_of(options, connection) +
         " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

// One echoing connection: numbered messages out, checked messages in.
class EchoClient {
 public:
  void open(const Poller& poller, const Options& options, std::size_t index) {
    payload_bytes_ = options.payload_bytes;
    mask_ = static_cast<std::uint32_t>(std::minstd_rand(static_cast<unsigned>(index) + 1)());
    sent_ns_.resize(options.depth);
    connection_.open(poller, options.port, index);
    const auto head = connection_.exchange(handshake(options, index), "\r\n\r\n", incoming_);
    if (!head.starts_with("HTTP/1.1 101")) fail("no upgrade: " + head);
  }

  // The SDK greets every client with messages of its own; they are read away before the load.
  void drain_greetings(char* buffer, std::size_t size) {
    while (!connection_.read(buffer, size).empty()) {
    }
    incoming_.clear();
  }

  void fill() {
    while (next_ - answered_ < sent_ns_.size()) send_one();
    connection_.flush();
  }

  // Counts the answers in what has arrived, and sends as many new messages.
  std::uint64_t on_readable(char* buffer, std::size_t size, Histogram* latencies) {
    const auto data = connection_.read(buffer, size);
    const auto before = answered_;
    if (incoming_.empty()) {
      consume(data, latencies);
    } else {
      incoming_.append(data);
      const std::string joined = std::move(incoming_);
      incoming_.clear();
      consume(joined, latencies);
    }
    fill();
    return answered_ - before;
  }

  void on_writable() { connection_.flush(); }

 private:
  void send_one() {
    std::string payload(payload_bytes_, 'x');
    number(next_, payload.data());
    sent_ns_[next_ % sent_ns_.size()] = now_ns();
    ++next_;
    auto& out = connection_.outgoing();
    out.push_back(static_cast<char>(0x81));
    if (payload.size() < 126) {
      out.push_back(static_cast<char>(0x80 | payload.size()));
    } else {
      out.push_back(static_cast<char>(0x80 | 126));
      out.push_back(static_cast<char>(payload.size() >> 8));
      out.push_back(static_cast<char>(payload.size() & 0xff));
    }
    char key[4];
    std::memcpy(key, &mask_, sizeof key);
    out.append(key, sizeof key);
    for (std::size_t i = 0; i < payload.size(); ++i) {
      out.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
    }
  }

  // Sixteen hexadecimal digits at the front of each message.
  static void number(std::uint64_t value, char* out) {
    for (int i = 15; i >= 0; --i, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
  }

  void consume(std::string_view data, Histogram* latencies) {
    const auto now = now_ns();
    while (true) {
      if (data.size() < 2) break;
      std::size_t header = 2;
      auto length = static_cast<std::size_t>(static_cast<unsigned char>(data[1]));
      if (length == 127 || (data[1] & 0x80) != 0) fail("an unexpected frame header");
      if (length == 126) {
        if (data.size() < 4) break;
        header = 4;
        length = static_cast<std::size_t>(static_cast<unsigned char>(data[2])) << 8 |
                 static_cast<unsigned char>(data[3]);
      }
      if (data.size() < header + length) break;
      check(static_cast<unsigned char>(data[0]), data.substr(header, length), now, latencies);
      data.remove_prefix(header + length);
    }
    incoming_.assign(data);
  }

  void check(unsigned char first, std::string_view payload, std::uint64_t now,
             Histogram* latencies) {
    char expected[16];
    number(answered_, expected);
    if (first != 0x81 || payload.size() != payload_bytes_ ||
        std::memcmp(payload.data(), expected, sizeof expected) != 0) {
      fail("an answer is not the echo: " + std::string(payload.substr(0, 200)));
    }
    if (latencies != nullptr) latencies->add(now - sent_ns_[answered_ % sent_ns_.size()]);
    ++answered_;
  }

  Connection connection_;
  std::string incoming_;
  std::vector<std::uint64_t> sent_ns_;
  std::size_t payload_bytes_ = 0;
  std::uint32_t mask_ = 0;
  std::uint64_t next_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace

void run_websocket_echo(const Options& options) {
  const Poller poller;
  std::vector<EchoClient> clients(options.connections);
  std::vector<char> buffer(kReadBytes);
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].open(poller, options, i);
  usleep(200'000);
  for (auto& client : clients) client.drain_greetings(buffer.data(), buffer.size());
  for (auto& client : clients) client.fill();
  const auto warm = now_ns() + static_cast<std::uint64_t>(options.warmup_s * 1e9);
  drive_until(poller, clients, buffer, warm, nullptr);

  std::puts("{\"measuring\":true}");
  std::fflush(stdout);
  Histogram latencies;
  const auto cpu = own_cpu_s();
  const auto start = now_ns();
  const auto answered =
      drive_until(poller, clients, buffer,
                  start + static_cast<std::uint64_t>(options.seconds * 1e9), &latencies);
  report(latencies, answered, static_cast<double>(now_ns() - start) / 1e9, own_cpu_s() - cpu);
}

void run_idle(const Options& options) {
  const Poller poller;
  std::vector<Connection> connections(options.connections);
  for (std::size_t i = 0; i < connections.size(); ++i) {
    connections[i].open(poller, options.port, i);
    std::string rest;
    const auto head = connections[i].exchange(handshake(options, i), "\r\n\r\n", rest);
    if (!head.starts_with("HTTP/1.1 101")) fail("no upgrade: " + head);
  }
  std::printf("{\"open\":%zu}\n", connections.size());
  std::fflush(stdout);
  char unused;
  while (read(STDIN_FILENO, &unused, 1) > 0) {
  }
  for (auto& connection : connections) connection.close();
}

}  // namespace hearth::load
