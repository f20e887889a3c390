#include "cli/probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

namespace hearth::cli {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kFrameBytesMax = 16 * 1024 * 1024;

using Clock = std::chrono::steady_clock;

class Deadline {
 public:
  explicit Deadline(std::uint32_t ms) : at_(Clock::now() + std::chrono::milliseconds(ms)) {}
  int left_ms() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(at_ - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

 private:
  Clock::time_point at_;
};

Error timeout_error(std::string_view what) {
  return {ErrorCode::kLimit, std::string(what) + " took too long"};
}

bool wait_for(int fd, short events, const Deadline& deadline) {
  pollfd entry{fd, events, 0};
  for (;;) {
    const int ready = ::poll(&entry, 1, deadline.left_ms());
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<int> connect_to(const addrinfo& address, const Deadline& deadline) {
  Descriptor socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return Error{ErrorCode::kIo, std::strerror(errno)};
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
    return Error{ErrorCode::kNotFound, std::strerror(errno)};
  }
  if (!wait_for(socket.get(), POLLOUT, deadline)) return timeout_error("the connection");
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Error{ErrorCode::kNotFound, std::strerror(error)};
  return socket.release();
}

Result<int> connect_to(const Url& url, const Deadline& deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked =
      ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (looked != 0) {
    return Error{ErrorCode::kNotFound,
                 "the name " + url.host + " has no address: " + ::gai_strerror(looked)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
  Error last{ErrorCode::kNotFound, "no address"};
  for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
    auto connected = connect_to(*each, deadline);
    if (connected) return connected;
    last = connected.error();
  }
  return Error{last.code, url.authority() + ": " + last.message};
}

class PlainWire final : public Wire {
 public:
  explicit PlainWire(int fd) : socket_(fd) {}

  Status write(std::string_view data, std::uint32_t timeout_ms) override {
    const Deadline deadline(timeout_ms);
    while (!data.empty()) {
      const ssize_t sent = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        data.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN && errno != EINTR) {
        return Error{ErrorCode::kIo, std::strerror(errno)};
      } else if (!wait_for(socket_.get(), POLLOUT, deadline)) {
        return timeout_error("sending");
      }
    }
    return {};
  }

  Result<std::string> read(std::uint32_t timeout_ms) override {
    const Deadline deadline(timeout_ms);
    std::string data(kReadBytes, '\0');
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), data.data(), data.size(), 0);
      if (got >= 0) {
        data.resize(static_cast<std::size_t>(got));
        return data;
      }
      if (errno != EAGAIN && errno != EINTR) return Error{ErrorCode::kIo, std::strerror(errno)};
      if (!wait_for(socket_.get(), POLLIN, deadline)) return timeout_error("the answer");
    }
  }

 private:
  Descriptor socket_;
};

std::string tls_error() {
  char text[160] = "";
  const unsigned long code = ::ERR_get_error();
  if (code == 0) return "the connection was closed";
  ::ERR_error_string_n(code, text, sizeof text);
  ::ERR_clear_error();
  // "error:0A00010B:SSL routines::wrong version number": the last part is for people.
  const char* last = std::strrchr(text, ':');
  return last == nullptr ? text : last + 1;
}

class TlsWire final : public Wire {
 public:
  TlsWire(int fd, const Url& url) : socket_(fd), host_(url.host) {}
  ~TlsWire() override {
    ::SSL_free(ssl_);
    ::SSL_CTX_free(context_);
  }

  Status shake_hands(std::uint32_t timeout_ms) {
    const Deadline deadline(timeout_ms);
    context_ = ::SSL_CTX_new(::TLS_client_method());
    if (context_ == nullptr || (ssl_ = ::SSL_new(context_)) == nullptr) {
      return Error{ErrorCode::kIo, tls_error()};
    }
    ::SSL_CTX_set_default_verify_paths(context_);
    // The handshake goes on whatever the certificate is: what is wrong with it is told besides.
    ::SSL_set_verify(ssl_, SSL_VERIFY_NONE, nullptr);
    // SSL_set_tlsext_host_name, whose macro has a C cast.
    (void)::SSL_ctrl(ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host_.data());
    ::SSL_set_fd(ssl_, socket_.get());
    for (;;) {
      const int done = ::SSL_connect(ssl_);
      if (done == 1) return {};
      const Status waited = await(done, deadline);
      if (!waited) return Error{ErrorCode::kInvalid, waited.error().message};
    }
  }

