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

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

// From here on a range is returned to the system at once.
constexpr uint64_t kLarge = uint64_t{4} << 20;

}  // namespace

std::unique_ptr<Arena> Arena::create(Window& window, uint64_t limit, std::string& why) {
  // Twice the memory's size holds every allocation together with its spare page; four times leaves room for holes.
  std::unique_ptr<Arena> arena = create(window, limit, 4 * limit, why);
  return arena != nullptr ? std::move(arena) : create(window, limit, 2 * limit, why);
}

std::unique_ptr<Arena> Arena::create(Window& window, uint64_t limit, uint64_t addresses, std::string& why) {
  const std::optional<Interval> slice = window.take_slice(round_up(addresses, Window::kSliceAlignment));
  if (!slice.has_value()) {
    why =
        "the process's range of device addresses has no room for it; use fewer or smaller devices, or less "
        "pinned memory";
    return nullptr;
  }
  const int fd = memfd_create("xhal-sim-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  std::unique_ptr<Arena> arena(new Arena(window, limit, *slice, fd));
  // Sealed: whoever gets the file cannot shrink it under those who have it mapped.
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(slice->size())) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 && arena->back(*slice))
    return arena;
  why = std::string("the system gives no file in memory: ") + std::strerror(errno);
  return nullptr;
}

Arena::Arena(Window& window, uint64_t limit, Interval slice, int fd)
    : window_(window), limit_(limit), slice_(slice), fd_(fd), free_(slice) {}

bool Arena::back(Interval addresses) const {
  void* const backing = reinterpret_cast<void*>(addresses.begin + window_.distance());
  if (mmap(backing, addresses.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd_,
           static_cast<off_t>(offset_of(addresses.begin))) == MAP_FAILED)
    return false;
  // A child shares the file: its writes would be the parent's.
  return madvise(backing, addresses.size(), MADV_DONTFORK) == 0;
}

Arena::~Arena() {
  window_.clear_backing(slice_);
  if (fd_ >= 0) close(fd_);
  window_.give_slice(slice_);
}

std::optional<uint64_t> Arena::allocate(uint64_t size, uint64_t alignment) {
  const std::lock_guard lock(mutex_);
  if (size > limit_ || charge_of(size) > limit_ - used_) return std::nullopt;
  const std::optional<uint64_t> address = take_locked(footprint(size), alignment);
  if (address.has_value()) used_ += charge_of(size);
  return address;
}

void Arena::release(uint64_t address, uint64_t size) {
  give({address, address + footprint(size)});
  uncharge(charge_of(size));
}

bool Arena::charge(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > limit_ - used_) return false;
  used_ += bytes;
  return true;
}

void Arena::uncharge(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  used_ -= bytes;
}

std::optional<uint64_t> Arena::take(uint64_t addresses, uint64_t alignment) {
  const std::lock_guard lock(mutex_);
  return take_locked(addresses, alignment);
}

std::optional<uint64_t> Arena::take_locked(uint64_t addresses, uint64_t alignment) {
  return free_.take(addresses, std::max(alignment, kGranule));
}

void Arena::give(Interval addresses) {
  // Large ones without the lock: nobody else can have these pages before they are given back.
  const bool large = addresses.size() >= kLarge;
  if (large) punch(addresses);
  const std::lock_guard lock(mutex_);
  free_.give(addresses);
  if (large) return;
  kept_.push_back(addresses);
  kept_bytes_ += addresses.size();
  if (kept_bytes_ >= kKeptBytes) trim_locked();
}

void Arena::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void Arena::trim_locked() {
  std::ranges::sort(kept_, {}, &Interval::begin);
  Interval run;
  for (const Interval& interval : kept_) {
    if (!free_.has(interval)) continue;  // taken again: whoever has it gives it back one day
    if (interval.begin <= run.end && run.size() != 0) {
      run.end = std::max(run.end, interval.end);
      continue;
    }
    if (run.size() != 0) punch(run);
    run = interval;
  }
  if (run.size() != 0) punch(run);
  kept_.clear();
  kept_bytes_ = 0;
}

uint64_t Arena::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

uint64_t Arena::resident() const {
  struct stat status = {};
  return fstat(fd_, &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

void Arena::wipe(Interval addresses) const {
  if (punch(addresses)) return;
  std::memset(reinterpret_cast<void*>(addresses.begin + window_.distance()), 0, addresses.size());
}

// When it fails the pages stay with the arena: more memory than needed, nothing wrong.
bool Arena::punch(Interval addresses) const {
  return fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   static_cast<off_t>(addresses.begin - slice_.begin),
                   static_cast<off_t>(addresses.size())) == 0;
}

}  // namespace xhal::sim
