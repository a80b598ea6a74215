// SPDX-License-Identifier: Apache-2.0
#include "memory/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cinttypes>
#include <new>
#include <utility>

#include "engine/odd.hpp"
#include "memory/text.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t kUsualMemory = uint64_t{1} << 30;  // the option's default

constexpr uint64_t kPage = AddressMap::kPage;
// What the processor can address from user space, less the page at zero that no process has.
constexpr uint64_t kFirstAddress = kPage;
constexpr uint64_t kLastAddress = (uint64_t{1} << 47) - kPage;

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

DevicePool::~DevicePool() {
  if (handle != nullptr) kit::free_handle(handle);
}

Memory::Memory(Window& window, const Config& config, std::function<Pending()> pending)
    : window_(window),
      config_(config),
      epochs_(std::make_unique<std::atomic<uint32_t>[]>(config.devices)),
      peers_(std::make_unique<std::atomic<uint64_t>[]>(config.devices)),
      arenas_(config.devices),
      pinned_(window, config.pinned_bytes),
      retired_(std::move(pending), [this](const RetiredRange& range) { give_back(range); }),
      virtual_memory_(
          window, map_, retired_, [this](uint32_t device, std::string& why) { return arena_of(device, why); },
          [this](uint32_t device, uint64_t size, uint64_t alignment, uint64_t& out_base, std::string& why) {
            return allocate_device(device, size, alignment, out_base, why);
          }) {}

Memory::~Memory() {
  retired_.release_all();
  for (const auto& [base, import] : imported_) {
    window_.clear_backing(import.slice);
    window_.give_slice(import.slice);
  }
}

