// The thread that waits for the disk so that JavaScript does not. Commits that wait are made
// durable together: whatever was asked for when a pass begins is done in it, and several commits of
// one database share one fdatasync. Checkpoints and closing, which wait for the disk too, are its
// other work, closing a few in each pass so that no commit waits behind many. `request`,
// `checkpoint`, `close`, `take_finished` and `wait_*` are for the owner's thread; `wake` is called
// on the syncer's own.
//
// Connections are shared with their owner because a database may be dropped while the syncer is at
// work on it. The queue is bounded by the number of open databases (one entry for each at most)
// plus those that are closing.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "storage/connection.h"
#include "storage/fan_out.h"

namespace hearth::storage {

class Syncer {
 public:
  struct Finished {
    std::uint64_t key = 0;
    std::uint64_t sequence = 0;  // commits up to this one
    Status status;
  };

  explicit Syncer(std::function<void()> wake);
  ~Syncer();  // finishes what was asked for
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // Commits up to `sequence` are to be made durable. Begins at the next `kick`, so that a turn's
  // commits begin together.
  void request(const std::shared_ptr<Connection>& connection, std::uint64_t key,
               std::uint64_t sequence);
  void kick();
  void checkpoint(const std::shared_ptr<Connection>& connection);
  // Does what `archive_due` was about.
  void archive(const std::shared_ptr<Connection>& connection);
  // Calls `work` here, between syncs and before closes, and hands what it returns to the owner's
  // thread, to be called there.
  using Answer = std::function<void()>;
  void ask(std::function<Answer()> work);
  // Takes the connection: no statement of it is alive any more.
  void close(std::shared_ptr<Connection> connection);

  std::vector<Finished> take_finished();
  std::vector<Answer> take_answers();
  // Waits until nothing is asked for any more, `close` included.
  void wait_idle();
  // Waits until the file is not being closed by this thread.
  void wait_closed(const std::string& path);

 private:
  struct Sync {
    std::shared_ptr<Connection> connection;
    std::uint64_t key = 0;
    std::uint64_t sequence = 0;
    std::uint64_t commits = 0;  // how many share this sync
  };

  // How long to wait for more commits before a pass. Those who were answered together ask again
  // within moments of each other: on a slow disk a pass that starts at the first of them makes all
  // the others wait for two. A lone writer never waits.
  std::chrono::microseconds gathering_time() const;
  void run();
  void sync_all(const std::vector<Sync>& syncs);
  void finish(const Sync& sync, Status status);
  // What is to be done in one pass, in this order.
  struct Work {
    std::vector<Sync> syncs;
    std::vector<std::function<Answer()>> asks;
    std::vector<std::shared_ptr<Connection>> archives;
    std::vector<std::shared_ptr<Connection>> checkpoints;
    std::vector<std::shared_ptr<Connection>> closes;

    bool empty() const {
      return syncs.empty() && asks.empty() && archives.empty() && checkpoints.empty() &&
             closes.empty();
    }
  };
  void pass(Work work);

  std::function<void()> wake_;
  FanOut fan_out_;              // the syncer's thread's
  std::vector<Sync> gathered_;  // the owner's thread's, until `kick`

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  Work queue_;
  std::vector<Answer> answers_;
  std::set<std::string> closing_;
  std::vector<Finished> finished_;
  std::uint64_t last_commits_ = 0;  // of the last pass, and how long it took
  std::chrono::microseconds last_duration_{0};
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hearth::storage
