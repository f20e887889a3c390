#include "net/http_head.h"

#include <boost/beast/http/basic_parser.hpp>

#include "net/websocket_handshake.h"

namespace hearth::net {

namespace {

namespace http = boost::beast::http;
using BeastView = boost::beast::string_view;
using BeastError = boost::beast::error_code;

std::string_view view(BeastView text) {
  return {text.data(), text.size()};
}

bool is_host(std::string_view host) {
  for (const char c : host) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte <= 0x20 || byte >= 0x7f) return false;
    if (std::string_view("/\\?#@,<>\"{}|^`%;").find(c) != std::string_view::npos) return false;
  }
  return true;
}

// Collects the fields that decide how a request is read; all of them go to head.headers.
class HeadReader final : public http::basic_parser<true> {
 public:
  HeadReader(RequestHead& head, std::size_t size) : head_(head) {
    header_limit(static_cast<std::uint32_t>(size + 1));
    body_limit(boost::none);
    eager(false);
    skip(true);
  }

  std::optional<HttpFault> conclude();

 private:
  void on_request_impl(http::verb, BeastView method, BeastView target, int version,
                       BeastError&) override {
    head_.method = view(method);
    head_.target = view(target);
    head_.minor_version = version % 10;
  }
  void on_field_impl(http::field field, BeastView name, BeastView value, BeastError&) override;

  void on_response_impl(int, BeastView, int, BeastError&) override {}
  void on_header_impl(BeastError&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, BeastError&) override {}
  std::size_t on_body_impl(BeastView, BeastError&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, BeastView, BeastError&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView, BeastError&) override { return 0; }
  void on_finish_impl(BeastError&) override {}

  void refuse(std::uint16_t status, std::string message) {
    if (!fault_) fault_ = HttpFault{status, std::move(message)};
  }
  void read_length(std::string_view value);
  std::optional<HttpFault> check_upgrade();
  std::optional<HttpFault> check_remains() const;

  RequestHead& head_;
  std::optional<HttpFault> fault_;
  int hosts_ = 0, lengths_ = 0, keys_ = 0, versions_ = 0;
  bool close_ = false, keep_ = false, connection_upgrade_ = false, upgrade_websocket_ = false;
  bool expectation_failed_ = false;
  bool has_coding_ = false;
  int chunked_ = 0;
  bool other_coding_ = false, chunked_last_ = false;
  std::string websocket_version_;
};

void HeadReader::read_length(std::string_view value) {
  if (++lengths_ > 1) return refuse(400, "the request has two Content-Length headers");
  if (value.empty() || value.size() > 18 ||
      value.find_first_not_of("0123456789") != std::string_view::npos) {
    return refuse(400, "Content-Length is not a number");
  }
  head_.content_length = 0;
  for (const char c : value) {
    head_.content_length = head_.content_length * 10 + static_cast<std::uint64_t>(c - '0');
  }
}

void HeadReader::on_field_impl(http::field field, BeastView beast_name, BeastView beast_value,
                               BeastError&) {
  const std::string_view value = view(beast_value);
  head_.headers.append(view(beast_name)).push_back('\0');
  head_.headers.append(value).push_back('\0');
  switch (field) {
    case http::field::host:
      if (++hosts_ > 1) return refuse(400, "the request has two Host headers");
      if (!is_host(value)) return refuse(400, "the Host header is not a host name and port");
      head_.host = value;
      break;
    case http::field::content_length:
      read_length(value);
      break;
    case http::field::transfer_encoding:
      has_coding_ = true;
      for_each_element(value, [this](std::string_view coding) {
        chunked_last_ = equals_ignoring_case(coding, "chunked");
        if (chunked_last_) {
          ++chunked_;
        } else {
          other_coding_ = true;
        }
      });
      break;
    case http::field::connection:
      for_each_element(value, [this](std::string_view option) {
        if (equals_ignoring_case(option, "close")) close_ = true;
        if (equals_ignoring_case(option, "keep-alive")) keep_ = true;
        if (equals_ignoring_case(option, "upgrade")) connection_upgrade_ = true;
      });
      break;
    case http::field::expect:
      if (equals_ignoring_case(value, "100-continue")) {
        head_.expect_continue = true;
      } else {
        expectation_failed_ = true;
      }
      break;
    case http::field::upgrade:
      for_each_element(value, [this](std::string_view protocol) {
        if (equals_ignoring_case(protocol, "websocket")) upgrade_websocket_ = true;
      });
      break;
    case http::field::sec_websocket_key:
      ++keys_;
      head_.websocket_key = value;
      break;
    case http::field::sec_websocket_version:
      ++versions_;
      websocket_version_ = value;
      break;
    case http::field::sec_websocket_extensions:
      if (!head_.websocket_extensions.empty()) head_.websocket_extensions += ',';
      head_.websocket_extensions += value;
      break;
    default:
      if (head_.forwarded_proto.empty() &&
          equals_ignoring_case(view(beast_name), "X-Forwarded-Proto")) {
        head_.forwarded_proto = value;
      }
  }
}

