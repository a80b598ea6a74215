// SPDX-License-Identifier: Apache-2.0
// What went wrong, once; everything that it poisons points to the one record.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "xhal/device.h"

namespace xhal::sim {

struct Fault {
  xhal_result_t code = XHAL_SUCCESS;
  const char* entry = "";  // the call that submitted the failed work
  uint64_t correlation_id = 0;
  uint64_t stream_id = 0;
  std::string text;
  uint32_t scope = XHAL_FAULT_SCOPE_STREAM;
};

// Where records come from. One that is not given back lives as long as its instance, so that a pointer to it needs no owner.
class FaultLog {
 public:
  const Fault* add(Fault fault) {
    const std::lock_guard lock(mutex_);
    if (unused_.empty()) {
      unused_.reserve(faults_.size() + 1);  // so that giving back never fails
      return &faults_.emplace_back(std::move(fault));
    }
    Fault* const again = unused_.back();
    unused_.pop_back();
    *again = std::move(fault);
    return again;
  }
  // A record of this log that nothing points to any more.
  void give_back(const Fault* fault) {
    const std::lock_guard lock(mutex_);
    unused_.push_back(const_cast<Fault*>(fault));
  }

 private:
  std::mutex mutex_;
  std::deque<Fault> faults_;
  std::vector<Fault*> unused_;
};

}  // namespace xhal::sim
