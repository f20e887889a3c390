#include "cli/doctor_url.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/probe.h"
#include "net/websocket_handshake.h"
#include "project/catalogue.h"

namespace hearth::cli {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using project::Weight;

constexpr std::size_t kRoutesMax = 20;
constexpr std::uint32_t kGreetingMs = 1'500;
constexpr std::uint8_t kText = 1;
constexpr std::uint8_t kClose = 8;
constexpr std::uint8_t kPing = 9;
constexpr std::uint8_t kPong = 10;
constexpr const char* kStranger = "https://elsewhere.example";

std::string random_key() {
  unsigned char bytes[16] = {};
  (void)::RAND_bytes(bytes, sizeof bytes);
  unsigned char text[32];
  const int size = ::EVP_EncodeBlock(text, bytes, sizeof bytes);
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

std::string first_line(std::string_view text) {
  constexpr std::size_t kQuotedMax = 300;
  return std::string(text.substr(0, std::min(text.find_first_of("\r\n"), kQuotedMax)));
}

std::string text_at(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// {"error":{"code","message"}} or {"error":"…","code":"…"}, as hearth answers. Another server's
// JSON may have anything there, such as a number for a code.
struct Told {
  std::string code;
  std::string message;
};
std::optional<Told> told_in(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("error")) return std::nullopt;
  const Json& error = json["error"];
  const Json& from = error.is_object() ? error : json;
  Told told;
  told.code = text_at(from, "code");
  told.message = error.is_object() ? text_at(error, "message") : text_at(json, "error");
  if (told.code.empty()) return std::nullopt;
  return told;
}

// How a handshake went.
struct Visit {
  std::unique_ptr<Wire> wire;  // open, when the socket is
  Frames frames;
  HttpAnswer answer;
  std::string error;             // no answer at all
  std::optional<Told> told;      // the server's own words
  std::uint16_t close_code = 0;  // the socket was closed at once
  std::string close_reason;
  bool right_key = true;
  bool open() const { return wire != nullptr; }
};

class Outside {
 public:
  Outside(const OutsideRequest& request, Url url) : request_(request), url_(std::move(url)) {}

  OutsideView run() {
    if (!reach()) return std::move(view_);
    const std::vector<std::string> paths = agent_paths();
    if (paths.empty()) {
      note("no configuration is here, so no route was tried: give the URL of an agent, such as " +
           url_.origin() + "/agents/my-agent/name");
      return std::move(view_);
    }
    std::string served;
    for (const std::string& path : paths) {
      if (try_route(path) && served.empty()) served = path;
    }
    if (served.empty()) return std::move(view_);
    try_host(served);
    try_origin(served);
    try_cors(served);
    if (request_.idle_s > 0) try_idle(served);
    return std::move(view_);
  }

 private:
  void note(std::string text) { view_.notes.push_back(std::move(text)); }
  void add(std::string_view code, std::string message, Weight weight = Weight::kFault) {
    view_.findings.push_back(
        {.code = std::string(code), .weight = weight, .message = std::move(message)});
  }
  std::string shown(const std::string& path) const { return url_.origin() + path; }

  std::string head(const std::string& method, const std::string& path,
                   const std::string& more) const {
    return method + " " + (path.empty() ? "/" : path) + " HTTP/1.1\r\nHost: " + url_.authority() +
           "\r\nUser-Agent: hearth-doctor\r\n" + more + "\r\n";
  }

  Result<HttpAnswer> plain(const std::string& method, const std::string& path,
                           const std::string& more = {}) {
    auto wire = Wire::open(url_, request_.timeout_ms);
    if (!wire) return wire.error();
    return ask(**wire, head(method, path, "Connection: close\r\n" + more), request_.timeout_ms);
  }

  // Whether the port speaks the other protocol: TLS where plain HTTP was asked for, or the reverse.
  bool speaks_other() const {
    Url other = url_;
    other.secure = !url_.secure;
    auto wire = Wire::open(other, request_.timeout_ms);
    return wire &&
           ask(**wire, head("GET", url_.path, "Connection: close\r\n"), request_.timeout_ms);
  }

  bool reach() {
    auto wire = Wire::open(url_, request_.timeout_ms);
    if (!wire && wire.error().code == ErrorCode::kInvalid) {
      add("P502",
          "TLS cannot be agreed on with " + url_.authority() + ": " + wire.error().message +
              (speaks_other() ? "; the port speaks plain HTTP: write http:// or ws://" : ""));
      return false;
    }
    if (!wire) {
      add("P501", wire.error().message);
      return false;
    }
    const std::string problem = (*wire)->certificate_problem();
    if (!problem.empty()) {
      add("P502", "browsers refuse the certificate of " + url_.authority() + ": " + problem);
    }
    const auto answer =
        ask(**wire, head("GET", url_.path, "Connection: close\r\n"), request_.timeout_ms);
    if (!answer) {
      const bool other = !url_.secure && speaks_other();
      add("P503", shown(url_.path) + ": " + answer.error().message +
                      (other ? "; the port speaks TLS: write https:// or wss://" : ""));
      return false;
    }
    // Go's servers and nginx answer those who come without TLS.
    if (answer->status == 400 && !url_.secure && speaks_other()) {
      add("P503",
          shown(url_.path) +
              " is answered 400 without TLS, and the port speaks TLS: write https:// or wss://");
      return false;
    }
    const std::string_view server = answer->header("server");
    note(shown(url_.path) + " answers " + std::to_string(answer->status) +
         (server.empty() ? "" : " (" + std::string(server) + ")"));
    tell_redirect(*answer, url_.path);
    return true;
  }

  bool tell_redirect(const HttpAnswer& answer, const std::string& path) {
    const std::string_view to = answer.header("location");
    if (answer.status < 300 || answer.status > 399 || to.empty()) return false;
    const std::string text = shown(path) + " is redirected to " + first_line(to);
    const bool known = std::any_of(view_.findings.begin(), view_.findings.end(),
                                   [](const auto& each) { return each.code == "P511"; });
    if (!known) add("P511", text + ", and WebSocket clients follow no redirect: use that address");
    return true;
  }

  std::vector<std::string> agent_paths() const {
    constexpr std::string_view kPrefix = "/agents/";
    // The URL of one agent: that one.
    const std::size_t at = url_.path.find(kPrefix);
    if (at != std::string::npos && url_.path.find('/', at + kPrefix.size()) != std::string::npos) {
      return {url_.path};
    }
    std::vector<std::string> out;
    for (const std::string& segment : request_.segments) {
      if (out.size() < kRoutesMax) {
        out.push_back(url_.path + std::string(kPrefix) + segment + "/hearth-doctor");
      }
    }
    return out;
  }

  // Opens a WebSocket as the SDK's client does, and listens a moment for what comes at once.
  Visit visit(const std::string& path, const std::string& origin = {}) {
    Visit out;
    auto wire = Wire::open(url_, request_.timeout_ms);
    if (!wire) {
      out.error = wire.error().message;
      return out;
    }
    const std::string key = random_key();
    const auto answer =
        ask(**wire,
            head("GET", path + "?_pk=hearth-doctor",
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                     key + "\r\n" + (origin.empty() ? "" : "Origin: " + origin + "\r\n")),
            request_.timeout_ms);
    if (!answer) {
      out.error = answer.error().message;
      return out;
    }
    out.answer = *answer;
    if (answer->status != 101) {
      out.told = told_in(answer->body);
      return out;
    }
    out.right_key = answer->header("sec-websocket-accept") == net::websocket_accept(key);
    out.frames.feed(answer->rest);
    out.wire = std::move(*wire);
    listen(out, kGreetingMs);
    return out;
  }

  // Reads frames for so long, or until the SDK's greeting or a close.
  void listen(Visit& visit, std::uint32_t ms) {
    const auto end = Clock::now() + std::chrono::milliseconds(ms);
    for (;;) {
      const auto frame = visit.frames.next();
      if (!frame) return close_visit(visit, 1002, frame.error().message);
      if (*frame) {
        if (take(visit, **frame)) return;
        continue;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left <= 0) return;
      auto more = visit.wire->read(static_cast<std::uint32_t>(left));
      if (!more && more.error().code == ErrorCode::kLimit) return;
      if (!more || more->empty()) return close_visit(visit, 1006, "without a close frame");
      visit.frames.feed(*more);
    }
  }

  // True when there is nothing more to wait for.
  bool take(Visit& visit, const Frame& frame) {
    if (frame.opcode == kPing) {
      ++pings_;
      (void)visit.wire->write(client_frame(kPong, frame.payload), request_.timeout_ms);
      return false;
    }
    if (frame.opcode == kText) {
      if (auto told = told_in(frame.payload)) visit.told = std::move(told);
      return !holding_ && frame.payload.find("cf_agent_identity") != std::string::npos;
    }
    if (frame.opcode != kClose) return false;
    std::uint16_t code = 1005;
    if (frame.payload.size() >= 2) {
      code = static_cast<std::uint16_t>(static_cast<std::uint8_t>(frame.payload[0]) << 8 |
                                        static_cast<std::uint8_t>(frame.payload[1]));
    }
    close_visit(visit, code, frame.payload.size() > 2 ? frame.payload.substr(2) : "");
    return true;
  }

  static void close_visit(Visit& visit, std::uint16_t code, std::string reason) {
    visit.wire.reset();
    visit.close_code = code;
    visit.close_reason = std::move(reason);
  }

  void leave(Visit& visit) {
    if (visit.open()) {
      (void)visit.wire->write(client_frame(kClose, std::string_view("\x03\xe8", 2)),
                              request_.timeout_ms);
    }
  }

  bool try_route(const std::string& path) {
    Visit seen = visit(path);
    if (!seen.error.empty()) {
      add("P506", "the WebSocket handshake to " + shown(path) + " got no answer: " + seen.error);
      return false;
    }
    if (seen.answer.status != 101) return tell_refusal(path, seen), false;
    if (!seen.right_key) {
      add("P507", shown(path) +
                      " answers 101 with a Sec-WebSocket-Accept that is not of this "
                      "handshake");
      return false;
    }
    if (seen.close_code != 0) return tell_closed(path, seen), false;
    note(shown(path) + " opens a WebSocket");
    leave(seen);
    return true;
  }

  // Answered by something else than 101.
  void tell_refusal(const std::string& path, const Visit& seen) {
    if (tell_redirect(seen.answer, path)) return;
    const std::string status = std::to_string(seen.answer.status);
    if (seen.told && seen.told->code == "R410") {
      const bool old = seen.told->message.find("HTTP/1.0") != std::string::npos;
      const bool lost = seen.told->message.find("without Upgrade") != std::string::npos;
      if (old || lost || seen.told->message.find("Connection: Upgrade") != std::string::npos) {
        return add(old ? "P505" : "P504", shown(path) + ": " + seen.told->message);
      }
    }
    if (seen.told && project::find_diagnostic(seen.told->code) != nullptr) {
      return add(seen.told->code, shown(path) + ": " + seen.told->message);
    }
    const auto without = plain("GET", path);
    const bool as_plain =
        without && without->status == seen.answer.status && without->body == seen.answer.body;
    const std::string words = first_line(seen.answer.body);
    add(as_plain ? "P504" : "P506",
        "the WebSocket handshake to " + shown(path) + " is answered " + status +
            (as_plain ? ", as a plain request is: what stands before the server does not pass on "
                        "the header Upgrade, or the path leads elsewhere"
                      : " instead of 101") +
            (words.empty() || words.starts_with('<') ? "" : ": " + words));
  }

  // Opened, and closed again at once.
  void tell_closed(const std::string& path, const Visit& seen) {
    const bool known = seen.told && project::find_diagnostic(seen.told->code) != nullptr;
    add(known ? seen.told->code : "P506",
        shown(path) + " is closed with " + std::to_string(seen.close_code) +
            (seen.close_reason.empty() ? "" : " " + seen.close_reason) +
            (known && seen.told->message.find(seen.close_reason) == std::string::npos
                 ? ": " + seen.told->message
                 : ""));
  }

  static bool refused_for_origin(const Visit& seen) {
    return seen.told && seen.told->code == "R410" &&
           seen.told->message.find("Origin") != std::string::npos;
  }

  // A page that this very server sends has its origin: refused, the server takes itself for
  // another.
  void try_host(const std::string& path) {
    Visit seen = visit(path, url_.origin());
    if (refused_for_origin(seen)) {
      add("P509", "a page of " + url_.origin() +
                      " itself is refused: the server was told another Host than " +
                      url_.authority());
    }
    leave(seen);
  }

  void try_origin(const std::string& path) {
    if (request_.origin.empty()) return;
    Visit seen = visit(path, request_.origin);
    if (seen.open()) {
      note("a page of " + request_.origin + " may open a WebSocket");
    } else {
      add("P510", "a page of " + request_.origin + " may open no WebSocket to " + shown(path) +
                      (seen.told ? ": " + seen.told->message : ""));
    }
    leave(seen);
  }

  void try_cors(const std::string& path) {
    const std::string origin = request_.origin.empty() ? kStranger : request_.origin;
    const auto preflight =
        plain("OPTIONS", path, "Origin: " + origin + "\r\nAccess-Control-Request-Method: POST\r\n");
    if (!preflight) return;
    const std::string_view allowed = preflight->header("access-control-allow-origin");
    const bool good = preflight->status < 300 && (allowed == "*" || allowed == origin);
    const std::string page =
        request_.origin.empty() ? "pages of other origins" : "a page of " + origin;
    if (good) return note(page + " may read what the agents answer over HTTP (CORS)");
    const std::string text =
        page +
        " cannot read what the agents answer over HTTP: the preflight is "
        "answered " +
        std::to_string(preflight->status) +
        (allowed.empty() ? " without Access-Control-Allow-Origin" : " for " + std::string(allowed));
    if (request_.origin.empty()) return note(text + " (CORS; that may be meant so)");
    add("P510", text, Weight::kWarning);
  }

  void try_idle(const std::string& path) {
    Visit seen = visit(path);
    if (!seen.open()) return;
    pings_ = 0;
    holding_ = true;
    const auto start = Clock::now();
    listen(seen, request_.idle_s * 1'000);
    holding_ = false;
    const auto held =
        std::chrono::round<std::chrono::seconds>(std::chrono::steady_clock::now() - start).count();
    if (seen.close_code != 0) {
      add("P508", "an idle WebSocket was cut after " + std::to_string(held) + " s with " +
                      std::to_string(seen.close_code) +
                      (seen.close_reason.empty() ? "" : " " + seen.close_reason) + ", after " +
                      std::to_string(pings_) + (pings_ == 1 ? " ping" : " pings"));
    } else {
      note("an idle WebSocket stayed open for " + std::to_string(held) + " s, with " +
           std::to_string(pings_) + (pings_ == 1 ? " ping" : " pings"));
    }
    leave(seen);
  }

  const OutsideRequest& request_;
  const Url url_;
  OutsideView view_;
  unsigned pings_ = 0;
  bool holding_ = false;  // greetings are no news
};

}  // namespace

OutsideView look_from_outside(const OutsideRequest& request) {
  const auto url = parse_url(request.url);
  if (url) return Outside(request, *url).run();
  OutsideView view;
  view.looked = false;
  view.notes.push_back(url.error().message);
  return view;
}

}  // namespace hearth::cli