std::optional<HttpFault> HeadReader::check_upgrade() {
  if (head_.method != "GET") return HttpFault{400, "a WebSocket handshake is a GET request"};
  if (!connection_upgrade_) {
    return HttpFault{400,
                     "a WebSocket handshake needs the header Connection: Upgrade, which a proxy in "
                     "between has to set (nginx: proxy_set_header Connection upgrade)"};
  }
  if (versions_ != 1 || websocket_version_ != "13") {
    return HttpFault{426, "a WebSocket handshake needs the header Sec-WebSocket-Version: 13" +
                              (versions_ == 0 ? std::string(", and there is none")
                                              : ", not " + websocket_version_.substr(0, 20))};
  }
  if (keys_ != 1 || !is_websocket_key(head_.websocket_key)) {
    return HttpFault{400,
                     "a WebSocket handshake needs one Sec-WebSocket-Key of 16 bytes in base64"};
  }
  if (head_.body != BodyKind::kNone) {
    return HttpFault{400, "a WebSocket handshake has no body"};
  }
  head_.upgrade = true;
  return std::nullopt;
}

// A key without its Upgrade header: no client writes that, but a proxy leaves it of a handshake
// when it forwards only what belongs to a request (RFC 9110 section 7.6.1). Taken for a plain
// request, it would be answered by whatever the code says of those.
std::optional<HttpFault> HeadReader::check_remains() const {
  if (keys_ == 0) return std::nullopt;
  if (head_.minor_version == 0) {
    return HttpFault{426,
                     "this was a WebSocket handshake, but it came as HTTP/1.0: a proxy in between "
                     "has to speak HTTP/1.1 to the server (nginx: proxy_http_version 1.1) and to "
                     "pass on the headers Upgrade and Connection"};
  }
  return HttpFault{
      426,
      "the header Sec-WebSocket-Key came without Upgrade: websocket: a proxy in between "
      "took it away, and has to pass on the headers Upgrade and Connection (nginx: "
      "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade)"};
}

std::optional<HttpFault> HeadReader::conclude() {
  if (fault_) return fault_;
  const bool modern = head_.minor_version == 1;
  if (modern && hosts_ == 0) return HttpFault{400, "the request has no Host header"};
  if (modern && head_.host.empty()) return HttpFault{400, "the Host header is empty"};
  if (has_coding_) {
    if (lengths_ > 0) {
      return HttpFault{400, "the request has both Content-Length and Transfer-Encoding"};
    }
    if (!modern) return HttpFault{400, "an HTTP/1.0 request has a Transfer-Encoding"};
    if (other_coding_) return HttpFault{501, "the only Transfer-Encoding offered is chunked"};
    if (chunked_ != 1 || !chunked_last_) {
      return HttpFault{400, "Transfer-Encoding does not say chunked, once"};
    }
    head_.body = BodyKind::kChunked;
  } else if (lengths_ == 1 && head_.content_length > 0) {
    head_.body = BodyKind::kSized;
  }
  if (expectation_failed_) return HttpFault{417, "the only expectation met is 100-continue"};
  // RFC 9110 section 10.1.1: from an HTTP/1.0 client, or without a body, it asks for nothing.
  if (!modern || head_.body == BodyKind::kNone) head_.expect_continue = false;
  head_.keep_alive = modern ? !close_ : keep_ && !close_;
  std::optional<HttpFault> fault = modern && upgrade_websocket_ ? check_upgrade() : check_remains();
  if (fault) fault->code = "R410";
  return fault;
}

}  // namespace

void RequestHead::clear() {
  method.clear();
  target.clear();
  headers.clear();
  host.clear();
  forwarded_proto.clear();
  websocket_key.clear();
  websocket_extensions.clear();
  content_length = 0;
  body = BodyKind::kNone;
  minor_version = 1;
  keep_alive = true;
  expect_continue = upgrade = false;
}

std::optional<HttpFault> read_head(std::string_view raw, RequestHead& head) {
  head.clear();
  HeadReader reader(head, raw.size());
  BeastError error;
  reader.put(boost::asio::const_buffer(raw.data(), raw.size()), error);
  if (error && error != http::error::need_more) {
    // Beast stops at lengths and codings that contradict each other, among others.
    return HttpFault{400, "the request's head is wrong: " + error.message()};
  }
  if (!reader.is_header_done()) return HttpFault{400, "the request's head is not complete"};
  return reader.conclude();
}

}  // namespace hearth::net
