#include "admin/channel.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "net/unix_socket.h"

namespace hearth::admin {

namespace {

void limit_waits(int fd, std::uint32_t timeout_ms) {
  timeval limit{};
  limit.tv_sec = timeout_ms / 1000;
  limit.tv_usec = static_cast<suseconds_t>(timeout_ms % 1000) * 1000;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Error broken(const char* what) {
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    return {ErrorCode::kCancelled, "the server did not answer in time"};
  }
  return {ErrorCode::kIo, std::string(what) + " the server: " + std::strerror(errno)};
}

class PlainChannel final : public Channel {
 public:
  explicit PlainChannel(int fd) : fd_(fd) {}
  ~PlainChannel() override { ::close(fd_); }

  Status write(std::string_view data) override {
    while (!data.empty()) {
      const ssize_t sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      // It may have answered already and closed for more: the answer is still to be read.
      if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
      if (sent < 0) return broken("writing to");
      data.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<std::size_t> read(char* into, std::size_t room) override {
    for (;;) {
      const ssize_t count = ::recv(fd_, into, room, 0);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return broken("reading from");
    }
  }

 private:
  const int fd_;
};

struct FreeTls {
  void operator()(SSL* tls) const { SSL_free(tls); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

class TlsChannel final : public Channel {
 public:
  explicit TlsChannel(int fd) : fd_(fd) {}
  ~TlsChannel() override {
    tls_.reset();
    ::close(fd_);
  }

  Status begin(const std::string& host) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!context_ || SSL_CTX_set_default_verify_paths(context_.get()) != 1)
      return fault("starting");
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    tls_.reset(SSL_new(context_.get()));
    const bool ready = tls_ && SSL_set_fd(tls_.get(), fd_) == 1 && name_server(host) &&
                       SSL_set1_host(tls_.get(), host.c_str()) == 1;
    if (!ready || SSL_connect(tls_.get()) != 1) return fault("the handshake with " + host);
    return {};
  }

  Status write(std::string_view data) override {
    std::size_t sent = 0;
    if (data.empty() || SSL_write_ex(tls_.get(), data.data(), data.size(), &sent) == 1) return {};
    return fault("writing");
  }

  Result<std::size_t> read(char* into, std::size_t room) override {
    std::size_t count = 0;
    if (SSL_read_ex(tls_.get(), into, room, &count) == 1) return count;
    if (SSL_get_error(tls_.get(), 0) == SSL_ERROR_ZERO_RETURN) return std::size_t{0};
    return fault("reading").error();
  }

 private:
  Status fault(const std::string& what) const {
    if (errno == EAGAIN) return broken("reading from");
    char text[256] = "the connection ended";
    if (const unsigned long code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
    const long verdict = tls_ ? SSL_get_verify_result(tls_.get()) : X509_V_OK;
    return Error{ErrorCode::kIo,
                 "TLS: " + what + ": " +
                     (verdict == X509_V_OK ? text : X509_verify_cert_error_string(verdict))};
  }

  // SSL_set_tlsext_host_name, without the cast of its macro.
  bool name_server(std::string host) {
    return SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    host.data()) == 1;
  }

  const int fd_;
  std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::unique_ptr<SSL, FreeTls> tls_;
};

Result<int> connect_tcp(const std::string& host, const std::string& port,
                        std::uint32_t timeout_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int fault = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); fault != 0) {
    return Error{ErrorCode::kNotFound, "the address of " + host + ": " + ::gai_strerror(fault)};
  }
  int fd = -1;
  for (const addrinfo* each = found; each != nullptr && fd < 0; each = each->ai_next) {
    fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    limit_waits(fd, timeout_ms);
    if (::connect(fd, each->ai_addr, each->ai_addrlen) == 0) break;
    const int why = errno;
    ::close(std::exchange(fd, -1));
    errno = why;
  }
  const int why = errno;
  ::freeaddrinfo(found);
  if (fd >= 0) return fd;
  return Error{ErrorCode::kNotFound, "connecting to " + host + " port " + port + ": " +
                                         (why == EINPROGRESS ? "no answer" : std::strerror(why))};
}

}  // namespace

Result<std::unique_ptr<Channel>> open_unix_channel(const std::filesystem::path& path,
                                                   std::uint32_t timeout_ms) {
  const Result<int> fd = net::connect_unix(path);
  if (!fd) return fd.error();
  limit_waits(*fd, timeout_ms);
  return std::unique_ptr<Channel>(std::make_unique<PlainChannel>(*fd));
}

Result<std::unique_ptr<Channel>> open_tcp_channel(const std::string& host, const std::string& port,
                                                  bool secure, std::uint32_t timeout_ms) {
  const Result<int> fd = connect_tcp(host, port, timeout_ms);
  if (!fd) return fd.error();
  if (!secure) return std::unique_ptr<Channel>(std::make_unique<PlainChannel>(*fd));
  auto channel = std::make_unique<TlsChannel>(*fd);
  if (Status status = channel->begin(host); !status) return status.error();
  return std::unique_ptr<Channel>(std::move(channel));
}

}  // namespace hearth::admin
