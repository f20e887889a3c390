#include "http_load.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "connection.h"
#include "drive.h"
#include "histogram.h"
#include "report.h"

namespace hearth::load {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// What all connections ask together: the requests' numbers, and where they end.
struct Plan {
  const Options& options;
  std::uint64_t next = 0;

  bool done() const { return options.operations != 0 && next == options.operations; }
};

std::string request_for(const Options& options, const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
         "\r\nAccept: */*\r\nUser-Agent: hearth_load\r\n\r\n";
}

// One connection that asks, waits for the whole answer, and asks again.
class HttpClient {
 public:
  void open(const Poller& poller, Plan& plan, std::size_t index) {
    plan_ = &plan;
    varies_ = varies(plan.options);
    if (!varies_) request_ = request_for(plan.options, path_of(plan.options, index));
    sent_ns_.resize(plan.options.depth);
    connection_.open(poller, plan.options.port, index);
  }

  void fill() {
    while (next_ - answered_ < sent_ns_.size() && !plan_->done()) {
      const auto number = plan_->next++;
      connection_.outgoing().append(
          varies_ ? request_for(plan_->options, path_of_request(plan_->options, number))
                  : request_);
      sent_ns_[next_++ % sent_ns_.size()] = now_ns();
    }
    connection_.flush();
  }

  std::uint64_t on_readable(char* buffer, std::size_t size, Histogram* latencies) {
    incoming_.append(connection_.read(buffer, size));
    const auto before = answered_;
    const auto now = now_ns();
    std::size_t at = 0;
    while (const auto length = answer_bytes(std::string_view(incoming_).substr(at))) {
      at += length;
      if (latencies != nullptr) latencies->add(now - sent_ns_[answered_ % sent_ns_.size()]);
      ++answered_;
    }
    incoming_.erase(0, at);
    if (answered_ != before) fill();
    return answered_ - before;
  }

  void on_writable() { connection_.flush(); }

 private:
  // Bytes of the first answer in `data`; 0 when it is not whole yet.
  static std::size_t answer_bytes(std::string_view data) {
    const auto end = data.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    const auto head = lower(data.substr(0, end + 2));
    if (!head.starts_with("http/1.1 200")) fail("not a 200: " + std::string(data.substr(0, end)));
    const auto sized = head.find("\r\ncontent-length:");
    if (sized == std::string::npos) return chunked_bytes(data, end + 4);
    const auto body = std::strtoul(head.c_str() + sized + 17, nullptr, 10);
    const auto whole = end + 4 + body;
    return data.size() >= whole ? whole : 0;
  }

  static std::size_t chunked_bytes(std::string_view data, std::size_t at) {
    for (;;) {
      const auto line = data.find("\r\n", at);
      if (line == std::string_view::npos) return 0;
      const auto size = std::strtoul(std::string(data.substr(at, line - at)).c_str(), nullptr, 16);
      at = line + 2 + size + 2;
      if (at > data.size()) return 0;
      if (size == 0) return at;
    }
  }

  Connection connection_;
  Plan* plan_ = nullptr;
  bool varies_ = false;
  std::string request_;
  std::string incoming_;
  std::vector<std::uint64_t> sent_ns_;
  std::uint64_t next_ = 0;
  std::uint64_t answered_ = 0;
};

}  // namespace

void run_http(const Options& options) {
  const Poller poller;
  Plan plan{options};
  std::vector<HttpClient> clients(options.connections);
  std::vector<char> buffer(kReadBytes);
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].open(poller, plan, i);
  Histogram latencies;
  const auto measure = [&](std::uint64_t answers_max) {
    std::puts("{\"measuring\":true}");
    std::fflush(stdout);
    const auto cpu = own_cpu_s();
    const auto start = now_ns();
    if (options.operations != 0) {
      for (auto& client : clients) client.fill();
    }
    const auto answered = drive_until(poller, clients, buffer,
                                      start + static_cast<std::uint64_t>(options.seconds * 1e9),
                                      &latencies, answers_max);
    report(latencies, answered, static_cast<double>(now_ns() - start) / 1e9, own_cpu_s() - cpu);
    return answered;
  };
  if (options.operations != 0) {
    if (measure(options.operations) != options.operations) fail("not all were answered in time");
    return;
  }
  for (auto& client : clients) client.fill();
  drive_until(poller, clients, buffer,
              now_ns() + static_cast<std::uint64_t>(options.warmup_s * 1e9), nullptr);
  measure(kNoLimit);
}

}  // namespace hearth::load
