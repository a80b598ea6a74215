// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/handles.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

// Counts forks from the first process on. A lock word that names another generation was left behind by a thread that this process
// does not have.
std::atomic<uint32_t> process_generation{1};

[[maybe_unused]] const int kForkHandlerAdded =
    pthread_atfork(nullptr, nullptr, [] { process_generation.fetch_add(1, std::memory_order_relaxed); });

// libxhal reads the headers of stale handles while their slots are given out again, so each field is stored at once.
template <class T>
void store(T& field, T value, std::memory_order order) {
  std::atomic_ref<T>(field).store(value, order);
}

constexpr uint32_t kLastType = std::max({
#define XHAL_KIT_TAG(name, tag) uint32_t{tag},
    XHAL_HANDLE_LIST(XHAL_KIT_TAG)
#undef XHAL_KIT_TAG
});

struct Slabs {
  HandleSlab of_type[kLastType + 1];
};

template <size_t... kTypes>
constexpr Slabs make_slabs(std::index_sequence<kTypes...>) {
  return Slabs{{HandleSlab(kTypes)...}};
}

// Made by the compiler and never destroyed: usable before the first and after the last static object of the library.
constinit Slabs slabs = make_slabs(std::make_index_sequence<kLastType + 1>{});
static_assert(std::is_trivially_destructible_v<Slabs>);

}  // namespace

void ForkProofLock::lock() {
  const uint32_t mine = process_generation.load(std::memory_order_relaxed);
  uint32_t holder = 0;
  while (!holder_.compare_exchange_weak(holder, mine, std::memory_order_acquire, std::memory_order_relaxed)) {
    // `holder` now tells who has it. One of another generation did not come along through the fork: the next round takes it over.
    if (holder == mine) {
      holder_.wait(mine, std::memory_order_relaxed);
      holder = 0;
    }
  }
}

void ForkProofLock::unlock() {
  holder_.store(0, std::memory_order_release);
  holder_.notify_one();
}

HandleSlab::Slot* HandleSlab::take_slot() {
  const size_t count = queue_count_.load(std::memory_order_relaxed);
  if (count > kMinimumQueue) {
    Slot* slot = queue_head_.load(std::memory_order_relaxed);
    queue_count_.store(count - 1, std::memory_order_release);
    queue_head_.store(slot->next.load(std::memory_order_relaxed), std::memory_order_release);
    return slot;
  }
  Slab* slab = newest_.load(std::memory_order_relaxed);
  if (slab == nullptr || slab->used.load(std::memory_order_relaxed) == kSlotsPerSlab) {
    void* memory = std::aligned_alloc(alignof(Slab), sizeof(Slab));
    if (memory == nullptr) return nullptr;
    Slab* older = slab;
    slab = new (memory) Slab{};
    slab->older = older;
    for (Slot& slot : slab->slots) slot.header.type = type_;
    newest_.store(slab, std::memory_order_release);
  }
  const size_t used = slab->used.load(std::memory_order_relaxed);
  slab->used.store(used + 1, std::memory_order_release);
  return &slab->slots[used];
}

xhal_handle_header_t* HandleSlab::allocate(void* object) {
  Slot* slot = nullptr;
  {
    const std::lock_guard guard(lock_);
    slot = take_slot();
  }
  if (slot == nullptr) return nullptr;
  xhal_handle_header_t& header = slot->header;
  const uint32_t generation = header.generation + 1;
  store(header.generation, generation == 0 ? 1 : generation, std::memory_order_relaxed);
  store(header.object, object, std::memory_order_relaxed);
  store(header.table, services().dead_table, std::memory_order_release);
  return &header;
}

void HandleSlab::free(xhal_handle_header_t* header) {
  store(header->table, services().dead_table, std::memory_order_release);
  store(header->object, static_cast<void*>(nullptr), std::memory_order_relaxed);
  static_assert(std::is_standard_layout_v<Slot> && offsetof(Slot, header) == 0);
  auto* slot = reinterpret_cast<Slot*>(header);
  const std::lock_guard guard(lock_);
  const size_t count = queue_count_.load(std::memory_order_relaxed);
  // Counted last: who stops between two of these stores leaves at most a slot that is never used again.
  if (count == 0) {
    queue_head_.store(slot, std::memory_order_release);
  } else {
    queue_tail_.load(std::memory_order_relaxed)->next.store(slot, std::memory_order_release);
  }
  queue_tail_.store(slot, std::memory_order_release);
  queue_count_.store(count + 1, std::memory_order_release);
}

HandleSlab& slab_of(uint32_t type) { return slabs.of_type[type <= kLastType ? type : 0]; }

}  // namespace xhal::kit
