// Handover over a hub: what connections are, in and out. The listener is its server's. Loop thread;
// owned by the server.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "net/handover.h"
#include "net/hub.h"

namespace hearth::net {

class HubHandover final : public Handover {
 public:
  struct Listener {
    std::function<int()> descriptor;
    std::function<Status(int)> adopt;
    std::function<void(bool)> watch;
  };
  HubHandover(Hub& hub, Listener listener) : hub_(hub), listener_(std::move(listener)) {}

  void hold(bool held) override;
  int listener() const override { return listener_.descriptor(); }
  void show(const Show& show) override;
  void let_go() override;
  Status adopt_listener(int descriptor) override { return listener_.adopt(descriptor); }
  SocketId adopt(int descriptor, ConnectionState state) override;

 private:
  Hub& hub_;
  Listener listener_;
  std::vector<std::uint32_t> taken_;  // slots
};

}  // namespace hearth::net
