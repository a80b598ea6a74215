// SPDX-License-Identifier: Apache-2.0
// What an instance shares with other processes.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <optional>
#include <utility>

#include "memory/memory.hpp"
#include "memory/text.hpp"
#include "memory/write_hold.hpp"

namespace xhal::sim {

xhal_result_t Memory::find_whole(uint32_t device, const void* pointer, Allocation& out,
                                 std::string& why) const {
  out = find(pointer);
  const bool whole = out.kind == XHAL_MEMORY_DEVICE && out.base == reinterpret_cast<uint64_t>(pointer) &&
                     out.device == device;
  if (whole &&
      (out.flags & (Allocation::kImported | Allocation::kMapped | Allocation::kOfPool | Allocation::kOfGraph |
                    Allocation::kOfModule)) == 0 &&
      out.epoch == epoch(device))
    return XHAL_SUCCESS;
  why = text("%p is not the base of memory that xhal_memory_allocate gave for device %u", pointer, device);
  return XHAL_ERROR_INVALID_POINTER;
}

xhal_result_t Memory::share(uint32_t device, const void* pointer, Share& out, std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  // Between a free and this there is an order.
  const std::lock_guard lock(shared_mutex_);
  Allocation found;
  if (const xhal_result_t result = find_whole(device, pointer, found, why); result < 0) return result;
  const Arena* const arena = arena_of(device, why);
  const uint64_t bytes = Arena::charge_of(found.size);
  std::memset(reinterpret_cast<void*>(found.end() + window_.distance()), 0, bytes - found.size);
  map_.change_flags(base, Allocation::kShared | Allocation::kTouched, 0);
  const auto own = own_files_.find(base);
  const bool is_own = own != own_files_.end();
  out = {is_own ? own->second.get() : arena->file(),
         is_own ? 0 : arena->offset_of(base),
         bytes,
         found.size,
         found.id,
         0};
  return XHAL_SUCCESS;
}

// ---- Files of their own ----------------------------------------------------------------------------------------------------------

namespace {

// In place of what is mapped there, whose bytes the file has: others may write all the while. The system call itself, since sanitizers take
// mmap for a write of the whole range.
bool map_same_bytes(void* address, uint64_t size, int file) {
  return syscall(SYS_mmap, address, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
                 file, 0) != -1;
}

// Some bytes from file to file, or from the memory that shows them where the system does not copy between such files.
ssize_t copy_some(int from, off_t at, const std::byte* bytes, size_t size, int to, off_t to_at) {
  off_t source = at;
  off_t target = to_at;
  const ssize_t copied = copy_file_range(from, &source, to, &target, size, 0);
  const bool is_interrupted = copied < 0 && errno == EINTR;
  return copied > 0 || is_interrupted ? copied : pwrite(to, bytes, size, to_at);
}

// What of the memory has pages: a file's hole is zero in the copy as well.
bool copy_data(int from, uint64_t offset, const std::byte* bytes, uint64_t size, int to) {
  const auto begin = static_cast<off_t>(offset);
  const auto end = static_cast<off_t>(offset + size);
  for (off_t at = begin; at < end;) {
    const off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0) return errno == ENXIO;  // nothing but holes from here on
    if (data >= end) return true;
    off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0 || hole > end) hole = end;
    for (at = data; at < hole;) {
      const ssize_t copied =
          copy_some(from, at, bytes + (at - begin), static_cast<size_t>(hole - at), to, at - begin);
      if (copied < 0 && errno == EINTR) continue;
      if (copied <= 0) return false;
      at += copied;
    }
  }
  return true;
}

}  // namespace

