// SPDX-License-Identifier: Apache-2.0
// A caching allocator for the memory of one device, over xhal's calls alone: for torch_xhal, and for any other plug-in.
//
// Freed memory is kept and given out again without a call of the driver. Blocks belong to the stream they were allocated for: whoever
// frees a block and allocates on the same stream may get the memory at once, because the stream's order protects it. Another stream that
// used the block must be recorded; the memory then waits for an event on it. Nothing here waits for the device but a request that
// would otherwise fail, and release_cached().
//
// Every call may come from any thread. A Block is a handle: valid from allocate() until free().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "xhal/caching/settings.hpp"
#include "xhal/caching/snapshot.hpp"
#include "xhal/caching/stats.hpp"
#include "xhal/xhal.h"

namespace xhal::caching {

// The id is xhal_stream_info_t's: handles are used again after a stream is destroyed, ids never are.
struct Stream {
  xhal_stream_t handle = nullptr;
  uint64_t id = 0;
};

struct AllocatorState;
struct Block;
void* address_of(const Block* block);
uint64_t size_of(const Block* block);       // rounded up
uint64_t requested_of(const Block* block);  // as asked for
class Allocator;
Allocator* owner_of(
    const Block* block);  // where it is to be freed: a deleter needs to know nothing but the block

// What is known of a request that failed.
struct OutOfMemory {
  uint64_t requested = 0;
  uint64_t device_free = 0, device_total = 0;  // 0: the driver does not tell
  uint64_t limit = 0;                          // of set_memory_fraction; 0: none
  uint64_t live = 0, reserved = 0;             // bytes
  uint64_t reserved_in_pools = 0;              // of them, in pools of graphs
  std::string text() const;                    // a sentence for each that is known
};

class Allocator {
 public:
  // settings are of this allocator for ever. INVALID_ARGUMENT; UNSUPPORTED: expandable segments, and the device has no virtual memory.
  static xhal_result_t create(xhal_driver_t driver, xhal_device_t device, const Settings& settings,
                              std::unique_ptr<Allocator>* out);
  // Gives back what is free. Blocks that are live then are left to the driver.
  ~Allocator();

  // ---- Blocks ----
  // Of 0 bytes: SUCCESS and a null block. Errors: OUT_OF_DEVICE_MEMORY, after everything that could be given back was, and for what
  // no device could have; what the driver says. out_of_memory (may be null) is filled with OUT_OF_DEVICE_MEMORY alone.
  xhal_result_t allocate(uint64_t bytes, Stream stream, Block** out_block,
                         OutOfMemory* out_of_memory = nullptr);
  // Null does nothing.
  void free(Block* block);
  // Later frees of the block wait for what `stream` has been given until then. It may be of another
  // device of the driver. Its own stream: nothing to do.
  void record_stream(Block* block, Stream stream);
  // The live block that holds this address, or null.
  Block* find(const void* address);
  // Base and size of the memory that the block is a part of: what an interprocess handle is made of. Null in an expandable segment.
  struct Base {
    void* address = nullptr;
    uint64_t size = 0;
  };
  Base base_of(const Block* block);

  // ---- Giving back ----
  // Waits for recorded streams, then gives back every segment that is wholly free: of the common memory and of all pools that nobody
  // holds, or of one such pool. While a pool is being filled nothing is waited for, and expandable segments stay as they are.
  void release_cached(PoolId pool = {});
  // At most this part of the device's memory, in (0, 1]; else INVALID_ARGUMENT.
  xhal_result_t set_memory_fraction(double fraction);
  double memory_fraction();
  // Called before a request is given up, without any lock: true when it freed something. Takes the place of the former.
  void on_pressure(std::function<bool(uint64_t bytes)> callback);

  // ---- Pools of graphs ----
  // While any pool is being filled, recorded streams are asked nothing: that could break the capture. What was freed waits.
  // From now on, requests on streams that `takes` says yes to are served from the pool, until end_pool. The pool is held once more: its
  // memory stays where it is until each begin has had its release_pool and its blocks are freed, then release_cached gives it back.
  // BUSY: the pool is being filled already. INVALID_ARGUMENT: {0, 0}, or `takes` is empty. `takes` runs under the allocator's lock and calls nothing of it.
  xhal_result_t begin_pool(PoolId pool, std::function<bool(Stream)> takes);
  xhal_result_t end_pool(PoolId pool);      // NOT_FOUND
  xhal_result_t release_pool(PoolId pool);  // NOT_FOUND; BUSY: its last holder fills it
  // Reserved bytes of a pool; 0 for one that is not.
  uint64_t reserved_of(PoolId pool);
  // ---- What is known ----
  // Exact at every call, but for frees that wait for recorded streams: those are completed by later calls of allocate().
  Stats stats();
  void reset_sums();
  void reset_peaks();
  Snapshot snapshot();
  // At most max_entries are kept, the newest; 0: none. context (may be null) is called where `keep` says so,
  // without the lock.
  void record_history(KeepContexts keep, uint64_t max_entries, std::function<Context()> context);
  // Called with every entry, kept or not, under the lock, until the allocator is destroyed, which gives segments back; it
  // calls nothing of the allocator. Null: no longer.
  void on_trace(std::function<void(const TraceEntry&)> callback);
  // Called without the lock for each request that is given up.
  void on_out_of_memory(std::function<void(const OutOfMemory&)> callback);

  const Settings& settings() const;

 private:
  explicit Allocator(std::unique_ptr<AllocatorState> state);
  std::unique_ptr<AllocatorState> state_;
};

}  // namespace xhal::caching
