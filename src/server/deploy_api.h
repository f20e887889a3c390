// The admin interface's routes about what is served:
//   POST /_hearth/deploy            a package (server/package.h): checked, switched to, settled
//   POST /_hearth/rollback[?id=ID]  a version that is kept; without an id the one before
//   GET  /_hearth/versions          those that are kept, the newest first
// An answer comes when the new code has taken over and stands, or when it has failed and the former
// goes on. Large packages are unpacked beside the event loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "admin/server.h"
#include "os/world.h"
#include "server/deployer.h"
#include "worker/versions.h"

namespace hearth::server {

class DeployApi {
 public:
  // `refusal`: why this server takes no deploys; empty: it does. `leaving`: whether another process
  // is about to take this one's place; who asks then is told to ask again (503).
  DeployApi(boost::asio::io_context& loop, const os::Clock& clock, Deployer& deployer,
            worker::VersionStore& versions, std::string refusal, std::function<bool()> leaving);
  ~DeployApi();
  void add_routes(admin::Server& server);
  // A build is being put into service, or waits for it.
  bool at_work() const { return unpacking_ || serving_ > 0 || !waiting_.empty(); }

 private:
  void deploy(const admin::Request& request, const admin::Responder& responder);
  void rollback(const admin::Request& request, const admin::Responder& responder);
  void list(const admin::Responder& responder) const;
  void unpacked(const Result<std::string>& version, const admin::Responder& responder);
  void serve(const std::string& version, Deployer::Purpose purpose,
             const std::vector<std::string>& confirmed, const admin::Responder& responder);
  void unpack_beside(const std::shared_ptr<std::string>& bytes, const admin::Responder& responder);
  void roll_back(const std::string& id, const admin::Responder& responder);
  void in_turn(const admin::Responder& responder, std::function<void()> turn);
  void next();

  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  const os::Clock& clock_;
  Deployer& deployer_;
  worker::VersionStore& versions_;
  const std::string refusal_;
  const std::function<bool()> leaving_;
  std::deque<std::function<void()>> waiting_;
  bool unpacking_ = false;
  unsigned serving_ = 0;  // by the deployer, not over yet
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  boost::asio::thread_pool beside_{1};  // last: it ends before what its work uses
};

}  // namespace hearth::server
