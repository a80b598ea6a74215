// SPDX-License-Identifier: Apache-2.0
// For whoever makes a thread.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace xhal::sim {

// The application's signal handlers run on its own threads; a new thread inherits the mask of its maker.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t former_ = {};
};

}  // namespace xhal::sim
