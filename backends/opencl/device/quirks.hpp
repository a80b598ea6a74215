// SPDX-License-Identifier: Apache-2.0
// What drivers do beside the specification, in one table.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace xhal::opencl {

struct DeviceFacts;

enum Quirk : uint32_t {
  kNoUserEvents = 1u << 0,     // commands run in the thread that flushes: nothing may wait for that thread
  kStartsUnasked = 1u << 1,    // commands start without a flush
  kCachesPrograms = 1u << 2,   // a program that was built once is ready at once in the next process
  kLowGroupLimit = 1u << 4,    // a kernel's own limit of items in a group is less than what runs
  kNoCalledKernels = 1u << 3,  // a kernel that another one calls has no local arrays of its own
  kFinishRuns =
      1u << 5  // clFinish runs what is left in the thread that waits, clWaitForEvents wakes another one
};

struct QuirkRow {
  Quirk quirk;
  const char* platform;        // of its name
  const char* device;          // how the device's name begins; "": every
  const char* version_prefix;  // how the driver's version begins; "": every
  const char* symptom;
  const char* link;
  const char* workaround;
};

std::span<const QuirkRow> all_quirks();
bool applies(const QuirkRow& row, const DeviceFacts& facts);
uint32_t quirks_of(const DeviceFacts& facts);

}  // namespace xhal::opencl
