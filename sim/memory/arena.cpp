// SPDX-License-Identifier: Apache-2.0
#include "memory/arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace xhal::sim {
namespace {

constexpr uint64_t kPage = 4096;

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

std::unique_ptr<Arena> Arena::create(Window& window, uint64_t limit, std::string& why) {
  // Twice the memory's size holds every allocation together with its spare byte; four times leaves room for holes.
  std::optional<Interval> slice;
  for (const uint64_t factor : {4u, 2u}) {
    slice = window.take_slice(round_up(factor * limit, Window::kSliceAlignment));
    if (slice.has_value()) break;
  }
  if (!slice.has_value()) {
    why =
        "the process's range of device addresses has no room for another device; use fewer or smaller "
        "devices";
    return nullptr;
  }
  const int fd = memfd_create("xhal-sim-device", MFD_CLOEXEC);
  std::unique_ptr<Arena> arena(new Arena(window, limit, *slice, fd));
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(slice->size())) == 0 && arena->map()) return arena;
  why = std::string("the system gives no file in memory: ") + std::strerror(errno);
  return nullptr;
}

Arena::Arena(Window& window, uint64_t limit, Interval slice, int fd)
    : window_(window), limit_(limit), slice_(slice), fd_(fd), free_(slice) {}

bool Arena::map() {
  void* const backing = reinterpret_cast<void*>(slice_.begin + window_.distance());
  if (mmap(backing, slice_.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd_, 0) ==
      MAP_FAILED)
    return false;
  // A child shares the file: its writes would be the parent's.
  return madvise(backing, slice_.size(), MADV_DONTFORK) == 0;
}

Arena::~Arena() {
  void* const backing = reinterpret_cast<void*>(slice_.begin + window_.distance());
  static_cast<void>(mmap(backing, slice_.size(), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
  if (fd_ >= 0) close(fd_);
  window_.give_slice(slice_);
}

std::optional<uint64_t> Arena::allocate(uint64_t size, uint64_t alignment) {
  const std::lock_guard lock(mutex_);
  if (size > limit_ || charge(size) > limit_ - used_) return std::nullopt;
  const std::optional<uint64_t> address = free_.take(footprint(size), std::max(alignment, kGranule));
  if (address.has_value()) used_ += charge(size);
  return address;
}

void Arena::release(uint64_t address, uint64_t size) {
  const Interval mine = {address, address + footprint(size)};
  // The bulk first and without the lock: nobody else can have these pages before they are given back.
  const Interval whole = {round_up(mine.begin, kPage), mine.end / kPage * kPage};
  if (whole.begin < whole.end) punch(whole);
  const std::lock_guard lock(mutex_);
  used_ -= charge(size);
  const Interval hole = free_.give(mine);
  // Pages at the edges, shared with neighbours that may be gone by now.
  const uint64_t first = std::max(round_up(hole.begin, kPage), mine.begin / kPage * kPage);
  const uint64_t last = std::min(hole.end / kPage * kPage, round_up(mine.end, kPage));
  if (whole.begin >= whole.end) {
    if (first < last) punch({first, last});
    return;
  }
  if (first < whole.begin) punch({first, whole.begin});
  if (whole.end < last) punch({whole.end, last});
}

uint64_t Arena::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

uint64_t Arena::resident() const {
  struct stat status = {};
  return fstat(fd_, &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

void Arena::punch(Interval addresses) const {
  // When it fails the pages stay with the arena: more memory than needed, nothing wrong.
  if (fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(addresses.begin - slice_.begin),
                static_cast<off_t>(addresses.size())) != 0) {
    return;
  }
}

}  // namespace xhal::sim
