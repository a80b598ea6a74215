// SPDX-License-Identifier: Apache-2.0
// What an allocator holds and what happened to it, as PyTorch's memory visualiser wants to know it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace xhal::caching {

// Graphs have memory of their own. {0, 0} is the memory of all others.
struct PoolId {
  uint64_t first = 0;
  uint64_t second = 0;
  friend bool operator==(const PoolId&, const PoolId&) = default;
};

// Where a call came from: made by the plug-in, kept here, never looked at.
using Context = std::shared_ptr<void>;

struct BlockInfo {
  uint64_t address = 0;
  uint64_t size = 0;
  uint64_t requested_size = 0;  // 0 unless live
  uint32_t age = 0;             // searches that passed it over; 0 without a garbage_collection_threshold
  bool is_live = false;
  bool is_active = false;  // live, or freed and still used by a recorded stream
  Context allocated_at;
};

// An expandable segment is told as one for each run of mapped memory.
struct SegmentInfo {
  uint64_t address = 0;
  uint64_t total_size = 0;
  uint64_t live_size = 0;
  uint64_t active_size = 0;
  uint64_t requested_size = 0;
  uint64_t stream_id = 0;
  bool is_large = false;
  bool is_expandable = false;
  PoolId pool;
  std::vector<BlockInfo> blocks;  // by address; together they are the whole segment
  Context allocated_at;
};

enum class Action : uint8_t {
  kAlloc,
  kFreeRequested,
  kFreeCompleted,  // later than the request where streams were recorded
  kSegmentAlloc,
  kSegmentFree,
  kSegmentMap,
  kSegmentUnmap,
  kSnapshot,
  kOutOfMemory  // address: bytes that the device has free
};
const char* name_of(Action action);  // "alloc", "free_requested", ...: the words of PyTorch's snapshots

struct TraceEntry {
  Action action = Action::kSnapshot;
  uint64_t address = 0;
  uint64_t size = 0;
  uint64_t stream_id = 0;
  PoolId pool;
  int64_t time_ns = 0;  // since 1970
  Context context;
};

enum class KeepContexts : uint8_t { kNever, kOfLiveBlocks, kOfAllocations, kOfAll };

struct Snapshot {
  std::vector<SegmentInfo> segments;  // by address
  std::vector<TraceEntry> trace;      // oldest first
};

}  // namespace xhal::caching
