#include "net/http_response.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace hearth::net {

namespace {

bool is_hop_by_hop(std::string_view name) {
  static constexpr std::string_view kNames[] = {"connection", "keep-alive", "proxy-connection",
                                                "te",         "trailer",    "transfer-encoding",
                                                "upgrade"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view known) { return equals_ignoring_case(known, name); });
}

bool is_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

std::optional<std::uint64_t> length_of(std::string_view value) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return length;
}

void append_number(std::string& out, std::uint64_t number) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_json_text(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      out.append("\\u00").push_back(kDigits[byte >> 4]);
      out.push_back(kDigits[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

std::string_view default_status_text(std::uint16_t status) {
  struct Text {
    std::uint16_t status;
    std::string_view text;
  };
  static constexpr Text kTexts[] = {{200, "OK"},
                                    {201, "Created"},
                                    {202, "Accepted"},
                                    {203, "Non-Authoritative Information"},
                                    {204, "No Content"},
                                    {205, "Reset Content"},
                                    {206, "Partial Content"},
                                    {300, "Multiple Choices"},
                                    {301, "Moved Permanently"},
                                    {302, "Found"},
                                    {303, "See Other"},
                                    {304, "Not Modified"},
                                    {307, "Temporary Redirect"},
                                    {308, "Permanent Redirect"},
                                    {400, "Bad Request"},
                                    {401, "Unauthorized"},
                                    {402, "Payment Required"},
                                    {403, "Forbidden"},
                                    {404, "Not Found"},
                                    {405, "Method Not Allowed"},
                                    {406, "Not Acceptable"},
                                    {408, "Request Timeout"},
                                    {409, "Conflict"},
                                    {410, "Gone"},
                                    {411, "Length Required"},
                                    {412, "Precondition Failed"},
                                    {413, "Content Too Large"},
                                    {414, "URI Too Long"},
                                    {415, "Unsupported Media Type"},
                                    {416, "Range Not Satisfiable"},
                                    {417, "Expectation Failed"},
                                    {418, "I'm a teapot"},
                                    {421, "Misdirected Request"},
                                    {422, "Unprocessable Content"},
                                    {425, "Too Early"},
                                    {426, "Upgrade Required"},
                                    {428, "Precondition Required"},
                                    {429, "Too Many Requests"},
                                    {431, "Request Header Fields Too Large"},
                                    {451, "Unavailable For Legal Reasons"},
                                    {500, "Internal Server Error"},
                                    {501, "Not Implemented"},
                                    {502, "Bad Gateway"},
                                    {503, "Service Unavailable"},
                                    {504, "Gateway Timeout"},
                                    {505, "HTTP Version Not Supported"}};
  for (const Text& entry : kTexts) {
    if (entry.status == status) return entry.text;
  }
  return {};
}

std::string http_date(std::int64_t unix_seconds) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t at = unix_seconds;
  std::tm parts{};
  gmtime_r(&at, &parts);
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                                 parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return {text, static_cast<std::size_t>(size)};
}

ResponseFrame write_response_head(std::string& out, std::uint16_t status, std::string_view text,
                                  std::string_view headers, std::optional<std::uint64_t> body_bytes,
                                  const RequestTraits& request, std::string_view date) {
  out.append("HTTP/1.1 ");
  append_number(out, status);
  out.push_back(' ');
  out.append(text.empty() || !is_value(text) ? default_status_text(status) : text);
  out.append("\r\n");
  ResponseFrame frame;
  frame.keep_alive = request.keep_alive;
  bool has_date = false;
  std::optional<std::uint64_t> given_length;
  for_each_header(headers, [&](std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_value(value)) return;
    if (equals_ignoring_case(name, "content-length")) {
      given_length = length_of(value);
      return;
    }
    if (equals_ignoring_case(name, "connection")) {
      for_each_element(value, [&](std::string_view option) {
        if (equals_ignoring_case(option, "close")) frame.keep_alive = false;
      });
    }
    // RFC 9110 section 15.5.22: a 426 says to what.
    const bool told = status == 426 && equals_ignoring_case(name, "upgrade");
    if (is_hop_by_hop(name) && !told) return;
    if (equals_ignoring_case(name, "date")) has_date = true;
    out.append(name).append(": ").append(value).append("\r\n");
  });
  if (!has_date) out.append("Date: ").append(date).append("\r\n");

  const bool bodiless_status = status == 204 || status == 304;
  std::optional<std::uint64_t> length = body_bytes ? body_bytes : given_length;
  // HEAD and 304 tell the length that GET would have; an empty body there says nothing of it.
  if ((request.is_head || status == 304) && body_bytes.value_or(0) == 0) length = given_length;
  if (length && status != 204) {
    out.append("Content-Length: ");
    append_number(out, *length);
    out.append("\r\n");
  }
  if (request.is_head || bodiless_status) {
    frame.framing = Framing::kNoBody;
  } else if (length) {
    frame.framing = Framing::kSized;
    frame.length = *length;
  } else if (request.minor_version == 0) {
    frame.framing = Framing::kUntilClose;
    frame.keep_alive = false;
  } else {
    frame.framing = Framing::kChunked;
    out.append("Transfer-Encoding: chunked\r\n");
  }
  if (!frame.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (request.minor_version == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  return frame;
}

void append_upgrade_headers(std::string& out, std::string_view headers) {
  for_each_header(headers, [&out](std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_value(value) || is_hop_by_hop(name)) return;
    for (const std::string_view decided :
         {"sec-websocket-accept", "sec-websocket-extensions", "content-length"}) {
      if (equals_ignoring_case(name, decided)) return;
    }
    out.append(name).append(": ").append(value).append("\r\n");
  });
}

FaultAnswer make_fault_answer(const HttpFault& fault, const FaultWords& words) {
  FaultAnswer answer;
  const auto header = [&answer](std::string_view name, std::string_view value) {
    answer.headers.append(name).push_back('\0');
    answer.headers.append(value).push_back('\0');
  };
  header("Content-Type", "application/json");
  if (fault.status == 426) {
    header("Upgrade", "websocket");
    header("Sec-WebSocket-Version", "13");
  }
  if (words) {
    answer.body = words(fault.code, fault.message);
    return answer;
  }
  answer.body = R"({"error":{"code":")";
  answer.body += fault.code;
  answer.body += R"(","message":")";
  append_json_text(answer.body, fault.message);
  answer.body += "\"}}\n";
  return answer;
}

}  // namespace hearth::net
