// SPDX-License-Identifier: Apache-2.0
// The device's side of a profile: xhal's activity records from a start to a stop, on the host's clock.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>
#include <vector>

namespace torch_xhal {

struct Activity {
  uint32_t kind = 0;    // an XHAL_ACTIVITY_ bit
  uint32_t detail = 0;  // of a copy: an XHAL_COPY_ bit
  c10::DeviceIndex device = 0;
  uint64_t stream = 0;               // xhal's id
  uint64_t call_id = 0;              // of the call that submitted it, 0: made when nobody watched
  int64_t begin_ns = 0, end_ns = 0;  // since the epoch
  uint64_t bytes = 0;
  const std::string* name = nullptr;  // of a kernel; kept for the process's life
};

struct Recording {
  std::vector<Activity> activities;
  std::vector<std::string> errors;
};

// One at a time. A device that nobody has used is not opened for it, but is watched as soon as somebody does.
void start_recording_activity();
// Waits for the devices that were watched.
Recording stop_recording_activity();
// Of the devices, by name; empty when all have activity records.
std::string devices_without_activity();
// Called when a device is used first.
void watch_activity_of(c10::DeviceIndex device);

}  // namespace torch_xhal
