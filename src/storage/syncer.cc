#include "storage/syncer.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>

namespace hearth::storage {

namespace {

constexpr std::size_t kClosesMax = 16;  // in one pass

}  // namespace

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
      const auto waiting = std::find_if(queue_.syncs.begin(), queue_.syncs.end(),
                                        [&](const Sync& other) { return other.key == each.key; });
      if (waiting != queue_.syncs.end()) {
        waiting->sequence = each.sequence;
        waiting->commits += each.commits;
      } else {
        queue_.syncs.push_back(std::move(each));
      }
    }
  }
  gathered_.clear();
  work_.notify_one();
}

namespace {

void add_once(std::vector<std::shared_ptr<Connection>>& list,
              const std::shared_ptr<Connection>& connection) {
  if (std::find(list.begin(), list.end(), connection) == list.end()) list.push_back(connection);
}

}  // namespace

void Syncer::checkpoint(const std::shared_ptr<Connection>& connection) {
  {
    std::lock_guard lock(mutex_);
    add_once(queue_.checkpoints, connection);
  }
  work_.notify_one();
}

void Syncer::archive(const std::shared_ptr<Connection>& connection) {
  {
    std::lock_guard lock(mutex_);
    add_once(queue_.archives, connection);
  }
  work_.notify_one();
}

void Syncer::ask(std::function<Answer()> work) {
  {
    std::lock_guard lock(mutex_);
    queue_.asks.push_back(std::move(work));
  }
  work_.notify_one();
}

void Syncer::close(std::shared_ptr<Connection> connection) {
  {
    std::lock_guard lock(mutex_);
    closing_.insert(connection->path());
    queue_.closes.push_back(std::move(connection));
  }
  work_.notify_one();
}

std::vector<Syncer::Finished> Syncer::take_finished() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

std::vector<Syncer::Answer> Syncer::take_answers() {
  std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void Syncer::wait_idle() {
  kick();
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return !busy_ && queue_.empty(); });
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
    work_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (const auto wait = gathering_time(); wait.count() > 0 && !queue_.syncs.empty()) {
      busy_ = true;
      lock.unlock();
      std::this_thread::sleep_for(wait);
      lock.lock();
    }
    // Each close waits for the disk several times, and commits wait behind them.
    auto& closes = queue_.closes;
    const auto some =
        closes.begin() + static_cast<std::ptrdiff_t>(std::min(closes.size(), kClosesMax));
    std::vector<std::shared_ptr<Connection>> later(std::make_move_iterator(some),
                                                   std::make_move_iterator(closes.end()));
    closes.erase(some, closes.end());
    Work work = std::exchange(queue_, {});
    queue_.closes = std::move(later);
    if (work.empty()) return;  // stopping
    busy_ = true;
    const bool synced = !work.syncs.empty();
    std::uint64_t commits = 0;
    for (const Sync& each : work.syncs) commits += each.commits;
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    pass(std::move(work));
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

void Syncer::finish(const Sync& sync, Status status) {
  {
    std::lock_guard lock(mutex_);
    finished_.push_back({sync.key, sync.sequence, std::move(status)});
  }
  wake_();
}

void Syncer::sync_all(const std::vector<Sync>& syncs) {
  std::vector<std::vector<std::string>> needed(syncs.size());
  fan_out_.run(syncs.size(), [&](std::size_t i) {
    Status status = syncs[i].connection->sync_files();
    if (status) needed[i] = syncs[i].connection->unsynced_folders();
    if (needed[i].empty()) finish(syncs[i], std::move(status));
  });
  // Files that are new to a folder share its sync.
  std::map<std::string, std::pair<Disk*, Status>> folders;
  for (std::size_t i = 0; i < syncs.size(); ++i) {
    for (const std::string& folder : needed[i]) {
      folders.try_emplace(folder, &syncs[i].connection->disk(), Status());
    }
  }
  std::vector<decltype(folders)::value_type*> each;
  for (auto& entry : folders) each.push_back(&entry);
  fan_out_.run(each.size(), [&](std::size_t i) {
    auto& [folder, synced] = *each[i];
    synced.second = synced.first->sync_folder(folder);
  });
  for (std::size_t i = 0; i < syncs.size(); ++i) {
    if (needed[i].empty()) continue;
    Status status;
    for (const std::string& folder : needed[i]) {
      if (status) status = folders.at(folder).second;
    }
    if (status) syncs[i].connection->folders_synced();
    finish(syncs[i], std::move(status));
  }
}

void Syncer::pass(Work work) {
  sync_all(work.syncs);
  // Connections end here and not when the vectors do: the last owner may be this pass.
  work.syncs.clear();
  for (auto& each : work.asks) {
    Answer answer = each();
    each = nullptr;
    {
      std::lock_guard lock(mutex_);
      answers_.push_back(std::move(answer));
    }
    wake_();
  }
  for (const auto& connection : work.archives) connection->archive();
  work.archives.clear();
  for (const auto& connection : work.checkpoints) connection->checkpoint();
  work.checkpoints.clear();
  fan_out_.run(work.closes.size(), [&](std::size_t i) {
    std::shared_ptr<Connection> connection = std::move(work.closes[i]);
    const std::string path = connection->path();
    connection->close();
    connection.reset();
    {
      std::lock_guard lock(mutex_);
      closing_.erase(path);
    }
    idle_.notify_all();
  });
}

}  // namespace hearth::storage
