// SPDX-License-Identifier: Apache-2.0
#include "memory/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace xhal::sim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kLargestPinnedAlignment = uint64_t{1} << 30;
// What the processor can address from user space, less the page at zero that no process has.
constexpr uint64_t kFirstAddress = kPage;
constexpr uint64_t kLastAddress = (uint64_t{1} << 47) - kPage;

template <class... Arguments>
std::string text(const char* format, Arguments... arguments) {
  char buffer[256];
  std::snprintf(buffer, sizeof(buffer), format, arguments...);
  return buffer;
}

bool is_mapped(uint64_t begin, uint64_t end) {
  constexpr uint64_t kPages = 4096;
  unsigned char resident[kPages];
  for (uint64_t page = begin / kPage * kPage; page < end; page += kPages * kPage) {
    const uint64_t size = std::min(end - page, kPages * kPage);
    if (mincore(reinterpret_cast<void*>(page), size, resident) != 0) return false;
  }
  return true;
}

}  // namespace

Memory::Memory(Window& window, const Config& config)
    : window_(window),
      config_(config),
      epochs_(std::make_unique<std::atomic<uint32_t>[]>(config.devices)),
      arenas_(config.devices) {}

Memory::~Memory() {
  for (const Deferred& deferred : deferred_) {
    if (deferred.allocation.kind == XHAL_MEMORY_PINNED)
      std::free(reinterpret_cast<void*>(deferred.allocation.base));
  }
  for (const auto& [base, allocation] : allocations_) {
    if (allocation.kind == XHAL_MEMORY_PINNED) std::free(reinterpret_cast<void*>(base));
  }
}

// ---- Allocation ----------------------------------------------------------------------------------------------------------------

xhal_result_t Memory::allocate(uint32_t device, uint32_t kind, uint64_t size, uint64_t alignment, uint64_t id,
                               void** out_pointer, std::string& why) {
  reclaim();
  Allocation allocation = {0, size, kind, device, epoch(device), id};
  const bool pinned = kind == XHAL_MEMORY_PINNED;
  const xhal_result_t result = pinned ? allocate_pinned(size, alignment, allocation.base, why)
                                      : allocate_device(device, size, alignment, allocation.base, why);
  if (result < 0) return result;
  try {
    const std::lock_guard lock(map_mutex_);
    allocations_.emplace(allocation.base, allocation);
  } catch (...) {
    give_back(allocation);
    throw;
  }
  *out_pointer = reinterpret_cast<void*>(allocation.base);
  return XHAL_SUCCESS;
}

xhal_result_t Memory::allocate_device(uint32_t device, uint64_t size, uint64_t alignment, uint64_t& out_base,
                                      std::string& why) {
  Arena* arena = nullptr;
  {
    const std::lock_guard lock(arena_mutex_);
    std::unique_ptr<Arena>& slot = arenas_[device];
    if (slot == nullptr) slot = Arena::create(window_, config_.device_bytes, why);
    if (slot == nullptr) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
    arena = slot.get();
  }
  const std::optional<uint64_t> base = arena->allocate(size, alignment);
  if (base.has_value()) {
    out_base = *base;
    return XHAL_SUCCESS;
  }
  const uint64_t unused = arena->limit() - arena->used();
  const size_t deferred = deferred_count_.load(std::memory_order_relaxed);
  why = text("%" PRIu64 " bytes do not fit: %" PRIu64 " of %" PRIu64 " bytes of device %u are free%s", size,
             unused, arena->limit(), device,
             deferred != 0 ? "; freed memory waits for work that is not done: synchronise and try again"
                           : "; free some and try again");
  return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
}

