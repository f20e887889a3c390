// One admin request between its parts: the network that has the client, the responders that answer
// it. Of the room's own use. Loop thread.
#pragma once

#include <functional>
#include <string>

#include "net/server.h"

namespace hearth::admin {

class Exchange {
 public:
  Exchange(net::Server& server, RequestId id) : server_(&server), id_(id) {}
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void answer(std::uint16_t status, std::string_view json);
  bool stream(std::string_view content_type);
  bool write(std::string_view data);
  void end();
  bool gone() const { return server_ == nullptr; }

  void taken(std::uint32_t bytes) { behind_ -= bytes < behind_ ? bytes : behind_; }
  // The client has left, or the server goes: nothing more is said.
  void leave();

  std::function<void()> on_gone;

 private:
  enum class State { kWaiting, kStreaming, kDone };
  net::Server* server_;
  RequestId id_;
  State state_ = State::kWaiting;
  std::size_t behind_ = 0;  // written, not taken
};

// {"error":{"code","message","fix"}} without the fields that are empty.
std::string error_json(std::string_view code, std::string_view message, std::string_view fix);

}  // namespace hearth::admin
