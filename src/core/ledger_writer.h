// Writes the ledger's batches on a thread of its own, so that the event loop never waits for the
// file. The file is opened with the first batch. A queue of kQueuedMax batches; past it batches are
// refused. A fault of the disk is told once, and the batches that it concerns are lost.
// Made and ended on the loop thread; its end writes what is left.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/ledger.h"

namespace hearth::core {

class LedgerWriter final : public LedgerSink {
 public:
  static constexpr std::size_t kQueuedMax = 16;

  explicit LedgerWriter(std::filesystem::path state);
  ~LedgerWriter() override;

  bool take(std::unique_ptr<LedgerBatch> batch) override;
  // How many batches were taken, and how many of them are through. Equal: all is in the file.
  std::uint64_t taken() const { return taken_; }
  std::uint64_t through() const { return through_.load(std::memory_order_acquire); }
  // The first fault of the disk that nobody has been told of, or empty.
  std::string take_fault();

 private:
  void run();

  const std::filesystem::path state_;
  std::uint64_t taken_ = 0;
  std::atomic<std::uint64_t> through_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<LedgerBatch>> queue_;
  std::string fault_;
  bool fault_told_ = false;
  bool ending_ = false;
  std::thread thread_;  // begun with the first batch
};

}  // namespace hearth::core
