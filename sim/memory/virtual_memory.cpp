// SPDX-License-Identifier: Apache-2.0
#include "memory/virtual_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "memory/text.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t kMinimum = VirtualMemory::kMinimum;

xhal_result_t check_size(const char* name, uint64_t size, std::string& why) {
  if (size != 0 && size % kMinimum == 0) return XHAL_SUCCESS;
  why = text("%s is %" PRIu64 ", it must be a multiple of the granularity %" PRIu64 " and not 0", name, size,
             kMinimum);
  return XHAL_ERROR_INVALID_ARGUMENT;
}

constexpr auto kAny = [](const Allocation&) { return true; };

}  // namespace

Physical::~Physical() {
  if (handle != nullptr) kit::free_handle(handle);
}

VirtualMemory::VirtualMemory(Window& window, AddressMap& map, RetiredMemory& retired, ArenaOf arena_of,
                             Allocate allocate)
    : window_(window),
      map_(map),
      retired_(retired),
      arena_of_(std::move(arena_of)),
      allocate_(std::move(allocate)) {}

VirtualMemory::~VirtualMemory() {
  for (const auto& [begin, reservation] : reservations_) {
    window_.clear_backing(reservation.slice);
    window_.give_slice(reservation.slice);
  }
}

// ---- Reserved ranges -----------------------------------------------------------------------------------------------------------

