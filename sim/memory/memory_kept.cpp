// SPDX-License-Identifier: Apache-2.0
// Memory that lives as long as somebody keeps it, whoever knows its address: that of graphs, and the global variables of modules.
#include "memory/memory.hpp"

namespace xhal::sim {

xhal_result_t Memory::allocate_global(uint32_t device, uint64_t size, uint64_t alignment, uint64_t id,
                                      void** out_pointer, std::string& why) {
  void* pointer = nullptr;
  const xhal_result_t result = allocate(device, XHAL_MEMORY_DEVICE, size, alignment, id, &pointer, why);
  if (result < 0) return result;
  try {
    begin_graph_memory();
  } catch (...) {
    static_cast<void>(free(device, pointer, why));
    throw;
  }
  static_cast<void>(map_.change_flags(reinterpret_cast<uint64_t>(pointer), Allocation::kOfModule, 0));
  *out_pointer = pointer;
  return result;
}

void Memory::withdraw_global(const void* pointer) {
  const std::lock_guard lock(shared_mutex_);
  const Allocation found = find(pointer);
  if (!found.has(Allocation::kOfModule)) return;
  withheld_.emplace(found.id, range_of(found));
  Allocation gone;
  static_cast<void>(map_.erase(found.base, gone, [](const Allocation&) { return true; }));
}

void Memory::begin_graph_memory() {
  const std::lock_guard lock(ended_mutex_);
  ended_.reserve(graph_memories_ + 1);
  ++graph_memories_;
}

void Memory::end_graph_memory(const void* pointer, uint64_t id) noexcept {
  const std::lock_guard lock(ended_mutex_);
  ended_.push_back({pointer, id});
  ended_count_.store(ended_.size(), std::memory_order_release);
}

void Memory::free_graph_memory() {
  std::vector<GraphMemory> ended;
  {
    const std::lock_guard lock(ended_mutex_);
    ended.reserve(graph_memories_);
    ended.swap(ended_);
    graph_memories_ -= ended.size();
    ended_count_.store(0, std::memory_order_release);
  }
  for (const auto& [pointer, id] : ended) {
    const Allocation found = find(pointer);
    if (found.id != id) {
      end_share(reinterpret_cast<uint64_t>(pointer), id);  // withdrawn, or nothing is left of it
      continue;
    }
    static_cast<void>(map_.change_flags(found.base, 0, Allocation::kOfGraph | Allocation::kOfModule));
    std::string why;
    if (!found.has(Allocation::kOfPool)) {
      static_cast<void>(free(found.device, pointer, why));
      continue;
    }
    const std::lock_guard lock(pools_mutex_);
    for (const auto& [key, pool] : pools_) {
      if (pool->device == found.device && free_to(*pool, {}, pointer, why) == XHAL_SUCCESS) break;
    }
  }
}

}  // namespace xhal::sim
