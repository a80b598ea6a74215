// SPDX-License-Identifier: Apache-2.0
// What a caching allocator counts: the names and meanings are those of PyTorch's device statistics.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace xhal::caching {

struct Stat {
  int64_t current = 0;
  int64_t peak = 0;
  int64_t allocated = 0;  // all that was ever added since the last reset of the sums
  int64_t freed = 0;      // all that was ever taken away

  void increase(int64_t amount) {
    current += amount;
    peak = std::max(peak, current);
    allocated += amount;
  }
  void decrease(int64_t amount) {
    current -= amount;
    freed += amount;
  }
  void reset_sums() { allocated = freed = 0; }
  void reset_peak() { peak = current; }
};

// Small: blocks of at most 1 MiB as asked for, in segments of 2 MiB. Large: all others. Aggregate: both.
enum class PoolKind : uint8_t { kAggregate = 0, kSmall = 1, kLarge = 2 };
inline constexpr size_t kPoolKinds = 3;
struct StatArray : std::array<Stat, kPoolKinds> {
  Stat& of(PoolKind kind) { return (*this)[static_cast<size_t>(kind)]; }
  const Stat& of(PoolKind kind) const { return (*this)[static_cast<size_t>(kind)]; }
};

// A block is live from allocate() to free(). It is active from allocate() until its memory may be used again: where streams were
// recorded on it, that is later than free(). A segment is what the device was asked for, or, of an expandable one, all its mapped memory.
// A free block that shares its segment with others is an inactive split: its memory cannot be given back by itself.
struct Stats {
  StatArray allocation;      // live blocks
  StatArray segment;         // segments
  StatArray active;          // active blocks
  StatArray inactive_split;  // free blocks that are parts of a segment
  StatArray allocated_bytes;
  StatArray reserved_bytes;  // of all segments
  StatArray active_bytes;
  StatArray inactive_split_bytes;
  StatArray requested_bytes;  // as asked for, before rounding; of live blocks
  int64_t num_alloc_retries =
      0;  // requests that were granted, or failed, only after cached memory was given back
  int64_t num_ooms = 0;
  Stat oversize_allocations;  // blocks of at least Settings::max_split_bytes
  Stat oversize_segments;
  int64_t num_sync_all_streams = 0;  // waits for the device, for the sake of memory
  int64_t num_device_alloc = 0;      // calls that took memory from the device
  int64_t num_device_free = 0;       // calls that gave memory back
  int64_t max_split_size = -1;       // Settings::max_split_bytes; -1: no limit
};

}  // namespace xhal::caching
