// The admin interface's POST /_hearth/rehearse[?agents=N][&seconds=S]: a package (server/package.h)
// is started on copies of agents (server/rehearsal.h), of each class the N that were written last,
// and the answer says how each went. Nothing of it is kept, and nothing that serves is touched. One
// at a time; what it needs lies in <state>/rehearsal until it is over. Loop thread, with a thread
// of its own for the disk.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "admin/server.h"
#include "core/engine.h"
#include "core/registry.h"
#include "os/world.h"
#include "server/deployer.h"
#include "worker/node_launcher.h"

namespace hearth::server {

// What a server that was killed left of one; before the state is served.
void remove_rehearsal(const std::filesystem::path& state);

class RehearseApi {
 public:
  struct Parts {
    boost::asio::io_context& loop;
    os::World world;
    core::Engine& engine;
    core::Registry& registry;
    Deployer& deployer;
    worker::NodeLauncher launcher;
    std::filesystem::path state;
  };
  // `refusal`: why this server rehearses nothing; empty: it does.
  RehearseApi(Parts parts, std::string refusal);
  ~RehearseApi();
  void add_routes(admin::Server& server);

 private:
  struct Job;

  void begin(const admin::Request& request, const admin::Responder& responder);
  void unpacked();
  void copy();
  void copy_from_disk();
  void rehearse();
  void tell();
  // Off the loop; then `after` on it, unless the job is over by then.
  void beside(std::function<void()> work, void (RehearseApi::*after)());
  void refuse(std::uint16_t status, const std::string& text, std::string_view code = {},
              std::string_view fix = {});
  void end();

  Parts parts_;
  const std::string refusal_;
  std::shared_ptr<Job> job_;  // shared with its work on the other thread
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  boost::asio::thread_pool beside_{1};  // last: it ends before what its work uses
};

}  // namespace hearth::server
