#include "storage/syncer.h"

#include <algorithm>
#include <utility>

namespace hearth::storage {

Syncer::Syncer(std::function<void()> wake) : wake_(std::move(wake)), thread_([this] { run(); }) {}

Syncer::~Syncer() {
  kick();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void Syncer::request(const std::shared_ptr<Connection>& connection, std::uint64_t key,
                     std::uint64_t sequence) {
  for (Sync& each : gathered_) {
    if (each.key == key) {
      each.sequence = sequence;
      ++each.commits;
      return;
    }
  }
  gathered_.push_back({connection, key, sequence, 1});
}

void Syncer::kick() {
  if (gathered_.empty()) return;
  {
    std::lock_guard lock(mutex_);
    for (Sync& each : gathered_) {
      const auto waiting = std::find_if(syncs_.begin(), syncs_.end(),
                                        [&](const Sync& other) { return other.key == each.key; });
      if (waiting != syncs_.end()) {
        waiting->sequence = each.sequence;
        waiting->commits += each.commits;
      } else {
        syncs_.push_back(std::move(each));
      }
    }
  }
  gathered_.clear();
  work_.notify_one();
}

void Syncer::checkpoint(const std::shared_ptr<Connection>& connection) {
  {
    std::lock_guard lock(mutex_);
    if (std::find(checkpoints_.begin(), checkpoints_.end(), connection) != checkpoints_.end())
      return;
    checkpoints_.push_back(connection);
  }
  work_.notify_one();
}

void Syncer::close(std::shared_ptr<Connection> connection) {
  {
    std::lock_guard lock(mutex_);
    closing_.insert(connection->path());
    closes_.push_back(std::move(connection));
  }
  work_.notify_one();
}

std::vector<Syncer::Finished> Syncer::take_finished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

void Syncer::wait_idle() {
  kick();
  std::unique_lock lock(mutex_);
  idle_.wait(lock,
             [&] { return !busy_ && syncs_.empty() && checkpoints_.empty() && closes_.empty(); });
}

void Syncer::wait_closed(const std::string& path) {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return !closing_.contains(path); });
}

std::chrono::microseconds Syncer::gathering_time() const {
  constexpr std::chrono::microseconds kMax{1'000};
  if (last_commits_ < 2 || stopping_) return {};
  return std::min(last_duration_ / 8, kMax);
}

void Syncer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] {
      return stopping_ || !syncs_.empty() || !checkpoints_.empty() || !closes_.empty();
    });
    if (const auto wait = gathering_time(); wait.count() > 0 && !syncs_.empty()) {
      busy_ = true;
      lock.unlock();
      std::this_thread::sleep_for(wait);
      lock.lock();
    }
    auto syncs = std::exchange(syncs_, {});
    auto checkpoints = std::exchange(checkpoints_, {});
    auto closes = std::exchange(closes_, {});
    if (syncs.empty() && checkpoints.empty() && closes.empty()) return;  // stopping
    busy_ = true;
    const bool synced = !syncs.empty();
    std::uint64_t commits = 0;
    for (const Sync& each : syncs) commits += each.commits;
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    pass(std::move(syncs), std::move(checkpoints), std::move(closes));
    const auto took = std::chrono::steady_clock::now() - start;
    lock.lock();
    if (synced) {
      last_commits_ = commits;
      last_duration_ = std::chrono::duration_cast<std::chrono::microseconds>(took);
    }
    busy_ = false;
    idle_.notify_all();
  }
}

void Syncer::pass(std::vector<Sync> syncs, std::vector<std::shared_ptr<Connection>> checkpoints,
                  std::vector<std::shared_ptr<Connection>> closes) {
  fan_out_.run(syncs.size(), [&](std::size_t i) {
    const Sync& each = syncs[i];
    Status status = each.connection->sync();
    {
      std::lock_guard lock(mutex_);
      finished_.push_back({each.key, each.sequence, std::move(status)});
    }
    wake_();
  });
  // Connections end here and not when the vectors do: the last owner may be this pass.
  syncs.clear();
  for (const auto& connection : checkpoints) connection->checkpoint();
  checkpoints.clear();
  for (auto& connection : closes) {
    const std::string path = connection->path();
    connection->close();
    connection.reset();
    {
      std::lock_guard lock(mutex_);
      closing_.erase(path);
    }
    idle_.notify_all();
  }
}

}  // namespace hearth::storage
