// SPDX-License-Identifier: Apache-2.0
// What an instance shares with other processes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "memory/memory.hpp"
#include "memory/text.hpp"

namespace xhal::sim {

xhal_result_t Memory::share(uint32_t device, const void* pointer, Share& out, std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  // Between a free and this there is an order.
  const std::lock_guard lock(shared_mutex_);
  const Allocation found = map_.find(base);
  const bool whole = found.kind == XHAL_MEMORY_DEVICE && found.base == base && found.device == device;
  if (!whole || (found.flags & (Allocation::kImported | Allocation::kMapped | Allocation::kOfPool |
                                   Allocation::kOfGraph)) != 0 ||
      found.epoch != epoch(device)) {
    why = text("%p is not the base of memory that xhal_memory_allocate gave for device %u", pointer, device);
    return XHAL_ERROR_INVALID_POINTER;
  }
  const Arena* const arena = arena_of(device, why);
  const uint64_t bytes = Arena::charge_of(found.size);
  std::memset(reinterpret_cast<void*>(found.end() + window_.distance()), 0, bytes - found.size);
  map_.change_flags(base, Allocation::kShared | Allocation::kTouched, 0);
  out = {arena->file(), arena->offset_of(base), bytes, found.size, found.id, 0};
  return XHAL_SUCCESS;
}

void Memory::end_share(uint64_t base, uint64_t id) {
  RetiredRange range;
  {
    const std::lock_guard lock(shared_mutex_);
    const auto it = withheld_.find(id);
    if (it == withheld_.end()) {
      if (map_.find(base).id == id) map_.change_flags(base, 0, Allocation::kShared);
      return;
    }
    range = it->second;
    withheld_.erase(it);
  }
  retired_.add(range);
}

xhal_result_t Memory::import_shared(uint32_t device, const Share& share, uint64_t id, Descriptor hold,
                                    void** out_pointer, std::string& why) {
  if (const xhal_result_t result = prepare(why); result < 0) return result;
  const auto refuse = [&](const char* problem) {
    why = text("a file with %" PRIu64 " bytes from %" PRIu64 " on %s", share.bytes, share.offset, problem);
    return XHAL_ERROR_INVALID_ARGUMENT;
  };
  constexpr uint64_t kPage = Arena::kGranule;
  if (share.size == 0 || share.skip >= kPage || share.skip > share.bytes ||
      share.size > share.bytes - share.skip || share.bytes % kPage != 0 || share.offset % kPage != 0 ||
      share.bytes > window_.size())
    return refuse("is no allocation's");
  // Whoever shrank it would end this process with its next access.
  const int seals = fcntl(share.file, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return refuse("may shrink");
  struct stat status = {};
  if (fstat(share.file, &status) != 0 || share.offset > static_cast<uint64_t>(status.st_size) ||
      share.bytes > static_cast<uint64_t>(status.st_size) - share.offset)
    return refuse("leaves the file");

  // One page more, so that its end is never another one's beginning.
  const uint64_t unit = Window::kSliceAlignment;
  const std::optional<Interval> slice = window_.take_slice((share.bytes + kPage + unit - 1) / unit * unit);
  if (!slice.has_value()) {
    why = text("the process's range of device addresses has no %" PRIu64 " bytes left", share.bytes);
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  const auto give_up = [&] {
    window_.clear_backing(*slice);
    window_.give_slice(*slice);
  };
  void* const backing = reinterpret_cast<void*>(slice->begin + window_.distance());
  if (mmap(backing, share.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, share.file,
           static_cast<off_t>(share.offset)) == MAP_FAILED ||
      madvise(backing, share.bytes, MADV_DONTFORK) != 0) {
    // A descriptor that may not write, or whose file is sealed against it.
    const bool is_refused = errno == EACCES || errno == EPERM;
    why = std::string(is_refused ? "the descriptor does not allow to map it for reading and writing: "
                                 : "the system maps no more: ") +
          std::strerror(errno);
    give_up();
    return is_refused ? XHAL_ERROR_INVALID_ARGUMENT : XHAL_ERROR_OUT_OF_HOST_MEMORY;
  }
  const uint64_t base = slice->begin + share.skip;
  try {
    const std::lock_guard lock(shared_mutex_);
    imported_.emplace(base, Import{*slice, std::move(hold)});
    try {
      map_.insert({base, share.size, XHAL_MEMORY_DEVICE, device, epoch(device), id,
                   Allocation::kImported, 0, 0});
    } catch (...) {
      imported_.erase(base);
      throw;
    }
  } catch (...) {
    give_up();
    throw;
  }
  map_.set_owner(*slice, AddressMap::kLookUp);
  *out_pointer = reinterpret_cast<void*>(base);
  return XHAL_SUCCESS;
}

xhal_result_t Memory::close_shared(uint32_t device, const void* pointer, std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  RetiredRange range = {RetiredRange::What::kSlice, device, {}, 0, false};
  {
    const std::lock_guard lock(shared_mutex_);
    const auto it = imported_.find(base);
    Allocation gone;
    if (it == imported_.end() ||
        !map_.erase(base, gone, [&](const Allocation& found) { return found.device == device; })) {
      why = text("%p is not the base of memory that device %u has from another process", pointer, device);
      return XHAL_ERROR_INVALID_POINTER;
    }
    range.addresses = it->second.slice;
    if (it->second.hold) closing_.emplace(range.addresses.begin, std::move(it->second.hold));
    imported_.erase(it);
  }
  map_.set_owner(range.addresses, AddressMap::kNobody);
  retired_.add(range);
  return XHAL_SUCCESS;
}

}  // namespace xhal::sim