xhal_result_t Memory::allocate_pinned(uint64_t size, uint64_t alignment, uint64_t& out_base,
                                      std::string& why) {
  uint64_t used = pinned_used_.load(std::memory_order_relaxed);
  do {
    if (size > config_.pinned_bytes || used > config_.pinned_bytes - size) {
      why = text("%" PRIu64 " bytes do not fit: %" PRIu64 " of %" PRIu64 " bytes of pinned memory are in use",
                 size, used, config_.pinned_bytes);
      return XHAL_ERROR_OUT_OF_HOST_MEMORY;
    }
  } while (!pinned_used_.compare_exchange_weak(used, used + size, std::memory_order_relaxed));
  void* pointer = nullptr;
  const bool sensible = alignment <= kLargestPinnedAlignment;
  // One byte more, so that its end is never another allocation's beginning.
  if (!sensible || posix_memalign(&pointer, std::max(alignment, Arena::kGranule), size + 1) != 0) {
    pinned_used_.fetch_sub(size, std::memory_order_relaxed);
    why = text("the system has no %" PRIu64 " bytes of memory at a multiple of %" PRIu64, size, alignment);
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  out_base = reinterpret_cast<uint64_t>(pointer);
  return XHAL_SUCCESS;
}

xhal_result_t Memory::free(uint32_t device, const void* pointer, const std::function<Pending()>& pending,
                           std::string& why) {
  Allocation allocation;
  {
    const std::lock_guard lock(map_mutex_);
    const auto it = allocations_.find(reinterpret_cast<uint64_t>(pointer));
    if (it == allocations_.end()) {
      const Allocation* around = at(reinterpret_cast<uint64_t>(pointer));
      why = around == nullptr ? text("%p is not allocated", pointer)
                              : text("%p lies inside the allocation at 0x%" PRIx64 "; free takes its base",
                                     pointer, around->base);
      return XHAL_ERROR_INVALID_POINTER;
    }
    allocation = it->second;
    if (allocation.kind == XHAL_MEMORY_REGISTERED) {
      why = text("%p is registered, not allocated; use xhal_memory_unregister", pointer);
      return XHAL_ERROR_INVALID_POINTER;
    }
    if (allocation.device != device) {
      why = text("%p belongs to device %u, not to device %u", pointer, allocation.device, device);
      return XHAL_ERROR_INVALID_POINTER;
    }
    Pending work = pending();
    const bool deferred = !work.empty();
    if (deferred) {
      const std::lock_guard deferred_lock(deferred_mutex_);
      deferred_.push_back({allocation, std::move(work)});
      deferred_count_.fetch_add(1, std::memory_order_relaxed);
    }
    allocations_.erase(it);
    if (deferred) return XHAL_SUCCESS;
  }
  give_back(allocation);
  return XHAL_SUCCESS;
}

void Memory::reclaim() {
  if (deferred_count_.load(std::memory_order_acquire) == 0) return;
  // Held to the end: who comes meanwhile finds the memory given back, not on its way.
  const std::lock_guard reclaiming(reclaim_mutex_);
  std::vector<Deferred> ready;
  {
    const std::lock_guard lock(deferred_mutex_);
    const auto is_waiting = [](const Deferred& deferred) {
      return !std::ranges::all_of(deferred.pending,
                                  [](const Position& p) { return p.progress->reached(p.number); });
    };
    const auto first = std::partition(deferred_.begin(), deferred_.end(), is_waiting);
    ready.assign(std::make_move_iterator(first), std::make_move_iterator(deferred_.end()));
    deferred_.erase(first, deferred_.end());
  }
  for (const Deferred& deferred : ready) give_back(deferred.allocation);
  deferred_count_.fetch_sub(ready.size(), std::memory_order_release);
}

void Memory::give_back(const Allocation& allocation) {
  if (allocation.kind == XHAL_MEMORY_PINNED) {
    std::free(reinterpret_cast<void*>(allocation.base));
    pinned_used_.fetch_sub(allocation.size, std::memory_order_relaxed);
    return;
  }
  Arena* arena = nullptr;
  {
    const std::lock_guard lock(arena_mutex_);
    arena = arenas_[allocation.device].get();
  }
  arena->release(allocation.base, allocation.size);
}

// ---- Registration --------------------------------------------------------------------------------------------------------------

xhal_result_t Memory::add_registered(uint32_t device, void* pointer, uint64_t size, uint64_t id,
                                     std::string& why) {
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  if (begin < kFirstAddress || begin > kLastAddress || size > kLastAddress - begin) {
    why = text("%p with %" PRIu64 " bytes is no range of host memory", pointer, size);
    return XHAL_ERROR_INVALID_POINTER;
  }
  const uint64_t end = begin + size;
  if (begin < window_.base() + window_.size() && window_.base() < end) {
    why = text("%p is a device address; only host memory is registered", pointer);
    return XHAL_ERROR_INVALID_POINTER;
  }
  if (!is_mapped(begin, end)) {
    why = text("%p with %" PRIu64 " bytes is not mapped in this process", pointer, size);
    return XHAL_ERROR_INVALID_POINTER;
  }
  const std::lock_guard lock(map_mutex_);
  if (const Allocation* known = first_in(begin, end); known != nullptr) {
    why = text("%p with %" PRIu64 " bytes overlaps what is %s at 0x%" PRIx64, pointer, size,
               known->kind == XHAL_MEMORY_REGISTERED ? "registered" : "allocated", known->base);
    return XHAL_ERROR_INVALID_POINTER;
  }
  allocations_.emplace(begin, Allocation{begin, size, XHAL_MEMORY_REGISTERED, device, epoch(device), id});
  return XHAL_SUCCESS;
}

xhal_result_t Memory::remove_registered(uint32_t device, const void* pointer, std::string& why) {
  const std::lock_guard lock(map_mutex_);
  const auto it = allocations_.find(reinterpret_cast<uint64_t>(pointer));
  if (it == allocations_.end() || it->second.kind != XHAL_MEMORY_REGISTERED || it->second.device != device) {
    why = text("%p is not the base of a range that is registered with device %u", pointer, device);
    return XHAL_ERROR_INVALID_POINTER;
  }
  allocations_.erase(it);
  return XHAL_SUCCESS;
}

// ---- Questions -----------------------------------------------------------------------------------------------------------------

const Allocation* Memory::at(uint64_t address) const {
  auto it = allocations_.upper_bound(address);
  if (it == allocations_.begin()) return nullptr;
  --it;
  return it->second.contains(address) ? &it->second : nullptr;
}

const Allocation* Memory::first_in(uint64_t begin, uint64_t end) const {
  if (const Allocation* around = at(begin); around != nullptr) return around;
  const auto it = allocations_.lower_bound(begin);
  return it != allocations_.end() && it->first < end ? &it->second : nullptr;
}

xhal_result_t Memory::View::resolve(const void* pointer, uint64_t size, Resolved& out) const {
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  const auto refuse = [&](xhal_result_t code, const char* problem) {
    out.problem = problem;
    return code;
  };
  if (pointer == nullptr) return refuse(XHAL_ERROR_INVALID_POINTER, "is null");
  if (begin < kFirstAddress || begin > kLastAddress)
    return refuse(XHAL_ERROR_INVALID_POINTER, "is no address of this process");
  // A range that runs off the address space overlaps what follows its begin all the same.
  const uint64_t end = size > kLastAddress - begin ? kLastAddress : begin + size;
  const Allocation* known = memory_.first_in(begin, end);
  if (known == nullptr) {
    if (begin < memory_.window_.base() + memory_.window_.size() && memory_.window_.base() < end) {
      return refuse(XHAL_ERROR_INVALID_POINTER, "is a device address where nothing is allocated");
    }
    if (size > kLastAddress - begin) return refuse(XHAL_ERROR_OUT_OF_RANGE, "runs off the address space");
    out.allocation = {};
    out.host = reinterpret_cast<std::byte*>(begin);
    return XHAL_SUCCESS;
  }
  if (known->epoch != memory_.epoch(known->device)) {
    return refuse(XHAL_ERROR_INVALID_POINTER, "was made before its device was reset and can only be freed");
  }
  if (!known->contains(begin) || size > known->end() - begin)
    return refuse(XHAL_ERROR_OUT_OF_RANGE, "leaves its allocation");
  out.allocation = *known;
  out.host = reinterpret_cast<std::byte*>(
      known->kind == XHAL_MEMORY_DEVICE ? begin + memory_.window_.distance() : begin);
  return XHAL_SUCCESS;
}

Allocation Memory::find(const void* pointer) const {
  const std::shared_lock lock(map_mutex_);
  const Allocation* known = at(reinterpret_cast<uint64_t>(pointer));
  return known != nullptr ? *known : Allocation{};
}

Memory::Info Memory::info(uint32_t device) {
  reclaim();
  const std::lock_guard lock(arena_mutex_);
  const Arena* arena = arenas_[device].get();
  return {config_.device_bytes - (arena != nullptr ? arena->used() : 0), config_.device_bytes};
}

}  // namespace xhal::sim