xhal_result_t VirtualMemory::reserve(uint32_t device, uint32_t epoch, uint64_t size, uint64_t alignment,
                                     uint64_t id, void** out_pointer, std::string& why) {
  if (const xhal_result_t result = check_size("size", size, why); result < 0) return result;
  if ((alignment & (alignment - 1)) != 0) {
    why = text("alignment is %" PRIu64 ", it must be a power of two or 0", alignment);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  // One granule more, so that its end is never another one's beginning.
  const uint64_t unit = Window::kSliceAlignment;
  std::optional<Interval> slice;
  if (size < window_.size())
    slice = window_.take_slice((size + kMinimum + unit - 1) / unit * unit, alignment);
  if (!slice.has_value()) {
    why = text("the process's range of device addresses has no %" PRIu64 " bytes at a multiple of %" PRIu64,
               size, alignment);
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  try {
    const std::lock_guard lock(mutex_);
    const auto it =
        reservations_.emplace(slice->begin, Reservation{size, *slice, device, epoch, 0, {}}).first;
    try {
      it->second.record = map_.insert({slice->begin, size, XHAL_MEMORY_RESERVED, device, epoch, id, 0, 0, 0});
    } catch (...) {
      reservations_.erase(it);
      throw;
    }
    map_.set_owner(*slice, AddressMap::kLookUp);
  } catch (...) {
    window_.give_slice(*slice);
    throw;
  }
  *out_pointer = reinterpret_cast<void*>(slice->begin);
  return XHAL_SUCCESS;
}

xhal_result_t VirtualMemory::release(uint32_t device, const void* pointer, uint64_t size, std::string& why) {
  if (const xhal_result_t result = check_size("size", size, why); result < 0) return result;
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  RetiredRange range = {RetiredRange::What::kSlice, device, {}, 0, false};
  {
    const std::lock_guard lock(mutex_);
    const auto it = reservations_.find(begin);
    if (it == reservations_.end() || it->second.device != device || it->second.size != size) {
      why = text("%p with %" PRIu64 " bytes was not reserved so by device %u", pointer, size, device);
      return XHAL_ERROR_INVALID_POINTER;
    }
    if (!it->second.mappings.empty()) {
      why = text("%zu mappings are left in the range: unmap them first", it->second.mappings.size());
      return XHAL_ERROR_BUSY;
    }
    Allocation gone;
    static_cast<void>(map_.erase(begin, gone, kAny));
    range.addresses = it->second.slice;
    map_.set_owner(range.addresses, AddressMap::kNobody);
    reservations_.erase(it);
  }
  retired_.add(range);
  return XHAL_SUCCESS;
}

VirtualMemory::Reservation* VirtualMemory::reservation_around(uint32_t device, uint64_t begin,
                                                              uint64_t size) {
  auto it = reservations_.upper_bound(begin);
  if (it == reservations_.begin()) return nullptr;
  --it;
  Reservation& found = it->second;
  const uint64_t offset = begin - it->first;
  if (found.device != device || offset >= found.size || size > found.size - offset) return nullptr;
  return &found;
}

// ---- Physical memory -----------------------------------------------------------------------------------------------------------

xhal_result_t VirtualMemory::create(Device* owner, uint32_t device, uint32_t epoch, uint64_t size,
                                    xhal_physical_t* out_physical, std::string& why) {
  if (const xhal_result_t result = check_size("size", size, why); result < 0) return result;
  uint64_t address = 0;
  if (const xhal_result_t result = allocate_(device, size, Arena::kGranule, address, why); result < 0)
    return result;
  try {
    auto physical = std::make_unique<Physical>(owner, device, epoch, Interval{address, address + size});
    physical->handle = kit::make_handle<xhal_physical_t>(physical.get());
    if (physical->handle == nullptr) throw std::bad_alloc();
    *out_physical = physical->handle;
    const std::lock_guard lock(mutex_);
    Physical* const key = physical.get();
    physicals_.emplace(key, std::move(physical));
  } catch (...) {
    arena_of_(device, why)->release(address, size);
    throw;
  }
  return XHAL_SUCCESS;
}

void VirtualMemory::destroy(Physical& physical) {
  std::vector<RetiredRange> gone;
  {
    const std::lock_guard lock(mutex_);
    kit::free_handle(std::exchange(physical.handle, nullptr));
    if (physical.mappings == 0) drop(physical, gone);
  }
  for (const RetiredRange& range : gone) retired_.add(range);
}

void VirtualMemory::drop(Physical& physical, std::vector<RetiredRange>& out) {
  const uint64_t size = physical.addresses.size();
  out.push_back({RetiredRange::What::kDevice,
                 physical.device,
                 {physical.addresses.begin, physical.addresses.begin + Arena::footprint(size)},
                 Arena::charge_of(size),
                 false});
  physicals_.erase(&physical);
}

// ---- Mapping -------------------------------------------------------------------------------------------------------------------

xhal_result_t VirtualMemory::map(uint32_t device, uint32_t epoch, const void* pointer, uint64_t size,
                                 Physical& physical, uint64_t offset, uint64_t id, std::string& why) {
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  if (const xhal_result_t result = check_size("size", size, why); result < 0) return result;
  const uint64_t available = physical.addresses.size();
  if (offset % kMinimum != 0 || offset > available || size > available - offset) {
    why = text("offset %" PRIu64 " with %" PRIu64 " bytes: it must be a multiple of %" PRIu64
               " and inside of the %" PRIu64 " bytes of physical memory",
               offset, size, kMinimum, available);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  std::string no_reason;
  const Arena* const arena = arena_of_(physical.device, no_reason);
  const std::lock_guard lock(mutex_);
  Reservation* const reservation = reservation_around(device, begin, size);
  if (reservation == nullptr || reservation->epoch != epoch) {
    why = text("%p with %" PRIu64 " bytes lies in no range that device %u has reserved%s", pointer, size,
               device, reservation == nullptr ? "" : " since its reset");
    return XHAL_ERROR_INVALID_POINTER;
  }
  if (begin % kMinimum != 0) {
    why = text("pointer is %p, it must be a multiple of %" PRIu64, pointer, kMinimum);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  auto& mappings = reservation->mappings;
  const auto next = mappings.lower_bound(begin);
  const bool overlaps_next = next != mappings.end() && next->first < begin + size;
  const bool overlaps_former =
      next != mappings.begin() && std::prev(next)->first + std::prev(next)->second.size > begin;
  if (overlaps_next || overlaps_former) {
    why = text("something is mapped in %p with %" PRIu64 " bytes", pointer, size);
    return XHAL_ERROR_ALREADY_DONE;
  }
  const auto mapping = mappings.emplace(begin, Mapping{&physical, size, 0, 0}).first;
  try {
    map_.insert({begin, size, XHAL_MEMORY_DEVICE, physical.device, epoch, id, Allocation::kMapped, 0, 0});
  } catch (...) {
    mappings.erase(mapping);
    throw;
  }
  void* const backing = reinterpret_cast<void*>(begin + window_.distance());
  const auto place = static_cast<off_t>(arena->offset_of(physical.addresses.begin + offset));
  const bool mapped = mmap(backing, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                           arena->file(), place) != MAP_FAILED;
  if (mapped && madvise(backing, size, MADV_DONTFORK) == 0) {
    ++physical.mappings;
    return XHAL_SUCCESS;
  }
  why = std::string("the system maps no more: ") + std::strerror(errno);
  if (mapped) window_.clear_backing({begin, begin + size});
  Allocation gone;
  static_cast<void>(map_.erase(begin, gone, kAny, reservation->record));
  mappings.erase(mapping);
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

bool VirtualMemory::covers(Reservation& reservation, uint64_t begin, uint64_t size, Mappings::iterator& first,
                           Mappings::iterator& last) {
  first = reservation.mappings.find(begin);
  last = first;
  for (uint64_t at = begin; at < begin + size; ++last) {
    if (last == reservation.mappings.end() || last->first != at || last->second.size > begin + size - at)
      return false;
    at += last->second.size;
  }
  return size != 0;
}

xhal_result_t VirtualMemory::unmap(uint32_t device, const void* pointer, uint64_t size, std::string& why) {
  if (const xhal_result_t result = check_size("size", size, why); result < 0) return result;
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  std::vector<RetiredRange> gone;
  {
    const std::lock_guard lock(mutex_);
    Reservation* const reservation = reservation_around(device, begin, size);
    Mappings::iterator first;
    Mappings::iterator last;
    if (reservation == nullptr || !covers(*reservation, begin, size, first, last)) {
      why = text("%p with %" PRIu64 " bytes is not what was mapped there, as a whole", pointer, size);
      return XHAL_ERROR_INVALID_POINTER;
    }
    for (auto it = first; it != last; ++it) {
      Allocation erased;
      static_cast<void>(map_.erase(it->first, erased, kAny, reservation->record));
      Physical& physical = *it->second.physical;
      if (--physical.mappings == 0 && physical.handle == nullptr) drop(physical, gone);
    }
    reservation->mappings.erase(first, last);
    gone.push_back({RetiredRange::What::kUnmapped, device, {begin, begin + size}, 0, false});
  }
  for (const RetiredRange& range : gone) retired_.add(range);
  return XHAL_SUCCESS;
}

xhal_result_t VirtualMemory::set_access(uint32_t device, uint32_t epoch, const void* pointer, uint64_t size,
                                        uint32_t accessor, uint32_t access, std::string& why) {
  if (access != XHAL_ACCESS_NONE && access != XHAL_ACCESS_READ && access != XHAL_ACCESS_READ_WRITE) {
    why = text("access is %u, it must be NONE, READ or READ_WRITE", access);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  if (const xhal_result_t result = check_size("size", size, why); result < 0) return result;
  const auto begin = reinterpret_cast<uint64_t>(pointer);
  const std::lock_guard lock(mutex_);
  Reservation* const reservation = reservation_around(device, begin, size);
  Mappings::iterator first;
  Mappings::iterator last;
  if (reservation == nullptr || reservation->epoch != epoch ||
      !covers(*reservation, begin, size, first, last)) {
    why = text("%p with %" PRIu64 " bytes is not what was mapped there, as a whole", pointer, size);
    return XHAL_ERROR_INVALID_POINTER;
  }
  const uint64_t bit = uint64_t{1} << accessor;
  for (auto it = first; it != last; ++it) {
    Mapping& mapping = it->second;
    mapping.readers = (access & XHAL_ACCESS_READ) != 0 ? mapping.readers | bit : mapping.readers & ~bit;
    mapping.writers = (access & XHAL_ACCESS_WRITE) != 0 ? mapping.writers | bit : mapping.writers & ~bit;
    map_.set_access(it->first, mapping.readers, mapping.writers);
  }
  return XHAL_SUCCESS;
}

void VirtualMemory::clear(const RetiredRange& range) {
  if (range.what == RetiredRange::What::kSlice) {
    window_.clear_backing(range.addresses);
    window_.give_slice(range.addresses);
    return;
  }
  // Something may have been mapped there since, and the reservation may be on its way to being cleared as a whole.
  const std::lock_guard lock(mutex_);
  auto it = reservations_.upper_bound(range.addresses.begin);
  if (it == reservations_.begin()) return;
  --it;
  if (range.addresses.end > it->first + it->second.size) return;
  Interval gap = range.addresses;
  auto mapping = it->second.mappings.upper_bound(gap.begin);
  if (mapping != it->second.mappings.begin()) --mapping;
  for (; mapping != it->second.mappings.end() && mapping->first < range.addresses.end; ++mapping) {
    const Interval mapped = {mapping->first, mapping->first + mapping->second.size};
    if (mapped.end <= gap.begin) continue;
    if (gap.begin < mapped.begin) window_.clear_backing({gap.begin, mapped.begin});
    gap.begin = mapped.end;
  }
  if (gap.begin < gap.end) window_.clear_backing(gap);
}

}  // namespace xhal::sim
