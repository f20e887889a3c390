#include "admin/server.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "admin/exchange.h"
#include "net/http_head.h"
#include "net/http_response.h"

namespace hearth::admin {

using namespace std::string_view_literals;

namespace {

constexpr std::uint32_t kStopMs = 500;
constexpr auto kRefusedHeaders =
    "Content-Type\0application/json\0Hearth-Version\0" HEARTH_VERSION "\0"sv;
constexpr auto kUnauthorizedHeaders =
    "Content-Type\0application/json\0Hearth-Version\0" HEARTH_VERSION
    "\0WWW-Authenticate\0Bearer realm=\"hearth\"\0"sv;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (escape) {
      decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

// Calls `use(name, value)` for each field of a query, until it returns true.
template <typename Use>
bool find_field(std::string_view query, Use&& use) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (use(percent_decoded(pair.substr(0, equals)), value)) return true;
  }
  return false;
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       "-._~"sv.find(c) != std::string_view::npos;
    if (plain) {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

std::string Request::field(std::string_view name) const {
  std::string found;
  find_field(query, [&](const std::string& each, std::string_view value) {
    if (each == name) found = percent_decoded(value);
    return each == name;
  });
  return found;
}

bool Request::has_field(std::string_view name) const {
  return find_field(query, [&](const std::string& each, std::string_view) { return each == name; });
}

std::string_view Request::header(std::string_view name) const {
  std::string_view found;
  net::for_each_header(headers, [&](std::string_view each, std::string_view value) {
    if (net::equals_ignoring_case(each, name)) found = value;
  });
  return found;
}

// One address: its network server, and the requests that are being read or answered there.
class Listener final : public net::ServerEvents {
 public:
  Listener(Server& owner, boost::asio::io_context& loop, net::ServerOptions options, Guard guard)
      : owner_(owner), guard_(std::move(guard)) {
    options.websocket_compression = false;
    network_ = net::make_server(loop, std::move(options), *this);
  }
  ~Listener() override {
    leave_all();
    network_.reset();
  }

  Status start() { return network_->start(); }
  std::uint16_t port() const { return network_->port(); }
  void stop() {
    for (auto& [id, weak] : std::exchange(open_, {})) {
      if (const auto exchange = weak.lock()) {
        exchange->end();
        if (!exchange->gone()) open_.emplace(id, weak);
      }
    }
    network_->stop(1001, "hearth is shutting down", kStopMs, [] {});
  }

  void on_request(const net::Request& request) override;
  void on_body(RequestId id, std::string_view data) override;
  void on_body_end(RequestId id) override;
  void on_request_gone(RequestId id, std::string_view) override {
    drop_gathering(id);
    const auto found = open_.find(id.value);
    if (found == open_.end()) return;
    const auto exchange = found->second.lock();
    open_.erase(found);
    if (exchange) exchange->leave();
  }
  void on_response_taken(RequestId id, std::uint32_t bytes) override {
    const auto found = open_.find(id.value);
    const auto exchange = found == open_.end() ? nullptr : found->second.lock();
    if (exchange) exchange->taken(bytes);
  }
  void on_message(net::SocketId, net::MessageKind, std::string_view) override {}
  void on_socket_closed(net::SocketId, std::uint16_t, std::string_view, bool) override {}

 private:
  struct Gathering {
    const Route* route = nullptr;
    Request request;
  };

  void refuse(RequestId id, std::uint16_t status, std::string_view message) {
    network_->respond(id, status, {}, status == 401 ? kUnauthorizedHeaders : kRefusedHeaders,
                      error_json("", message, "") + "\n");
  }
  bool take(RequestId id, Gathering& gathering, std::string_view data);
  void drop_gathering(RequestId id) {
    const auto found = gathering_.find(id.value);
    if (found == gathering_.end()) return;
    gathered_bytes_ -= found->second.request.body.size();
    gathering_.erase(found);
  }
  void handle(RequestId id, const Route& route, const Request& request);
  void leave_all() {
    for (auto& [id, weak] : std::exchange(open_, {})) {
      if (const auto exchange = weak.lock()) exchange->leave();
    }
  }

  Server& owner_;
  const Guard guard_;
  std::unique_ptr<net::Server> network_;
  std::unordered_map<std::uint64_t, Gathering> gathering_;
  std::size_t gathered_bytes_ = 0;
  // Weak: an exchange that all its responders have let go answers for itself.
  std::unordered_map<std::uint64_t, std::weak_ptr<Exchange>> open_;
};

void Listener::on_request(const net::Request& request) {
  if (const std::optional<Refusal> refusal = guard_.refuse(request)) {
    return refuse(request.id, refusal->status, refusal->message);
  }
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const Route* route = owner_.find(request.method, path);
  if (route == nullptr) {
    if (request.method == "GET" && (path == "/" || path == "/_hearth")) {
      network_->respond(request.id, 200, {}, kRefusedHeaders, owner_.listing() + "\n");
      return;
    }
    return refuse(request.id, 404,
                  std::string(request.method) + " " + std::string(path) +
                      " is not served by this hearth (" HEARTH_VERSION
                      "); GET /_hearth lists what is");
  }
  std::erase_if(open_, [](const auto& each) { return each.second.expired(); });
  if (open_.size() + gathering_.size() >= kExchangesMax) {
    return refuse(request.id, 503, "too many requests are being answered");
  }
  Gathering gathering{route, {}};
  gathering.request.method = request.method;
  gathering.request.path = path;
  if (path.size() < request.target.size()) {
    gathering.request.query = request.target.substr(path.size() + 1);
  }
  gathering.request.headers = request.headers;
  gathering.request.local = guard_.is_local();
  if (!take(request.id, gathering, request.body)) return;
  if (request.body_complete || !request.has_body) {
    gathered_bytes_ -= gathering.request.body.size();
    return handle(request.id, *route, gathering.request);
  }
  gathering_.emplace(request.id.value, std::move(gathering));
  network_->body_credit(request.id, static_cast<std::uint32_t>(request.body.size()));
}

// False: it is too much, and refused.
bool Listener::take(RequestId id, Gathering& gathering, std::string_view data) {
  std::string& body = gathering.request.body;
  if (body.size() + data.size() > gathering.route->body_bytes_max) {
    refuse(id, 413,
           "the body is larger than the " + std::to_string(gathering.route->body_bytes_max) +
               " bytes that " + gathering.request.path + " takes");
    return false;
  }
  if (gathered_bytes_ + data.size() > kGatheredBytesMax) {
    refuse(id, 503, "too many large requests at once");
    return false;
  }
  gathered_bytes_ += data.size();
  body.append(data);
  return true;
}

void Listener::on_body(RequestId id, std::string_view data) {
  const auto found = gathering_.find(id.value);
  if (found == gathering_.end()) return;
  if (!take(id, found->second, data)) return drop_gathering(id);
  network_->body_credit(id, static_cast<std::uint32_t>(data.size()));
}

void Listener::on_body_end(RequestId id) {
  const auto found = gathering_.find(id.value);
  if (found == gathering_.end()) return;
  const Gathering gathering = std::move(found->second);
  gathered_bytes_ -= gathering.request.body.size();
  gathering_.erase(found);
  handle(id, *gathering.route, gathering.request);
}

void Listener::handle(RequestId id, const Route& route, const Request& request) {
  auto exchange = std::make_shared<Exchange>(*network_, id);
  open_[id.value] = exchange;
  Responder responder(std::move(exchange));
  route.handle(request, std::move(responder));
}

// ---- the server

Server::Server(boost::asio::io_context& loop) : loop_(loop) {}
Server::~Server() = default;

void Server::add(Route route) {
  ASSERT(find(route.method, route.path) == nullptr, "a route is added once");
  routes_.push_back(std::move(route));
}

const Route* Server::find(std::string_view method, std::string_view path) const {
  const auto found = std::find_if(routes_.begin(), routes_.end(), [&](const Route& route) {
    return route.path == path && (route.method == method);
  });
  return found == routes_.end() ? nullptr : &*found;
}

std::string Server::listing() const {
  nlohmann::ordered_json json{{"hearth", HEARTH_VERSION}};
  json["routes"] = nlohmann::ordered_json::array();
  for (const Route& route : routes_) {
    json["routes"].push_back(
        {{"method", route.method}, {"path", route.path}, {"what", route.what}});
  }
  return json.dump(2);
}

Status Server::listen_unix(const std::filesystem::path& state) {
  net::ServerOptions options;
  options.unix_path = state / kSocketName;
  options.request_body_bytes_max = kGatheredBytesMax;
  auto listener = std::make_unique<Listener>(*this, loop_, options, Guard::local());
  if (Status status = listener->start(); !status) return status;
  unix_ = std::move(listener);
  return {};
}

Status Server::listen_tcp(const Endpoint& endpoint, const std::string& token) {
  if (token.empty() && !is_loopback(endpoint.ip)) {
    return Error{ErrorCode::kInvalid,
                 "--admin " + endpoint.ip +
                     ": whoever reaches this address could replace the code; give a token, with "
                     "HEARTH_ADMIN_TOKEN or --admin-token, or listen on 127.0.0.1"};
  }
  net::ServerOptions options;
  options.address = endpoint.ip;
  options.port = endpoint.port;
  options.request_body_bytes_max = kGatheredBytesMax;
  auto listener = std::make_unique<Listener>(*this, loop_, options, Guard::network(token));
  if (Status status = listener->start(); !status) return status;
  tcp_ = std::move(listener);
  return {};
}

std::uint16_t Server::port() const {
  return tcp_ ? tcp_->port() : 0;
}

void Server::stop() {
  for (Listener* each : {unix_.get(), tcp_.get()}) {
    if (each != nullptr) each->stop();
  }
}

}  // namespace hearth::admin
