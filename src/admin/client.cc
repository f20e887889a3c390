#include "admin/client.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "admin/server.h"

namespace hearth::admin {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kAnswerBytesMax = 256 * 1024 * 1024;

using Parser = http::response_parser<http::string_body>;

Error malformed(const boost::beast::error_code& error) {
  return {ErrorCode::kIo, "the server's answer is not HTTP/1.1 (" + error.message() + ")"};
}

ErrorCode code_of(std::uint16_t status) {
  switch (status) {
    case 400:
      return ErrorCode::kInvalid;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 413:
      return ErrorCode::kLimit;
    case 503:
      return ErrorCode::kCancelled;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

Result<Client> Client::of_state(const std::filesystem::path& state) {
  std::error_code error;
  if (!std::filesystem::is_directory(state, error)) {
    return Error{ErrorCode::kNotFound, state.string() +
                                           " is no state folder; name the one that hearth serves "
                                           "with --state DIR"};
  }
  Client client;
  client.socket_ = state / kSocketName;
  const auto probe = client.connect(kAnswerTimeoutMs);
  if (!probe) return probe.error();
  return client;
}

Result<Client> Client::of_url(std::string_view url, std::string token) {
  Client client;
  const auto scheme_end = url.find("://");
  const std::string_view scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos || (scheme != "http" && scheme != "https")) {
    return Error{ErrorCode::kInvalid, "\"" + std::string(url) +
                                          "\" is not the URL of an admin interface, such as "
                                          "http://127.0.0.1:8788 or https://admin.example.com"};
  }
  client.secure_ = scheme == "https";
  std::string_view rest = url.substr(scheme_end + 3);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  rest.remove_prefix(authority.size());
  while (rest.ends_with('/')) rest.remove_suffix(1);
  client.base_ = rest;
  std::string_view host = authority;
  std::string_view port = client.secure_ ? "443" : "80";
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  client.host_ = host;
  client.port_ = port;
  client.token_ = std::move(token);
  return client;
}

Result<std::unique_ptr<Channel>> Client::connect(std::uint32_t timeout_ms) const {
  if (socket_.empty()) return open_tcp_channel(host_, port_, secure_, timeout_ms);
  auto channel = open_unix_channel(socket_, timeout_ms);
  if (!channel && channel.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound, "no hearth serves " + socket_.parent_path().string() +
                                           "; start one with `hearth dev` or `hearth serve`, or "
                                           "name its state folder with --state DIR"};
  }
  return channel;
}

Result<Answer> Client::run(std::string_view method, std::string_view target, std::string_view body,
                           std::string_view content_type, std::uint32_t timeout_ms,
                           const std::function<bool(const Answer&, std::string_view)>& on_body) {
  auto connected = connect(timeout_ms);
  if (!connected) return connected.error();
  Channel& channel = **connected;
  const bool v6 = host_.find(':') != std::string::npos;
  std::string head = std::string(method) + " " + base_ + std::string(target) + " HTTP/1.1\r\n";
  head += "Host: " +
          (socket_.empty() ? (v6 ? "[" + host_ + "]" : host_) + ":" + port_
                           : std::string("localhost")) +
          "\r\n";
  head += "Connection: close\r\nHearth-Version: " HEARTH_VERSION "\r\n";
  if (!token_.empty()) head += "Authorization: Bearer " + token_ + "\r\n";
  if (!body.empty()) head += "Content-Type: " + std::string(content_type) + "\r\n";
  if (!body.empty() || method == "POST") {
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  head += "\r\n";
  if (Status status = channel.write(head); !status) return status.error();
  if (Status status = channel.write(body); !status) return status.error();

  Parser parser;
  parser.eager(true);
  parser.body_limit(boost::none);
  std::vector<char> buffer(kReadBytes);
  std::size_t held = 0;
  Answer answer;
  while (!parser.is_done()) {
    auto count = channel.read(buffer.data() + held, buffer.size() - held);
    if (!count) return count.error();
    boost::beast::error_code error;
    if (*count == 0) {
      if (parser.got_some()) parser.put_eof(error);
      if (error || !parser.is_done()) {
        return Error{ErrorCode::kIo,
                     "the server closed the connection before its answer was whole"};
      }
    }
    held += *count;
    std::size_t used = 0;
    while (used < held && !parser.is_done()) {
      const std::size_t taken =
          parser.put(boost::asio::const_buffer(buffer.data() + used, held - used), error);
      used += taken;
      if (error == http::error::need_more) break;
      if (error) return malformed(error);
      if (taken == 0) break;
    }
    held -= used;
    std::copy(buffer.data() + used, buffer.data() + used + held, buffer.data());
    if (held == buffer.size()) return malformed(http::error::header_limit);
    if (!parser.is_header_done()) continue;
    auto& message = parser.get();
    answer.status = static_cast<std::uint16_t>(message.result_int());
    answer.version = std::string(message["Hearth-Version"]);
    const std::string piece = std::exchange(message.body(), {});
    if (!piece.empty() && !on_body(answer, piece)) break;
  }
  return answer;
}

Result<Answer> Client::exchange(std::string_view method, std::string_view target,
                                std::string_view body, std::string_view content_type) {
  std::string whole;
  bool too_large = false;
  auto answer = run(method, target, body, content_type, timeout_ms_,
                    [&](const Answer&, std::string_view piece) {
                      too_large = whole.size() + piece.size() > kAnswerBytesMax;
                      if (!too_large) whole.append(piece);
                      return !too_large;
                    });
  if (!answer) return answer;
  if (too_large) return Error{ErrorCode::kLimit, "the server's answer is larger than 256 MiB"};
  answer->body = std::move(whole);
  if (answer->version.empty()) {
    return Error{ErrorCode::kIo,
                 "what answers there is not the admin interface of a hearth; it listens where "
                 "--admin says, not on the port of the agents"};
  }
  return answer;
}

Result<std::string> Client::ask(std::string_view method, std::string_view target,
                                std::string_view body, std::string_view content_type) {
  auto answer = exchange(method, target, body, content_type);
  if (!answer) return answer.error();
  if (answer->status / 100 == 2) return std::move(answer->body);
  return complaint(*answer);
}

Status Client::follow(std::string_view target,
                      const std::function<bool(std::string_view)>& on_line) {
  std::string partial;
  std::string refused;
  bool ended = false;
  auto answer = run("GET", target, {}, {}, 0, [&](const Answer& head, std::string_view piece) {
    if (head.status != 200) return refused.append(piece), true;
    partial.append(piece);
    std::size_t start = 0;
    for (std::size_t end; (end = partial.find('\n', start)) != std::string::npos; start = end + 1) {
      if (!on_line(std::string_view(partial).substr(start, end - start))) {
        ended = true;
        return false;
      }
    }
    partial.erase(0, start);
    return true;
  });
  if (!answer) return answer.error();
  if (ended || answer->status == 200) return {};
  answer->body = std::move(refused);
  return complaint(*answer);
}

// The server's own words, and the versions where they may be what is wrong.
Error Client::complaint(const Answer& answer) const {
  Error error{code_of(answer.status), "the server answered " + std::to_string(answer.status)};
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    const auto& told = json["error"];
    error.message = told.value("message", error.message);
    if (told.contains("code")) error.message = told.value("code", "") + ": " + error.message;
    if (told.contains("fix")) error.message += "\n  " + told.value("fix", "");
  }
  if (answer.version != HEARTH_VERSION) {
    error.message += "\n  the server is hearth " + answer.version +
                     ", this command is of " HEARTH_VERSION ": use the server's own";
  }
  return error;
}

}  // namespace hearth::admin