  Status write(std::string_view data, std::uint32_t timeout_ms) override {
    const Deadline deadline(timeout_ms);
    while (!data.empty()) {
      const int sent = ::SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
      if (sent > 0) {
        data.remove_prefix(static_cast<std::size_t>(sent));
      } else if (Status waited = await(sent, deadline); !waited) {
        return waited;
      }
    }
    return {};
  }

  Result<std::string> read(std::uint32_t timeout_ms) override {
    const Deadline deadline(timeout_ms);
    std::string data(kReadBytes, '\0');
    for (;;) {
      const int got = ::SSL_read(ssl_, data.data(), static_cast<int>(data.size()));
      if (got > 0) {
        data.resize(static_cast<std::size_t>(got));
        return data;
      }
      if (::SSL_get_error(ssl_, got) == SSL_ERROR_ZERO_RETURN) return std::string();
      if (const Status waited = await(got, deadline); !waited) return waited.error();
    }
  }

  std::string certificate_problem() const override {
    X509* certificate = ::SSL_get1_peer_certificate(ssl_);
    if (certificate == nullptr) return "the server sent no certificate";
    const std::unique_ptr<X509, decltype(&::X509_free)> owned(certificate, &::X509_free);
    std::string problem;
    const long verdict = ::SSL_get_verify_result(ssl_);
    if (verdict != X509_V_OK) problem = ::X509_verify_cert_error_string(verdict);
    const bool named =
        ::X509_check_host(certificate, host_.c_str(), host_.size(), 0, nullptr) == 1 ||
        ::X509_check_ip_asc(certificate, host_.c_str(), 0) == 1;
    if (!named) problem += (problem.empty() ? "" : "; ") + std::string("it is not for ") + host_;
    return problem;
  }

