#include "admin/responder.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "admin/exchange.h"

namespace hearth::admin {

using namespace std::string_view_literals;

namespace {
constexpr auto kJsonHeaders =
    "Content-Type\0application/json\0Cache-Control\0no-store\0Hearth-Version\0" HEARTH_VERSION
    "\0"sv;
}

std::string error_json(std::string_view code, std::string_view message, std::string_view fix) {
  nlohmann::ordered_json error;
  if (!code.empty()) error["code"] = code;
  error["message"] = message;
  if (!fix.empty()) error["fix"] = fix;
  return nlohmann::ordered_json{{"error", error}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// ---- the exchange

Exchange::~Exchange() {
  on_gone = nullptr;
  if (state_ == State::kStreaming) end();
  answer(500, error_json("", "the request was not answered: this is a fault of hearth's", ""));
}

void Exchange::leave() {
  server_ = nullptr;
  if (const auto action = std::exchange(on_gone, nullptr)) action();
}

void Exchange::answer(std::uint16_t status, std::string_view json) {
  if (server_ == nullptr || state_ != State::kWaiting) return;
  state_ = State::kDone;
  on_gone = nullptr;
  std::string body(json);
  if (!body.ends_with('\n')) body += '\n';
  std::exchange(server_, nullptr)->respond(id_, status, {}, kJsonHeaders, body);
}

bool Exchange::stream(std::string_view content_type) {
  if (server_ == nullptr || state_ != State::kWaiting) return false;
  state_ = State::kStreaming;
  std::string headers("Content-Type\0"sv);
  headers.append(content_type).push_back('\0');
  headers += "Cache-Control\0no-store\0Hearth-Version\0" HEARTH_VERSION "\0"sv;
  server_->respond_streamed(id_, 200, {}, headers);
  return true;
}

bool Exchange::write(std::string_view data) {
  if (server_ == nullptr || state_ != State::kStreaming) return false;
  if (behind_ + data.size() > kStreamBytesMax) return false;
  behind_ += data.size();
  server_->respond_data(id_, data);
  return true;
}

void Exchange::end() {
  if (server_ == nullptr || state_ != State::kStreaming) return;
  state_ = State::kDone;
  on_gone = nullptr;
  std::exchange(server_, nullptr)->respond_end(id_);
}

// ---- the handle

void Responder::answer(std::uint16_t status, std::string_view json) const {
  exchange_->answer(status, json);
}

void Responder::fail(std::uint16_t status, std::string_view code, std::string_view message,
                     std::string_view fix) const {
  exchange_->answer(status, error_json(code, message, fix));
}

void Responder::fail(const Error& error) const {
  std::uint16_t status = 500;
  if (error.code == ErrorCode::kInvalid) status = 400;
  if (error.code == ErrorCode::kNotFound) status = 404;
  if (error.code == ErrorCode::kConflict) status = 409;
  if (error.code == ErrorCode::kLimit) status = 413;
  fail(status, "", error.message);
}

bool Responder::stream(std::string_view content_type) const {
  return exchange_->stream(content_type);
}
bool Responder::write(std::string_view data) const {
  return exchange_->write(data);
}
void Responder::end() const {
  exchange_->end();
}
bool Responder::gone() const {
  return exchange_->gone();
}
void Responder::on_gone(std::function<void()> action) const {
  exchange_->on_gone = std::move(action);
}

}  // namespace hearth::admin
