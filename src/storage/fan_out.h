// A few threads that do the same to each of many things, for work that waits for the disk: syncs of
// different files wait together and not one after the other. Threads are started when first needed.
// Belongs to one thread, which works along.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth::storage {

class FanOut {
 public:
  FanOut() = default;
  ~FanOut();
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  // Calls `work(i)` once for each i below `count`, from several threads; returns when all are done.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  static constexpr std::size_t kHelpersMax = 7;

  void help();
  void drain();

  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::atomic<std::size_t> next_ = 0;
  std::size_t count_ = 0;
  std::size_t round_ = 0;
  std::size_t helping_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> helpers_;
};

}  // namespace hearth::storage
