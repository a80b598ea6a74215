// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "state.hpp"

namespace xhal::caching {

namespace {

class Hold {
 public:
  explicit Hold(PrivatePool* pool) : pool_(pool) {
    if (pool_ != nullptr) ++pool_->holders;
  }
  ~Hold() {
    if (pool_ != nullptr) --pool_->holders;
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  PrivatePool* pool_;
};

}  // namespace

using State = AllocatorState;

Pool& State::pool_for(uint64_t size, Stream stream) {
  const bool is_small = size <= kMostSmall;
  for (const Filling& entry : filling)
    if (entry.takes(stream)) {
      PrivatePool* pool = find_pool(entry.pool);
      return is_small ? pool->small : pool->large;
    }
  return is_small ? small : large;
}

bool State::fits(const Block* block, uint64_t size) const {
  if (block->pool->kind == PoolKind::kSmall || block->expandable != nullptr) return true;
  if (size < settings.max_split_bytes) return block->size < settings.max_split_bytes;
  return block->size - size < settings.max_waste_bytes;
}

Block* State::take_free(Pool& pool, FreeList& list, uint64_t size) {
  if (settings.collect_above > 0) ++pool.searches;
  Block* block = list.best_fit(size);
  if (block == nullptr || !fits(block, size)) return nullptr;
  take_out(block);
  return block;
}

bool State::should_split(const Block* block, uint64_t size) const {
  const uint64_t rest = block->size - size;
  if (block->pool->kind == PoolKind::kSmall || block->expandable != nullptr) return rest >= kBlockUnit;
  return size < settings.max_split_bytes && rest > kMostSmall;
}

// The block is in no list.
Block* State::hand_out(Block* block, uint64_t requested, uint64_t size, Context&& context) {
  Pool& pool = *block->pool;
  if (should_split(block, size)) put_in(cut(block, size));
  block->requested = requested;
  block->is_live = true;
  block->allocated_at = std::move(context);
  const auto bytes = static_cast<int64_t>(block->size);
  for (const PoolKind kind : {PoolKind::kAggregate, pool.kind}) {
    stats.allocation.of(kind).increase(1);
    stats.allocated_bytes.of(kind).increase(bytes);
    stats.active.of(kind).increase(1);
    stats.active_bytes.of(kind).increase(bytes);
    stats.requested_bytes.of(kind).increase(static_cast<int64_t>(requested));
  }
  if (block->size >= settings.max_split_bytes) stats.oversize_allocations.increase(1);
  if (is_tracing()) [[unlikely]]
    trace(Action::kAlloc, block->address, block->size, block->stream.id, id_of(pool), block->allocated_at);
  return block;
}

// A new segment, if the driver and the limit allow it: its block is in no list.
xhal_result_t State::take_more(Pool& pool, Stream stream, uint64_t size, Block** out) {
  const RelaxedCapture relaxed(*this);
  if (settings.expandable) return take_expandable(pool, stream, size, out);
  const uint64_t bytes = settings.segment_for(size);
  if (bytes > limit || reserved() > limit - bytes) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  xhal_memory_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.kind = XHAL_MEMORY_DEVICE;
  desc.size = bytes;
  void* pointer = nullptr;
  if (const xhal_result_t result = xhal_memory_allocate(device, &desc, &pointer); result != XHAL_SUCCESS)
    return result;
  Block* block = nodes.take();
  block->address = reinterpret_cast<uint64_t>(pointer);
  block->size = bytes;
  block->stream = stream;
  block->pool = &pool;
  block->home = &pool.list_of(stream.id, &set_nodes);
  block->segment_at = asked_at;
  segments.emplace(block->address, block);
  ++stats.num_device_alloc;
  count_segment(pool, 1);
  count_reserved(pool, static_cast<int64_t>(bytes));
  if (bytes >= settings.max_split_bytes) stats.oversize_segments.increase(1);
  trace(Action::kSegmentAlloc, block->address, bytes, stream.id, id_of(pool), asked_at);
  *out = block;
  return XHAL_SUCCESS;
}

// Nothing that is cached fits. What could be given back is, before the request is given up, the cheapest first.
xhal_result_t State::grow(std::unique_lock<std::mutex>& lock, Pool& pool, Stream stream, uint64_t size,
                          Block** out) {
  const uint64_t bytes = settings.segment_for(size);
  if (device_bytes != 0 && bytes > device_bytes) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  if (settings.collect_above > 0) collect_old(bytes);
  xhal_result_t result = take_more(pool, stream, size, out);
  if (result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY) return result;
  ++stats.num_alloc_retries;
  if (give_back_enough(pool, stream, size)) {
    result = take_more(pool, stream, size, out);
    if (result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY) return result;
  }
  const auto give_back_and_take = [&] {
    release_cached(lock, {});
    // Memory of this stream that waited for others may be free now, where its segment is not.
    *out = take_free(pool, pool.list_of(stream.id, &set_nodes), size);
    return *out != nullptr ? XHAL_SUCCESS : take_more(pool, stream, size, out);
  };
  // From here on the lock is left at times: the pool must not go meanwhile.
  const Hold held(pool.owner);
  result = give_back_and_take();
  if (result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY || pressure_callback == nullptr) return result;
  const auto callback = pressure_callback;
  lock.unlock();
  const bool has_freed = callback(size);
  lock.lock();
  return has_freed ? give_back_and_take() : result;
}

OutOfMemory State::shortage(uint64_t requested) const {
  OutOfMemory out;
  out.requested = requested;
  xhal_memory_info_t info = {};
  info.struct_size = sizeof(info);
  if (xhal_device_get_memory_info(device, &info) == XHAL_SUCCESS) {
    out.device_free = info.free_bytes;
    out.device_total = info.total_bytes;
  }
  out.limit = limit == UINT64_MAX ? 0 : limit;
  out.live = static_cast<uint64_t>(stats.allocated_bytes.of(PoolKind::kAggregate).current);
  out.reserved = reserved();
  for (const auto& pool : pools) out.reserved_in_pools += pool->reserved;
  return out;
}

xhal_result_t Allocator::allocate(uint64_t bytes, Stream stream, Block** out_block,
                                  OutOfMemory* out_of_memory) {
  State& state = *state_;
  *out_block = nullptr;
  if (bytes == 0) return XHAL_SUCCESS;
  Context context = state.context_if(KeepContexts::kOfLiveBlocks);
  std::unique_lock lock(state.mutex);
  state.ask_events();
  const uint64_t size = state.settings.rounded(bytes);
  Pool& pool = state.pool_for(size, stream);
  Block* block = state.take_free(pool, pool.list_of(stream.id, &state.set_nodes), size);
  if (block == nullptr) [[unlikely]] {
    state.asked_at = context;
    const xhal_result_t result = state.grow(lock, pool, stream, size, &block);
    state.asked_at.reset();
    if (result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY) {
      ++state.stats.num_ooms;
      const OutOfMemory told = state.shortage(bytes);
      if (state.is_tracing())
        state.trace(Action::kOutOfMemory, told.device_free, size, stream.id, id_of(pool), context);
      const auto callback = state.shortage_callback;
      lock.unlock();
      if (out_of_memory != nullptr) *out_of_memory = told;
      if (callback) callback(told);
      return result;
    }
    if (result != XHAL_SUCCESS) return result;
  }
  // A handle may be used again for another stream; the one of this id is the caller's.
  block->stream = stream;
  *out_block = state.hand_out(block, bytes, size, std::move(context));
  return XHAL_SUCCESS;
}

}  // namespace xhal::caching
