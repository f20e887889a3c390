#include "storage/fan_out.h"

#include <algorithm>

namespace hearth::storage {

FanOut::~FanOut() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  begin_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void FanOut::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (count == 0) return;
  if (count == 1) return work(0);
  {
    std::lock_guard lock(mutex_);
    work_ = &work;
    count_ = count;
    next_ = 0;
    ++round_;
    while (helpers_.size() < std::min(count - 1, kHelpersMax)) {
      helpers_.emplace_back([this] { help(); });
    }
  }
  begin_.notify_all();
  drain();
  // A helper that comes late finds nothing left; none is at work on `work` once this is seen.
  std::unique_lock lock(mutex_);
  end_.wait(lock, [&] { return helping_ == 0; });
  work_ = nullptr;
}

void FanOut::drain() {
  for (std::size_t i; (i = next_.fetch_add(1)) < count_;) (*work_)(i);
}

void FanOut::help() {
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    begin_.wait(lock, [&] { return stopping_ || (work_ != nullptr && round_ != seen); });
    if (stopping_) return;
    seen = round_;
    ++helping_;
    lock.unlock();
    drain();
    lock.lock();
    if (--helping_ == 0) end_.notify_one();
  }
}

}  // namespace hearth::storage
