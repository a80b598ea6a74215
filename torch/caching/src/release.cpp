// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cassert>

#include "state.hpp"

namespace xhal::caching {

using State = AllocatorState;

void State::count_segment(Pool& pool, int64_t change) {
  for (const PoolKind kind : {PoolKind::kAggregate, pool.kind}) {
    Stat& stat = stats.segment.of(kind);
    if (change > 0) stat.increase(change);
    if (change < 0) stat.decrease(-change);
  }
  if (pool.owner != nullptr) pool.owner->segments += static_cast<uint64_t>(change);
}

void State::count_reserved(Pool& pool, int64_t bytes) {
  for (const PoolKind kind : {PoolKind::kAggregate, pool.kind}) {
    Stat& stat = stats.reserved_bytes.of(kind);
    if (bytes > 0) stat.increase(bytes);
    if (bytes < 0) stat.decrease(-bytes);
  }
  if (pool.owner != nullptr) pool.owner->reserved += static_cast<uint64_t>(bytes);
}

void State::count_free_split(Block* block, bool is_added) {
  // What is beside a block may have changed since it was counted.
  if (!(is_added ? block->is_split() : block->is_counted_split)) return;
  block->is_counted_split = is_added;
  const auto bytes = static_cast<int64_t>(block->size);
  for (const PoolKind kind : {PoolKind::kAggregate, block->pool->kind}) {
    Stat& count = stats.inactive_split.of(kind);
    Stat& sum = stats.inactive_split_bytes.of(kind);
    if (is_added) {
      count.increase(1);
      sum.increase(bytes);
    } else {
      count.decrease(1);
      sum.decrease(bytes);
    }
  }
}

void State::put_in(Block* block) {
  block->is_free = true;
  block->home->insert(block);
  count_free_split(block, true);
}

void State::take_out(Block* block) {
  block->is_free = false;
  block->home->remove(block);
  count_free_split(block, false);
}

void State::free(Block* block) {
  assert(block->is_live);
  block->is_live = false;
  const auto bytes = static_cast<int64_t>(block->size);
  for (const PoolKind kind : {PoolKind::kAggregate, block->pool->kind}) {
    stats.allocation.of(kind).decrease(1);
    stats.allocated_bytes.of(kind).decrease(bytes);
    stats.requested_bytes.of(kind).decrease(static_cast<int64_t>(block->requested));
  }
  if (block->size >= settings.max_split_bytes) stats.oversize_allocations.decrease(1);
  if (block->users.empty()) [[likely]] {
    reuse(block);
  } else {
    wait_for_users(block);
  }
}

// Nobody uses the memory any more but work that its own stream orders.
void State::reuse(Block* block) {
  const auto bytes = static_cast<int64_t>(block->size);
  for (const PoolKind kind : {PoolKind::kAggregate, block->pool->kind}) {
    stats.active.of(kind).decrease(1);
    stats.active_bytes.of(kind).decrease(bytes);
  }
  if (is_tracing()) [[unlikely]]
    trace(Action::kFreeCompleted, block->address, block->size, block->stream.id, id_of(*block->pool),
          block->allocated_at);
  block->allocated_at.reset();
  block->users.clear();
  block->requested = 0;
  block->freed_at = block->pool->searches;
  block->last_free = ++frees;
  put_in(merge(block));
}

// Takes the upper part of the block off.
Block* State::cut(Block* block, uint64_t size) {
  Block* rest = nodes.take();
  rest->address = block->address + size;
  rest->size = block->size - size;
  rest->stream = block->stream;
  rest->pool = block->pool;
  rest->home = block->home;
  rest->expandable = block->expandable;
  rest->is_mapped = block->is_mapped;
  rest->freed_at = block->freed_at;
  rest->last_free = block->last_free;
  rest->previous = block;
  rest->next = block->next;
  if (rest->next != nullptr) rest->next->previous = rest;
  block->next = rest;
  block->size = size;
  return rest;
}

void State::absorb(Block* low, Block* high) {
  low->size += high->size;
  low->freed_at = std::max(low->freed_at, high->freed_at);
  low->last_free = std::max(low->last_free, high->last_free);
  low->next = high->next;
  if (low->next != nullptr) low->next->previous = low;
  nodes.give_back(high);
}

// With free neighbours. The lower block stays, so that the first of a segment never changes.
Block* State::merge(Block* block) {
  if (Block* next = block->next; next != nullptr && next->is_free && next->is_mapped) {
    take_out(next);
    absorb(block, next);
  }
  if (Block* previous = block->previous; previous != nullptr && previous->is_free && previous->is_mapped) {
    take_out(previous);
    absorb(previous, block);
    return previous;
  }
  return block;
}

// A whole segment, in no list. The driver keeps the memory until work that was submitted is through with it.
void State::give_back_segment(Block* block) {
  Pool& pool = *block->pool;
  trace(Action::kSegmentFree, block->address, block->size, block->stream.id, id_of(pool), block->segment_at);
  {
    const RelaxedCapture relaxed(*this);
    // What fails here fails for good (a lost device): the memory is the driver's to deal with.
    xhal_memory_free(device, reinterpret_cast<void*>(block->address));
  }
  ++stats.num_device_free;
  count_segment(pool, -1);
  count_reserved(pool, -static_cast<int64_t>(block->size));
  if (block->size >= settings.max_split_bytes) stats.oversize_segments.decrease(1);
  segments.erase(block->address);
  nodes.give_back(block);
}

void State::give_back_free(Pool& pool) {
  for (const auto& [stream, list] : pool.lists)
    for (Block* block : list->all())
      if (!block->is_split() && block->expandable == nullptr) {
        take_out(block);
        give_back_segment(block);
      }
  if (filling.empty()) unmap_free(pool);
}

// {0, 0}: of all of them.
void State::give_back_unheld(PoolId only) {
  for (const auto& pool : pools)
    if (pool->holders == 0 && (only == PoolId{} || pool->id == only)) {
      give_back_free(pool->small);
      give_back_free(pool->large);
    }
  std::erase_if(pools, [&](const auto& pool) {
    if (pool->holders != 0 || pool->segments != 0) return false;
    release_addresses(pool->small);
    release_addresses(pool->large);
    return true;
  });
}

void State::release_cached(std::unique_lock<std::mutex>& lock, PoolId pool) {
  wait_for_all_users(lock);
  if (pool == PoolId{}) {
    give_back_free(small);
    give_back_free(large);
  }
  give_back_unheld(pool);
}

// Where blocks are not split, those that are too small for this request lie idle: one that is large enough alone, or the largest
// ones together, make room for it.
bool State::give_back_enough(Pool& pool, Stream stream, uint64_t size) {
  if (settings.max_split_bytes == UINT64_MAX || settings.expandable || pool.kind == PoolKind::kSmall)
    return false;
  const uint64_t wanted = std::max(settings.segment_for(size), settings.max_split_bytes);
  std::vector<Block*> whole;
  for (Block* block : pool.list_of(stream.id, &set_nodes).all())
    if (!block->is_split()) whole.push_back(block);
  std::ranges::sort(whole, std::less<>(), &Block::size);
  const auto enough = std::ranges::lower_bound(whole, wanted, std::less<>(), &Block::size);
  uint64_t given = 0;
  if (enough != whole.end()) {
    given = (*enough)->size;
    take_out(*enough);
    give_back_segment(*enough);
    return true;
  }
  uint64_t together = 0;
  for (const Block* block : whole)
    if (block->size >= settings.max_split_bytes) together += block->size;
  if (together < wanted) return false;
  for (auto block = whole.rbegin(); given < wanted; ++block) {
    given += (*block)->size;
    take_out(*block);
    give_back_segment(*block);
  }
  return true;
}

// Free segments that were passed over more often than the average, until reserved memory and what is wanted are below the threshold.
void State::collect_old(uint64_t wanted) {
  const uint64_t most = std::min(limit, device_bytes == 0 ? UINT64_MAX : device_bytes);
  if (most == UINT64_MAX) return;
  const auto threshold = static_cast<uint64_t>(settings.collect_above * static_cast<double>(most));
  if (reserved() + wanted <= threshold) return;
  uint64_t to_give = reserved() + wanted - threshold;
  std::vector<Block*> whole;
  uint64_t ages = 0;
  const auto age_of = [&](const Block* block) { return large.searches - block->freed_at; };
  for (const auto& [stream, list] : large.lists)
    for (Block* block : list->all())
      if (!block->is_split() && block->expandable == nullptr) {
        whole.push_back(block);
        ages += age_of(block);
      }
  if (whole.empty()) return;
  const uint64_t average = ages / whole.size();
  std::ranges::sort(whole, std::greater<>(), age_of);
  for (Block* block : whole) {
    if (to_give == 0 || age_of(block) < average) break;
    to_give -= std::min(to_give, block->size);
    take_out(block);
    give_back_segment(block);
  }
}

void Allocator::free(Block* block) {
  if (block == nullptr) return;
  State& state = *state_;
  Context context = state.context_if(KeepContexts::kOfAll);
  const std::lock_guard lock(state.mutex);
  if (state.is_tracing()) [[unlikely]]
    state.trace(Action::kFreeRequested, block->address, block->size, block->stream.id, id_of(*block->pool),
                context ? std::move(context) : block->allocated_at);
  state.free(block);
}

void Allocator::release_cached(PoolId pool) {
  std::unique_lock lock(state_->mutex);
  state_->release_cached(lock, pool);
}

}  // namespace xhal::caching
