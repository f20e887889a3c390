// Puts another hearth in this one's place (SIGUSR2, `hearth upgrade`): starts it with this one's
// command line, goes on serving until it has loaded the configuration, built the code and warmed
// its hosts, then hands over the state directory, the listening socket and the clients
// (core/handover.h). If anything goes wrong before the other has said that it has all, this one
// goes on, and says why. Loop thread; owned by the App.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/handover.h"
#include "os/descriptor_channel.h"
#include "server/upgrade_status.h"

namespace hearth::server {

struct UpgradeParts {
  boost::asio::io_context& context;
  os::World world;
  core::Engine& engine;
  core::Registry& registry;
  net::Server& network;
  core::Report& report;
  std::filesystem::path state;
  std::vector<std::string> command_line;  // with the program's name
  // What else the state directory has of this process is let go of, or taken back.
  std::function<void()> let_go;
  std::function<void()> take_back;
};

class Upgrade {
 public:
  // `gone` runs once, when the clients are another's: what is left is to end.
  Upgrade(UpgradeParts parts, std::function<void()> gone);
  ~Upgrade();

  // Says why not, if not.
  void begin();
  // This process is to end: the other one, if it has not taken over, ends too.
  void cancel();
  bool done() const { return phase_ == Phase::kDone; }
  bool going_on() const { return phase_ != Phase::kIdle; }  // or done
  // Once done, what this process is asked for by a signal is the other one's to do.
  void pass_on(int signal);

 private:
  enum class Phase { kIdle, kStarting, kSettling, kLeaving, kFailing, kDone };

  std::filesystem::path program() const;
  Status start();
  void await_reply();
  void on_reply();
  void on_exit(os::ExitStatus status);
  void move();
  Status hand_over();
  void finish();
  void fail(const std::string& why);
  void tell(std::string phase, const std::string& message);

  UpgradeParts parts_;
  std::function<void()> gone_;
  std::filesystem::path given_program_;  // as it was named when this process began
  Phase phase_ = Phase::kIdle;
  bool state_let_go_ = false;  // by hand_over()
  UpgradeRequest request_;
  std::unique_ptr<core::EngineHandover> handover_;
  std::unique_ptr<os::Process> process_;
  std::optional<os::DescriptorChannel> channel_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> readable_;
  os::TimerId limit_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hearth::server