xhal_result_t Memory::export_file(uint32_t device, const void* pointer, bool is_idle, int32_t& out_fd,
                                  std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  const std::lock_guard lock(shared_mutex_);
  Allocation found;
  if (const xhal_result_t result = find_whole(device, pointer, found, why); result < 0) return result;
  const auto no_room = [&](const char* what) {
    why = std::string(what) + std::strerror(errno);
    return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  };
  auto own = own_files_.find(base);
  if (own == own_files_.end()) {
    if (found.has(Allocation::kShared)) {
      why = text(
          "%p was exported by xhal_ipc_export_memory, and processes may have it; export it by descriptor "
          "first, or copy it",
          pointer);
      return XHAL_ERROR_BUSY;
    }
    const Arena* const arena = arena_of(device, why);
    const uint64_t bytes = Arena::charge_of(found.size);
    auto* const backing = reinterpret_cast<std::byte*>(base + window_.distance());
    std::optional<WriteHold> hold;
    if (!is_idle && !hold.emplace(backing, bytes).holds()) {
      why = text(
          "work is under way, and the first export of %p moves it into a file of its own, which this system "
          "lets nobody do "
          "under those who write (no userfaultfd): synchronise all devices and try again",
          pointer);
      return XHAL_ERROR_BUSY;
    }
    Descriptor file(memfd_create("xhal-sim-export", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0 ||
        fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        !copy_data(arena->file(), arena->offset_of(base), backing, found.size, file.get()))
      return no_room("the system gives no file for the allocation: ");
    const int fd = file.get();
    own = own_files_.emplace(base, std::move(file)).first;
    if (!map_same_bytes(backing, bytes, fd) || madvise(backing, bytes, MADV_DONTFORK) != 0) {
      const int error = errno;
      static_cast<void>(arena->back({base, base + bytes}));
      own_files_.erase(own);
      errno = error;
      return no_room("the system maps no more: ");
    }
    hold.reset();
    arena->wipe({base, base + bytes});
  }
  const int fd = fcntl(own->second.get(), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return no_room("the process has no descriptor left: ");
  out_fd = fd;
  return XHAL_SUCCESS;
}

xhal_result_t Memory::import_file(uint32_t device, int fd, uint64_t offset, uint64_t size, uint64_t id,
                                  void** out_pointer, std::string& why) {
  struct stat status = {};
  struct statfs system = {};
  if (fstat(fd, &status) != 0 || fstatfs(fd, &system) != 0) {
    why = text("descriptor %d cannot be looked at: %s", fd, std::strerror(errno));
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  const auto refuse = [&](const char* problem) {
    why = text("descriptor %d %s", fd, problem);
    return XHAL_ERROR_INVALID_ARGUMENT;
  };
  // Pages of others come from a disk or a network, or may be missing, and then the access that finds out ends the process.
  if (!S_ISREG(status.st_mode) || system.f_type != TMPFS_MAGIC)
    return refuse("is no file in memory; give one of memfd_create or of an export");
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
    return refuse("is a file that may shrink under the device; seal it with F_SEAL_SHRINK");
  if (size == 0 || size > static_cast<uint64_t>(status.st_size) || offset >= size) {
    why = text("bytes %" PRIu64 " to %" PRIu64 " are none of descriptor %d's %" PRIu64, offset, size, fd,
               static_cast<uint64_t>(status.st_size));
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  const uint64_t skip = offset % Arena::kGranule;
  return map_import(device,
                    {fd, offset - skip, Arena::charge_of(size - (offset - skip)), size - offset, id, skip},
                    id, {}, true, out_pointer, why);
}

// ---- What others may have --------------------------------------------------------------------------------------------------------

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
  return map_import(device, share, id, std::move(hold), false, out_pointer, why);
}

xhal_result_t Memory::map_import(uint32_t device, const Share& share, uint64_t id, Descriptor hold,
                                 bool is_file, void** out_pointer, std::string& why) {
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
  // The last page is there as a whole, whatever of it is the file's.
  const bool is_known = fstat(share.file, &status) == 0;
  const uint64_t mapped = Arena::charge_of(static_cast<uint64_t>(status.st_size));
  if (!is_known || share.offset > mapped || share.bytes > mapped - share.offset)
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
    imported_.emplace(base, Import{*slice, std::move(hold), is_file});
    try {
      map_.insert(
          {base, share.size, XHAL_MEMORY_DEVICE, device, epoch(device), id, Allocation::kImported, 0, 0});
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

xhal_result_t Memory::forget_import(uint32_t device, const void* pointer, bool is_file, std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  RetiredRange range = {RetiredRange::What::kSlice, device, {}, 0, false};
  {
    const std::lock_guard lock(shared_mutex_);
    const auto it = imported_.find(base);
    Allocation gone;
    if (it == imported_.end() || it->second.is_file != is_file ||
        !map_.erase(base, gone, [&](const Allocation& found) { return found.device == device; })) {
      why = text("%p is not the base of memory that device %u has %s", pointer, device,
                 is_file ? "by descriptor" : "from another process");
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
