// SPDX-License-Identifier: Apache-2.0
// A place in the program's run: which call, by which thread, when, and from where.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "../common/entry_list.hpp"

namespace xhal::validate {

using layers::Entry;

inline constexpr uint32_t kMostFrames = 24;

struct Site {
  Entry entry = {};
  uint64_t call = 0;     // of the instance's driver, counted over all entries
  uint32_t thread = 0;   // the system's number
  uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  uint32_t frame_count = 0;
  const void* frames[kMostFrames] = {};  // return addresses, the innermost first
};

// This place; `frames` return addresses of callers outside of libxhal and its layers are looked for, 0 for none.
Site this_site(Entry entry, uint64_t call, uint32_t frames);

// "xhal_memory_free, call 40 of thread 4711, from program+0x1234 < main+0x20"
std::string describe(const Site& site);
// "program+0x1234", one a frame; exported functions have their names.
std::vector<std::string> describe_frames(const Site& site);

}  // namespace xhal::validate
