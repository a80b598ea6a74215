// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <utility>

#include "state.hpp"

namespace xhal::caching {

using State = AllocatorState;

const char* name_of(Action action) {
  switch (action) {
    case Action::kAlloc:
      return "alloc";
    case Action::kFreeRequested:
      return "free_requested";
    case Action::kFreeCompleted:
      return "free_completed";
    case Action::kSegmentAlloc:
      return "segment_alloc";
    case Action::kSegmentFree:
      return "segment_free";
    case Action::kSegmentMap:
      return "segment_map";
    case Action::kSegmentUnmap:
      return "segment_unmap";
    case Action::kSnapshot:
      return "snapshot";
    case Action::kOutOfMemory:
      return "oom";
  }
  return "unknown";
}

Context State::context_if(KeepContexts least) const {
  if (keep_contexts.load(std::memory_order_relaxed) < least) [[likely]]
    return {};
  std::shared_ptr<const std::function<Context()>> source;
  {
    const std::lock_guard lock(context_mutex);
    source = context_source;
  }
  return source && *source ? (*source)() : Context{};
}

void State::trace(Action action, uint64_t address, uint64_t size, uint64_t stream_id, PoolId pool,
                  Context context) {
  if (!is_tracing()) return;
  TraceEntry entry;
  entry.action = action;
  entry.address = address;
  entry.size = size;
  entry.stream_id = stream_id;
  entry.pool = pool;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  entry.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  const bool keeps_context = keep_contexts.load(std::memory_order_relaxed) >= KeepContexts::kOfAllocations;
  if (keeps_context) entry.context = std::move(context);
  if (trace_callback) trace_callback(entry);
  if (history_limit == 0) return;
  if (history.size() == history_limit) history.pop_front();
  history.push_back(std::move(entry));
}

// Runs of mapped blocks; for most segments that is the segment.
Snapshot State::snapshot() {
  Snapshot out;
  trace(Action::kSnapshot, 0, 0, 0, {});
  for (const auto& [address, first] : segments) {
    bool continues = false;
    for (const Block* block = first; block != nullptr; block = block->next) {
      if (!block->is_mapped) {
        continues = false;
        continue;
      }
      if (!std::exchange(continues, true)) {
        SegmentInfo segment;
        segment.address = block->address;
        segment.stream_id = first->stream.id;
        segment.is_large = block->pool->kind == PoolKind::kLarge;
        segment.is_expandable = block->expandable != nullptr;
        segment.pool = id_of(*block->pool);
        segment.allocated_at = first->segment_at;
        out.segments.push_back(std::move(segment));
      }
      SegmentInfo& segment = out.segments.back();
      BlockInfo info;
      info.address = block->address;
      info.size = block->size;
      info.requested_size = block->is_live ? block->requested : 0;
      info.is_live = block->is_live;
      info.is_active = !block->is_free;
      info.age = block->is_free ? static_cast<uint32_t>(block->pool->searches - block->freed_at) : 0;
      info.allocated_at = block->allocated_at;
      segment.total_size += info.size;
      segment.requested_size += info.requested_size;
      if (info.is_live) segment.live_size += info.size;
      if (info.is_active) segment.active_size += info.size;
      segment.blocks.push_back(std::move(info));
    }
  }
  out.trace.assign(history.begin(), history.end());
  return out;
}

Snapshot Allocator::snapshot() {
  const std::lock_guard lock(state_->mutex);
  return state_->snapshot();
}

void Allocator::record_history(KeepContexts keep, uint64_t max_entries, std::function<Context()> context) {
  const std::lock_guard lock(state_->mutex);
  {
    const std::lock_guard context_lock(state_->context_mutex);
    state_->context_source = std::make_shared<const std::function<Context()>>(std::move(context));
  }
  state_->keep_contexts = keep;
  state_->history_limit = max_entries;
  while (state_->history.size() > max_entries) state_->history.pop_front();
}

void Allocator::on_trace(std::function<void(const TraceEntry&)> callback) {
  const std::lock_guard lock(state_->mutex);
  state_->trace_callback = std::move(callback);
}

void Allocator::on_out_of_memory(std::function<void(const OutOfMemory&)> callback) {
  const std::lock_guard lock(state_->mutex);
  state_->shortage_callback = std::move(callback);
}

void Allocator::on_pressure(std::function<bool(uint64_t)> callback) {
  const std::lock_guard lock(state_->mutex);
  state_->pressure_callback = std::move(callback);
}

}  // namespace xhal::caching
