// SPDX-License-Identifier: Apache-2.0
// The allocator behind its lock. Members are called with the lock held unless they say otherwise.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "block.hpp"
#include "expandable.hpp"
#include "free_list.hpp"
#include "xhal/caching/allocator.hpp"

namespace xhal::caching {

struct PrivatePool;

// Small or large blocks, of the common memory or of a private pool.
struct Pool {
  explicit Pool(PoolKind pool_kind, PrivatePool* pool_owner = nullptr) : kind(pool_kind), owner(pool_owner) {}
  FreeList& list_of(uint64_t stream_id, std::pmr::memory_resource* nodes) {
    if (last != nullptr && last_stream == stream_id) return *last;
    auto& list = lists[stream_id];
    if (!list) list = std::make_unique<FreeList>(kind, nodes);
    last_stream = stream_id;
    last = list.get();
    return *last;
  }

  PoolKind kind;
  PrivatePool* owner;
  Allocator* allocator = nullptr;
  std::unordered_map<uint64_t, std::unique_ptr<FreeList>> lists;  // by stream
  uint64_t last_stream = 0;
  FreeList* last = nullptr;
  uint64_t searches = 0;
  std::vector<std::unique_ptr<ExpandableSegment>> expandable;
};

struct PrivatePool {
  PrivatePool(PoolId pool_id, Allocator* allocator) : id(pool_id) {
    small.allocator = large.allocator = allocator;
  }
  PoolId id;
  uint32_t holders = 0;
  uint64_t reserved = 0;
  uint64_t segments = 0;
  Pool small{PoolKind::kSmall, this};
  Pool large{PoolKind::kLarge, this};
};

inline PoolId id_of(const Pool& pool) { return pool.owner == nullptr ? PoolId{} : pool.owner->id; }

struct AllocatorState {
  struct Pending {
    xhal_event_t event;
    Block* block;
    bool is_kept;  // of this device: used again
  };
  struct Unknown {
    Block* block;
    xhal_device_t device;
  };

  AllocatorState(xhal_driver_t of_driver, xhal_device_t of_device, const Settings& with);
  ~AllocatorState();
  xhal_result_t open();

  // ---- allocate.cpp
  Pool& pool_for(uint64_t size, Stream stream);
  Block* take_free(Pool& pool, FreeList& list, uint64_t size);
  bool fits(const Block* block, uint64_t size) const;
  xhal_result_t take_more(Pool& pool, Stream stream, uint64_t size, Block** out);
  Block* hand_out(Block* block, uint64_t requested, uint64_t size, Context&& context);
  bool should_split(const Block* block, uint64_t size) const;
  // Unlocks for the callback, and has the lock again when it returns.
  xhal_result_t grow(std::unique_lock<std::mutex>& lock, Pool& pool, Stream stream, uint64_t size,
                     Block** out);
  OutOfMemory shortage(uint64_t requested) const;

  // ---- release.cpp
  void free(Block* block);
  void reuse(Block* block);
  Block* cut(Block* block, uint64_t size);
  void absorb(Block* low, Block* high);
  Block* merge(Block* block);
  void put_in(Block* block);
  void take_out(Block* block);
  void give_back_segment(Block* block);
  // Whole segments of one pool.
  void give_back_free(Pool& pool);
  void give_back_unheld(PoolId only);
  bool give_back_enough(Pool& pool, Stream stream, uint64_t size);
  void collect_old(uint64_t wanted);
  // Leaves the lock while it waits.
  void release_cached(std::unique_lock<std::mutex>& lock, PoolId pool);

  // ---- events.cpp
  void wait_for_users(Block* block);
  void ask_events();
  void wait_for_all_users(std::unique_lock<std::mutex>& lock);
  xhal_event_t take_event(xhal_device_t of);
  void give_back_event(const Pending& done);

  // ---- expandable.cpp
  xhal_result_t take_expandable(Pool& pool, Stream stream, uint64_t size, Block** out);
  xhal_result_t reserve_segment(Pool& pool, Stream stream, uint64_t least, ExpandableSegment** out);
  xhal_result_t map_into(Pool& pool, ExpandableSegment& segment, Block* hole, uint64_t size, Block** out);
  xhal_result_t map_pages(ExpandableSegment& segment, uint64_t begin, uint64_t end);
  void unmap_pages(ExpandableSegment& segment, uint64_t begin, uint64_t end);
  void count_mapped(Pool& pool, ExpandableSegment& segment, uint64_t address, int64_t bytes);
  void unmap_free(Pool& pool);
  Block* unmap_part(Pool& pool, ExpandableSegment& segment, Block* block, uint64_t address, uint64_t size);
  void release_addresses(Pool& pool);

  // ---- history.cpp
  bool is_tracing() const { return history_limit != 0 || trace_callback != nullptr; }
  void trace(Action action, uint64_t address, uint64_t size, uint64_t stream_id, PoolId pool,
             Context context = {});
  // Without the lock.
  Context context_if(KeepContexts least) const;
  Snapshot snapshot();

  PrivatePool* find_pool(PoolId id);
  void count_segment(Pool& pool, int64_t change);
  void count_reserved(Pool& pool, int64_t bytes);
  void count_free_split(Block* block, bool is_added);
  uint64_t reserved() const {
    return static_cast<uint64_t>(stats.reserved_bytes.of(PoolKind::kAggregate).current);
  }

  xhal_driver_t driver;
  xhal_device_t device;
  Settings settings;
  uint64_t device_bytes = 0;
  uint64_t limit = UINT64_MAX;
  double fraction = 1;
  bool has_graphs = false;
  VirtualMemory vmm;

  std::mutex mutex;
  Stats stats;
  BlockNodes nodes;
  std::pmr::unsynchronized_pool_resource set_nodes;
  Pool small{PoolKind::kSmall};
  Pool large{PoolKind::kLarge};
  std::map<uint64_t, Block*> segments;  // first block of each, by address
  std::vector<std::unique_ptr<PrivatePool>> pools;
  struct Filling {
    PoolId pool;
    std::function<bool(Stream)> takes;
  };
  std::vector<Filling> filling;

  std::unordered_map<uint64_t, std::deque<Pending>> pending;  // by recorded stream, in its order
  size_t pending_count = 0;
  uint64_t frees = 0;
  uint64_t settled_frees = 0;    // of them, those before the device was last waited for
  std::vector<Block*> deferred;  // freed while a capture is under way: events could not be recorded
  std::vector<Unknown> unknown;  // of streams that take no event (destroyed, failed): wait for their device
  std::vector<xhal_event_t> spare_events;

  std::function<bool(uint64_t)> pressure_callback;
  std::function<void(const OutOfMemory&)> shortage_callback;
  std::function<void(const TraceEntry&)> trace_callback;
  std::shared_ptr<const std::function<Context()>> context_source;
  mutable std::mutex context_mutex;
  std::atomic<KeepContexts> keep_contexts{KeepContexts::kNever};
  Context asked_at;  // of the request that takes a segment right now
  uint64_t history_limit = 0;
  std::deque<TraceEntry> history;
};

// While it lives, this thread may allocate and free although a stream captures.
class RelaxedCapture {
 public:
  explicit RelaxedCapture(const AllocatorState& state);
  ~RelaxedCapture();
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  xhal_driver_t driver_ = nullptr;
  uint32_t former_ = 0;
};

}  // namespace xhal::caching
