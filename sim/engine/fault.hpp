// SPDX-License-Identifier: Apache-2.0
// What went wrong, once; everything that it poisons points to the one record.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

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

// Keeps every record for the life of the instance, so that a pointer to one needs no owner. A few hundred bytes a failure.
class FaultLog {
 public:
  const Fault* add(Fault fault) {
    const std::lock_guard lock(mutex_);
    return &faults_.emplace_back(std::move(fault));
  }

 private:
  std::mutex mutex_;
  std::deque<Fault> faults_;
};

}  // namespace xhal::sim