 private:
  Status await(int result, const Deadline& deadline) {
    const int why = ::SSL_get_error(ssl_, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      return Error{ErrorCode::kIo, tls_error()};
    }
    if (!wait_for(socket_.get(), why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      return timeout_error("the answer");
    }
    return {};
  }

  Descriptor socket_;
  std::string host_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Reads "HTTP/1.1 101 …" and the fields; false when it is something else.
bool read_answer_head(std::string_view head, HttpAnswer& answer) {
  if (!head.starts_with("HTTP/1.") || head.size() < 12) return false;
  answer.minor_version = head[7] - '0';
  const auto [end, error] = std::from_chars(head.data() + 9, head.data() + 12, answer.status);
  if (error != std::errc() || answer.status < 100) return false;
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;) {
    const std::size_t next = head.find("\r\n", at + 2);
    const std::string_view line = head.substr(
        at + 2, next == std::string_view::npos ? std::string_view::npos : next - at - 2);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      answer.headers.emplace_back(lower(line.substr(0, colon)),
                                  std::string(trimmed(line.substr(colon + 1))));
    }
    at = next;
  }
  return true;
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (secure ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

std::string Url::origin() const {
  return (secure ? "https://" : "http://") + authority();
}

Result<Url> parse_url(std::string_view text) {
  const auto wrong = [&](const std::string& why) {
    return Error{ErrorCode::kInvalid, "\"" + std::string(text) + "\" " + why};
  };
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) {
    return wrong("is no URL: write http:// or https:// before it");
  }
  const std::string scheme = lower(text.substr(0, colon));
  Url url;
  url.secure = scheme == "https" || scheme == "wss";
  if (!url.secure && scheme != "http" && scheme != "ws") return wrong("is neither http nor https");
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  const std::size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  url.path = slash == std::string_view::npos ? "" : std::string(rest.substr(slash));
  while (url.path.ends_with('/')) url.path.pop_back();
  url.port = url.secure ? 443 : 80;
  const std::size_t bracket = authority.find(']');
  const std::size_t port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (port != std::string_view::npos) {
    const std::string_view digits = authority.substr(port + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size() || url.port == 0) {
      return wrong("has no port behind its colon");
    }
    authority = authority.substr(0, port);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) {
    authority = authority.substr(1, authority.size() - 2);
  }
  url.host = authority;
  const auto odd = [](unsigned char c) { return c <= 0x20 || c == 0x7f; };
  if (url.host.empty()) return wrong("has no host");
  if (std::any_of(text.begin(), text.end(), odd)) return wrong("has a space in it");
  return url;
}

Result<std::unique_ptr<Wire>> Wire::open(const Url& url, std::uint32_t timeout_ms) {
  const Deadline deadline(timeout_ms);
  const auto connected = connect_to(url, deadline);
  if (!connected) return connected.error();
  if (!url.secure) return std::unique_ptr<Wire>(std::make_unique<PlainWire>(*connected));
  auto wire = std::make_unique<TlsWire>(*connected, url);
  if (const Status agreed = wire->shake_hands(timeout_ms); !agreed) return agreed.error();
  return std::unique_ptr<Wire>(std::move(wire));
}

std::string_view HttpAnswer::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

Result<HttpAnswer> ask(Wire& wire, std::string_view request, std::uint32_t timeout_ms) {
  const Deadline deadline(timeout_ms);
  if (const Status sent = wire.write(request, timeout_ms); !sent) return sent.error();
  std::string text;
  std::size_t end = std::string::npos;
  while ((end = text.find("\r\n\r\n")) == std::string::npos) {
    auto more = wire.read(static_cast<std::uint32_t>(deadline.left_ms()));
    if (!more) return more.error();
    if (more->empty()) {
      if (text.empty()) return Error{ErrorCode::kIo, "the connection was closed without an answer"};
      break;
    }
    text += *more;
    if (!text.starts_with(std::string_view("HTTP/1.").substr(0, text.size()))) break;
    if (text.size() > kHeadBytesMax) break;
  }
  HttpAnswer answer;
  if (end == std::string::npos ||
      !read_answer_head(std::string_view(text).substr(0, end), answer)) {
    return Error{ErrorCode::kCorrupt, "the answer is not HTTP/1"};
  }
  text.erase(0, end + 4);
  if (answer.status == 101) {
    answer.rest = std::move(text);
    return answer;
  }
  const std::string_view length = answer.header("content-length");
  std::size_t wanted = kReadBytes;
  if (!length.empty()) (void)std::from_chars(length.data(), length.data() + length.size(), wanted);
  wanted = answer.status == 204 || answer.status == 304 ? 0 : std::min(wanted, kReadBytes);
  while (text.size() < wanted) {
    if (answer.header("transfer-encoding") == "chunked" && text.ends_with("\r\n0\r\n\r\n")) break;
    auto more = wire.read(static_cast<std::uint32_t>(deadline.left_ms()));
    if (!more || more->empty()) break;  // its head is what is asked for
    text += *more;
  }
  answer.body = std::move(text);
  return answer;
}

Result<std::optional<Frame>> Frames::next() {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(pending_[at]); };
  if (pending_.size() < 2) return std::optional<Frame>();
  if ((byte(1) & 0x80) != 0) return Error{ErrorCode::kCorrupt, "the server's frames are masked"};
  std::uint64_t length = byte(1) & 0x7f;
  std::size_t head = 2;
  const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (pending_.size() < head + extended) return std::optional<Frame>();
  if (extended > 0) {
    length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | byte(head + i);
    head += extended;
  }
  if (length > kFrameBytesMax) return Error{ErrorCode::kLimit, "a frame is too large"};
  if (pending_.size() < head + length) return std::optional<Frame>();
  Frame frame{static_cast<std::uint8_t>(byte(0) & 0x0f), pending_.substr(head, length)};
  pending_.erase(0, head + length);
  return std::optional<Frame>(std::move(frame));
}

std::string client_frame(std::uint8_t opcode, std::string_view payload) {
  payload = payload.substr(0, 125);
  std::string out{static_cast<char>(0x80 | opcode), static_cast<char>(0x80 | payload.size())};
  unsigned char mask[4] = {1, 2, 3, 4};
  (void)::RAND_bytes(mask, sizeof mask);
  out.append(reinterpret_cast<const char*>(mask), sizeof mask);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(payload[i] ^ static_cast<char>(mask[i & 3]));
  }
  return out;
}

}  // namespace hearth::cli
