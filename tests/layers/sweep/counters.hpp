// SPDX-License-Identifier: Apache-2.0
// What the sweep saw of each entry, in memory that all its processes share: a worker that crashes takes nothing with it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "xhal/base.h"

namespace xhal::sweep {

struct Counters {
  std::atomic<uint64_t> calls;        // that the suite made
  std::atomic<uint64_t> failed;       // attempts that the fault layer failed
  std::atomic<uint64_t> wrote;        // of these: wrote to an out-parameter
  std::atomic<uint64_t> wrong_error;  // of these: told as an error of another call
  std::atomic<uint64_t> stuck;        // calls that never went through
  std::atomic<uint64_t> codes;        // bit -code: was answered
};
static_assert(std::atomic<uint64_t>::is_always_lock_free, "shared between processes");

inline void note_code(Counters& counters, xhal_result_t code) {
  counters.codes.fetch_or(uint64_t{1} << (static_cast<uint32_t>(-code) % 64), std::memory_order_relaxed);
}

// By the entry's place in entry_points.def.
Counters& counters_of(size_t number);
// Makes the shared memory; every process started from here has it. Once, before anything is called.
void share_counters(const std::string& path);

}  // namespace xhal::sweep
