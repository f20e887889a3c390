#include "core/ledger_writer.h"

#include <utility>

#include "core/ledger_file.h"
#include "os/signals.h"

namespace hearth::core {

LedgerWriter::LedgerWriter(std::filesystem::path state) : state_(std::move(state)) {}

LedgerWriter::~LedgerWriter() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool LedgerWriter::take(std::unique_ptr<LedgerBatch> batch) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueuedMax) return false;
    queue_.push_back(std::move(batch));
  }
  ++taken_;
  if (!thread_.joinable()) {
    const os::BlockedSignals blocked;
    thread_ = std::thread([this] { run(); });
  }
  wake_.notify_one();
  return true;
}

std::string LedgerWriter::take_fault() {
  const std::lock_guard lock(mutex_);
  if (fault_.empty() || std::exchange(fault_told_, true)) return {};
  return fault_;
}

void LedgerWriter::run() {
  std::unique_ptr<LedgerFile> file;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::unique_ptr<LedgerBatch> batch = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    Status status;
    if (!file) {
      auto opened = LedgerFile::open(state_);
      if (opened) {
        file = std::move(opened).value();
      } else {
        status = opened.error();
      }
    }
    if (file) status = file->write(*batch);
    if (!status) file.reset();  // the next batch tries anew
    through_.fetch_add(1, std::memory_order_release);
    lock.lock();
    if (!status && fault_.empty()) fault_ = status.error().message;
  }
}

}  // namespace hearth::core