xhal_result_t Memory::prepare(std::string& why) {
  if (map_.open({window_.base(), window_.base() + window_.distance() + window_.size()})) return XHAL_SUCCESS;
  why = "the process has no address space left for the table of addresses";
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

// ---- Allocation ----------------------------------------------------------------------------------------------------------------

xhal_result_t Memory::allocate(uint32_t device, uint32_t kind, uint64_t size, uint64_t alignment, uint64_t id,
                               void** out_pointer, std::string& why) {
  return allocate_as({0, size, kind, device, epoch(device), id, 0, 0, 0}, alignment, out_pointer, why);
}

xhal_result_t Memory::allocate_as(Allocation allocation, uint64_t alignment, void** out_pointer,
                                  std::string& why) {
  const uint32_t kind = allocation.kind;
  const uint64_t size = allocation.size;
  if (const xhal_result_t result = prepare(why); result < 0) return result;
  settle_graph_memory();
  retired_.reclaim_known();
  if (kind == XHAL_MEMORY_PINNED) {
    std::optional<uint64_t> base = pinned_.allocate(size, alignment, why);
    if (!base.has_value() && !retired_.is_empty()) {
      retired_.reclaim();
      base = pinned_.allocate(size, alignment, why);
    }
    if (!base.has_value()) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
    allocation.base = *base;
  } else {
    const xhal_result_t result = allocate_device(allocation.device, size, alignment, allocation.base, why);
    if (result < 0) return result;
    // The host, too, reaches managed memory: where its bytes are, which no kernel moves.
    if (kind == XHAL_MEMORY_MANAGED) allocation.base += window_.distance();
  }
  try {
    map_.insert(allocation);
  } catch (...) {
    give_back(range_of(allocation));
    throw;
  }
  *out_pointer = reinterpret_cast<void*>(allocation.base);
  return XHAL_SUCCESS;
}

namespace {

// Whether a device of the usual size would have had it.
void count_if_scarce(const Arena& arena, uint64_t size) {
  if (size <= kUsualMemory && arena.used() + size <= kUsualMemory) count(Oddity::kScarce);
}

}  // namespace

Arena* Memory::arena_of(uint32_t device, std::string& why) {
  const std::lock_guard lock(arenas_mutex_);
  std::unique_ptr<Arena>& slot = arenas_[device];
  if (slot == nullptr) {
    // Three quarters of what is left are left to other instances and to what is no device's.
    const uint64_t share = window_.available() / 4 / config_.devices;
    slot = Arena::create(window_, config_.device_bytes, why, share);
    if (slot != nullptr && config_.reuses) slot->give_out_again();
    if (slot != nullptr) map_.set_owner(slot->addresses(), AddressMap::owner_of(device));
  }
  return slot.get();
}

xhal_result_t Memory::allocate_device(uint32_t device, uint64_t size, uint64_t alignment, uint64_t& out_base,
                                      std::string& why) {
  Arena* const arena = arena_of(device, why);
  if (arena == nullptr) return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  // Alignments up to the distance hold for the backing, too.
  if (alignment > window_.distance()) {
    why = text("the device has no address that is a multiple of %" PRIu64, alignment);
    return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  }
  std::optional<uint64_t> base = arena->allocate(size, alignment);
  if (!base.has_value()) {
    retired_.reclaim();
    settle_pools(device, true);
    base = arena->allocate(size, alignment);
  }
  if (base.has_value()) {
    out_base = *base;
    return XHAL_SUCCESS;
  }
  const uint64_t unused = arena->limit() - arena->used();
  count_if_scarce(*arena, size);
  if (size <= unused) {
    why = text("device %u has no %" PRIu64 " bytes in a row at a multiple of %" PRIu64 ", although %" PRIu64
               " of %" PRIu64 " are free; free some or ask for a smaller alignment",
               device, size, std::max(alignment, Arena::kGranule), unused, arena->limit());
  } else {
    why = text("%" PRIu64 " bytes do not fit: %" PRIu64 " of %" PRIu64 " bytes of device %u are free%s", size,
               unused, arena->limit(), device,
               retired_.is_empty()
                   ? "; free some and try again"
                   : "; freed memory waits for work that is not done: synchronise and try again");
  }
  return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
}

xhal_result_t Memory::free(uint32_t device, const void* pointer, std::string& why) {
  why.clear();
  Allocation gone;
  const auto may_go = [&](const Allocation& found) {
    if (found.kind == XHAL_MEMORY_REGISTERED) {
      why = text("%p is registered, not allocated; use xhal_memory_unregister", pointer);
    } else if (found.kind == XHAL_MEMORY_RESERVED || found.has(Allocation::kMapped)) {
      why = text("%p is reserved or mapped, not allocated; use xhal_vmm_unmap and xhal_vmm_release", pointer);
    } else if (found.has(Allocation::kOfModule)) {
      why = text("%p is a global variable of a module; xhal_module_destroy frees it", pointer);
    } else if (found.has(Allocation::kOfPool)) {
      why = text("%p belongs to a pool that lives; use xhal_pool_free", pointer);
    } else if (found.has(Allocation::kNative) || found.has(Allocation::kBorrowed)) {
      why = text("%p is borrowed; its owner frees it", pointer);
    } else if (found.has(Allocation::kImported) && found.kind == XHAL_MEMORY_DEVICE) {
      why = text("%p is imported; use xhal_ipc_close_memory or xhal_memory_release_external", pointer);
    } else if (found.device != device) {
      why = text("%p belongs to device %u, not to device %u", pointer, found.device, device);
    } else {
      return true;
    }
    return false;
  };
  bool is_gone = false;
  {
    // Between end_share() and this there is an order.
    const std::lock_guard lock(shared_mutex_);
    is_gone = map_.erase(reinterpret_cast<uint64_t>(pointer), gone, may_go);
    if (is_gone && gone.has(Allocation::kShared)) {
      withheld_.emplace(gone.id, range_of(gone));
      return XHAL_SUCCESS;
    }
  }
  if (is_gone) {
    retired_.add(range_of(gone));
    return XHAL_SUCCESS;
  }
  if (why.empty()) {
    const Allocation around = find(pointer);
    why = around.kind == XHAL_MEMORY_UNMANAGED
              ? text("%p is not allocated", pointer)
              : text("%p lies inside the allocation at 0x%" PRIx64 "; free takes its base", pointer,
                     around.base);
  }
  return XHAL_ERROR_INVALID_POINTER;
}

RetiredRange Memory::range_of(const Allocation& allocation) const {
  if (allocation.kind == XHAL_MEMORY_PINNED)
    return {RetiredRange::What::kHost,
            allocation.device,
            {allocation.base, allocation.end()},
            allocation.size,
            false};
  const uint64_t base =
      allocation.kind == XHAL_MEMORY_MANAGED ? allocation.base - window_.distance() : allocation.base;
  return {RetiredRange::What::kDevice,
          allocation.device,
          {base, base + Arena::footprint(allocation.size)},
          Arena::charge_of(allocation.size),
          allocation.has(Allocation::kTouched)};
}

void Memory::give_back(const RetiredRange& range) {
  switch (range.what) {
    case RetiredRange::What::kDevice: {
      std::string why;
      Arena* const arena = arena_of(range.device, why);
      Descriptor own_file;
      {
        const std::lock_guard lock(shared_mutex_);
        if (const auto it = own_files_.find(range.addresses.begin); it != own_files_.end()) {
          own_file = std::move(it->second);
          own_files_.erase(it);
        }
      }
      // Whoever has the file keeps the bytes. Addresses that the arena cannot back again are nobody's from now on.
      if (own_file && !arena->back(range.addresses)) {
        arena->uncharge(range.size);
        return;
      }
      if (range.was_shared) arena->wipe(range.addresses);
      arena->give(range.addresses);
      arena->uncharge(range.size);
      return;
    }
    case RetiredRange::What::kHost:
      pinned_.release(range.addresses.begin, range.size);
      return;
    case RetiredRange::What::kUnmapped:
      virtual_memory_.clear(range);
      return;
    case RetiredRange::What::kSlice: {
      Descriptor hold;
      {
        const std::lock_guard lock(shared_mutex_);
        if (const auto it = closing_.find(range.addresses.begin); it != closing_.end()) {
          hold = std::move(it->second);
          closing_.erase(it);
        }
      }
      virtual_memory_.clear(range);
      return;
    }
  }
}

// ---- Registered and imported ---------------------------------------------------------------------------------------------------

xhal_result_t Memory::add_registered(uint32_t device, void* pointer, uint64_t size, uint64_t id,
                                     std::string& why) {
  const Allocation range = {
      reinterpret_cast<uint64_t>(pointer), size, XHAL_MEMORY_REGISTERED, device, epoch(device), id, 0, 0, 0};
  const uint64_t begin = range.base;
  const auto refuse = [&](const char* problem) {
    why = text("0x%" PRIx64 " with %" PRIu64 " bytes %s; only host memory is registered", begin, range.size,
               problem);
    return XHAL_ERROR_INVALID_POINTER;
  };
  if (begin < kFirstAddress || begin > kLastAddress || range.size > kLastAddress - begin)
    return refuse("is no range of host memory");
  if (const xhal_result_t result = prepare(why); result < 0) return result;
  if (begin < window_.base() + window_.distance() + window_.size() && window_.base() < range.end())
    return refuse("is memory of the simulator's");
  if (!is_mapped(begin, range.end())) return refuse("is not mapped in this process");
  if (!map_.insert_if_free(range)) return refuse("overlaps what is known");
  return XHAL_SUCCESS;
}

xhal_result_t Memory::allocate_native(uint32_t device, uint64_t size, uint64_t id, void** out_pointer,
                                      std::string& why) {
  constexpr uint32_t kFlags = Allocation::kImported | Allocation::kNative;
  return allocate_as({0, size, XHAL_MEMORY_DEVICE, device, epoch(device), id, kFlags, 0, 0}, 0, out_pointer,
                     why);
}

bool Memory::free_native(uint32_t device, const void* pointer) {
  Allocation gone;
  if (!map_.erase(reinterpret_cast<uint64_t>(pointer), gone, [&](const Allocation& found) {
        return found.has(Allocation::kNative) && found.device == device;
      }))
    return false;
  retired_.add(range_of(gone));
  return true;
}

xhal_result_t Memory::import_native(uint32_t device, const Allocation& owners, uint64_t id,
                                    std::string& why) {
  if (const xhal_result_t result = prepare(why); result < 0) return result;
  const std::lock_guard lock(imports_mutex_);
  for (;;) {
    const Allocation known = map_.first_in(owners.base, owners.end());
    if (known.kind == XHAL_MEMORY_UNMANAGED) break;
    if (known.has(Allocation::kBorrowed) && known.base == owners.base && known.size == owners.size &&
        known.device == device && known.epoch == epoch(device))
      return XHAL_SUCCESS;
    Allocation gone;
    if (!map_.erase(known.base, gone, [](const Allocation& a) { return a.has(Allocation::kBorrowed); })) {
      why = text("0x%" PRIx64 " with %" PRIu64 " bytes overlaps what the instance has there", owners.base,
                 owners.size);
      return XHAL_ERROR_INVALID_POINTER;
    }
  }
  constexpr uint32_t kFlags = Allocation::kImported | Allocation::kBorrowed;
  map_.insert({owners.base, owners.size, XHAL_MEMORY_DEVICE, device, epoch(device), id, kFlags, 0, 0});
  return XHAL_SUCCESS;
}

xhal_result_t Memory::remove_registered(uint32_t device, const void* pointer, std::string& why) {
  Allocation gone;
  if (map_.erase(reinterpret_cast<uint64_t>(pointer), gone, [&](const Allocation& found) {
        return found.kind == XHAL_MEMORY_REGISTERED && found.device == device;
      }))
    return XHAL_SUCCESS;
  why = text("%p is not the base of a range that is registered with device %u", pointer, device);
  return XHAL_ERROR_INVALID_POINTER;
}

// ---- Questions -----------------------------------------------------------------------------------------------------------------

xhal_result_t Memory::resolve(const void* pointer, uint64_t size, Use use, Resolved& out) const {
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  const auto refuse = [&](xhal_result_t code, const char* problem) {
    out.problem = problem;
    return code;
  };
  if (pointer == nullptr) return refuse(XHAL_ERROR_INVALID_POINTER, "is null");
  if (begin < kFirstAddress || begin > kLastAddress)
    return refuse(XHAL_ERROR_INVALID_POINTER, "is no address of this process");
  out.allocation = map_.find(begin);
  const Allocation& found = out.allocation;
  const bool at_backing = window_.contains(begin);
  if (found.kind == XHAL_MEMORY_UNMANAGED) {
    // A range that runs off the address space overlaps what follows its begin all the same.
    const uint64_t end = size > kLastAddress - begin ? kLastAddress : begin + size;
    if (map_.first_in(begin, end).kind != XHAL_MEMORY_UNMANAGED)
      return refuse(XHAL_ERROR_OUT_OF_RANGE, "leaves its allocation");
    if (begin < window_.base() + window_.distance() + window_.size() && window_.base() < end)
      return refuse(XHAL_ERROR_INVALID_POINTER,
                    "is an address of the simulator's where nothing is allocated");
    if (size > kLastAddress - begin) return refuse(XHAL_ERROR_OUT_OF_RANGE, "runs off the address space");
    out.host = reinterpret_cast<std::byte*>(begin);
    return XHAL_SUCCESS;
  }
  if (found.epoch != epoch(found.device))
    return refuse(XHAL_ERROR_INVALID_POINTER, "was made before its device was reset and can only be freed");
  if (found.kind == XHAL_MEMORY_RESERVED)
    return refuse(XHAL_ERROR_INVALID_POINTER, "is reserved, and nothing is mapped there");
  out.host = reinterpret_cast<std::byte*>(at_backing ? begin + window_.distance() : begin);
  if (found.has(Allocation::kMapped)) return resolve_mapped(begin, size, use, out);
  if (size > found.end() - begin) return refuse(XHAL_ERROR_OUT_OF_RANGE, "leaves its allocation");
  return XHAL_SUCCESS;
}

// Mappings that lie side by side are one allocation for what works on them. [XHAL-VMM-5]
xhal_result_t Memory::resolve_mapped(uint64_t begin, uint64_t size, Use use, Resolved& out) const {
  const uint64_t bit = uint64_t{1} << use.device;
  Allocation piece = out.allocation;
  for (;;) {
    const bool may = ((use.access & XHAL_ACCESS_READ) == 0 || (piece.readers & bit) != 0) &&
                     ((use.access & XHAL_ACCESS_WRITE) == 0 || (piece.writers & bit) != 0);
    if (!may) {
      out.problem = "is mapped, and the device has no such access there";
      return XHAL_ERROR_INVALID_POINTER;
    }
    if (size <= piece.end() - begin) return XHAL_SUCCESS;
    size -= piece.end() - begin;
    begin = piece.end();
    piece = map_.find(begin);
    if (!piece.has(Allocation::kMapped) || piece.epoch != epoch(piece.device)) {
      out.problem = "leaves what is mapped";
      return XHAL_ERROR_OUT_OF_RANGE;
    }
  }
}

xhal_result_t Memory::check_argument(const void* pointer, uint64_t size, Use use,
                                     const char*& problem) const {
  if (size == 0) {
    if (pointer == nullptr) return XHAL_SUCCESS;
    if (!was_reset_.load(std::memory_order_acquire)) {
      const auto address = reinterpret_cast<uint64_t>(pointer);
      // What no process can have as a pointer is told here; other addresses of the host are the application's.
      if (address < kFirstAddress || address > kLastAddress) {
        problem = "is no address of this process";
        return XHAL_ERROR_INVALID_POINTER;
      }
      if (!window_.contains(address)) return XHAL_SUCCESS;
      const uint8_t owner = map_.owner(address);
      if (owner != AddressMap::kNobody && owner != AddressMap::kLookUp &&
          reaches(use.device, uint32_t{owner} - 1))
        return XHAL_SUCCESS;
    }
    size = 1;
  }
  Resolved range;
  const xhal_result_t result = resolve(pointer, size, use, range);
  problem = range.problem;
  if (result < 0) return result;
  const Allocation& found = range.allocation;
  if (found.kind != XHAL_MEMORY_DEVICE || found.has(Allocation::kMapped) || reaches(use.device, found.device))
    return XHAL_SUCCESS;
  problem = "is memory of another device, which this one's kernels reach after xhal_device_enable_peer";
  return XHAL_ERROR_INVALID_POINTER;
}

Memory::Info Memory::info(uint32_t device) {
  reclaim();
  settle_pools(device, false);
  const std::lock_guard lock(arenas_mutex_);
  const Arena* arena = arenas_[device].get();
  return {config_.device_bytes - (arena != nullptr ? arena->used() : 0), config_.device_bytes};
}

uint64_t Memory::held(uint32_t device) {
  const std::lock_guard lock(arenas_mutex_);
  const Arena* arena = arenas_[device].get();
  return arena != nullptr ? arena->used() : 0;
}

bool Memory::set_peer(uint32_t device, uint32_t peer, bool enabled) {
  const uint64_t bit = uint64_t{1} << peer;
  const uint64_t former = enabled ? peers_[device].fetch_or(bit, std::memory_order_acq_rel)
                                  : peers_[device].fetch_and(~bit, std::memory_order_acq_rel);
  return ((former & bit) != 0) != enabled;
}

// ---- Pools ---------------------------------------------------------------------------------------------------------------------

xhal_result_t Memory::create_pool(Device* owner, uint32_t device, uint64_t threshold, uint64_t most,
                                  xhal_pool_t* out_pool, std::string& why) {
  if (const xhal_result_t result = prepare(why); result < 0) return result;
  Arena* const arena = arena_of(device, why);
  if (arena == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  auto pool = std::make_unique<DevicePool>(owner, device, epoch(device), *arena, order_, threshold, most);
  pool->handle = kit::make_handle<xhal_pool_t>(pool.get());
  if (pool->handle == nullptr) throw std::bad_alloc();
  const xhal_pool_t handle = pool->handle;
  const std::lock_guard lock(pools_mutex_);
  DevicePool* const key = pool.get();
  pools_.emplace(key, std::move(pool));
  pool_count_.store(pools_.size(), std::memory_order_release);
  *out_pool = handle;
  return XHAL_SUCCESS;
}

void Memory::destroy_pool(DevicePool& pool) {
  settle_graph_memory();
  std::unique_ptr<DevicePool> last;
  {
    const std::lock_guard lock(pools_mutex_);
    const auto it = pools_.find(&pool);
    last = std::move(it->second);
    pools_.erase(it);
    pool_count_.store(pools_.size(), std::memory_order_release);
  }
  kit::free_handle(std::exchange(last->handle, nullptr));
  last->pool.dissolve(
      [&](uint64_t address) { map_.change_flags(address, 0, Allocation::kOfPool); },
      [&](const Pool::Waiting& waiting) {
        retired_.add({RetiredRange::What::kDevice, last->device, waiting.addresses, waiting.charge, false});
      });
}

xhal_result_t Memory::allocate_from(DevicePool& pool, const Position& behind, uint64_t size, uint64_t id,
                                    void** out_pointer, std::string& why, uint32_t flags) {
  settle_graph_memory();
  std::optional<uint64_t> base = pool.pool.allocate(size, behind);
  if (!base.has_value()) {
    retired_.reclaim();
    settle_pools(pool.device, true);
    base = pool.pool.allocate(size, behind);
  }
  if (!base.has_value()) {
    const Pool::Info info = pool.pool.info();
    why = text("%" PRIu64 " bytes do not fit: the pool uses %" PRIu64 " bytes and has reserved %" PRIu64
               "; free some and try again",
               size, info.used, info.reserved);
    return XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  }
  try {
    map_.insert({*base, size, XHAL_MEMORY_DEVICE, pool.device, epoch(pool.device), id,
                 Allocation::kOfPool | flags, 0, 0});
  } catch (...) {
    pool.pool.free(*base, *pool.pool.retire(*base), {});
    throw;
  }
  *out_pointer = reinterpret_cast<void*>(*base);
  return XHAL_SUCCESS;
}

xhal_result_t Memory::free_to(DevicePool& pool, const Position& behind, const void* pointer,
                              std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  const std::optional<Pool::Retired> retired = pool.pool.retire(base);
  if (!retired.has_value()) {
    why = text("%p is not the base of a live allocation of this pool", pointer);
    return XHAL_ERROR_INVALID_POINTER;
  }
  Allocation gone;
  static_cast<void>(map_.erase(base, gone, [](const Allocation&) { return true; }));
  pool.pool.free(base, *retired, behind);
  return XHAL_SUCCESS;
}

void Memory::settle_pools(uint32_t device, bool all) {
  settle_graph_memory();
  const std::lock_guard lock(pools_mutex_);
  for (const auto& [key, pool] : pools_) {
    if (pool->device != device) continue;
    if (all) {
      pool->pool.trim(0);
    } else {
      pool->pool.settle();
    }
  }
}

}  // namespace xhal::sim
