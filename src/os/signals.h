// Signals are the loop's: a helper thread is started while they are blocked, so that it inherits
// the mask and none of them is ever delivered to it.
#pragma once

#include <signal.h>

namespace hearth::os {

// Blocks every signal in the calling thread for as long as it lives.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace hearth::os
