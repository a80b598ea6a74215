// SPDX-License-Identifier: Apache-2.0
#include "memory/arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include "engine/odd.hpp"

namespace xhal::sim {
namespace {

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

// From here on a range is returned to the system at once.
constexpr uint64_t kLarge = uint64_t{4} << 20;

constexpr uint64_t kWordBits = 64;
constexpr uint64_t words_for(uint64_t bytes) { return (bytes / Arena::kGranule + kWordBits - 1) / kWordBits; }

// Of the word of `page`: the bits from there up to `end`.
uint64_t bits_from(uint64_t page, uint64_t end) {
  const uint64_t low = page % kWordBits;
  const uint64_t count = std::min(kWordBits - low, end - page);
  return (count == kWordBits ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << low;
}

}  // namespace

std::unique_ptr<Arena> Arena::create(Window& window, uint64_t limit, std::string& why, uint64_t share) {
  // Twice the memory's size holds every allocation together with its spare page; four times leaves room for holes.
  std::unique_ptr<Arena> arena = create(window, limit, std::clamp(share, 2 * limit, 4 * limit), why);
  return arena != nullptr ? std::move(arena) : create(window, limit, 2 * limit, why);
}

std::unique_ptr<Arena> Arena::create(Window& window, uint64_t limit, uint64_t addresses, std::string& why) {
  const auto no_file = [&] {
    why = std::string("the system gives no file in memory: ") + std::strerror(errno);
    return nullptr;
  };
  Descriptor file(memfd_create("xhal-sim-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return no_file();
  const std::optional<Interval> slice = window.take_slice(round_up(addresses, Window::kSliceAlignment));
  if (!slice.has_value()) {
    why =
        "the process's range of device addresses has no room for it; use fewer or smaller devices, or less "
        "pinned memory, than the instance that was used first, which made the range";
    return nullptr;
  }
  PageBits dirty(static_cast<uint64_t*>(std::calloc(words_for(slice->size()), sizeof(uint64_t))), &std::free);
  if (dirty == nullptr) {
    window.give_slice(*slice);
    why = "the process has no memory left for the table of the device's pages";
    return nullptr;
  }
  std::unique_ptr<Arena> arena(new Arena(window, limit, *slice, std::move(file), std::move(dirty)));
  // Sealed: whoever gets the file cannot shrink it under those who have it mapped.
  if (ftruncate(arena->file(), static_cast<off_t>(slice->size())) == 0 &&
      fcntl(arena->file(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0 &&
      arena->back(*slice))
    return arena;
  return no_file();
}

Arena::Arena(Window& window, uint64_t limit, Interval slice, Descriptor file, PageBits dirty)
    : window_(window),
      limit_(limit),
      slice_(slice),
      file_(std::move(file)),
      free_(slice),
      dirty_(std::move(dirty)) {}

bool Arena::back(Interval addresses) const {
  void* const backing = reinterpret_cast<void*>(addresses.begin + window_.distance());
  if (mmap(backing, addresses.size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file(),
           static_cast<off_t>(offset_of(addresses.begin))) == MAP_FAILED)
    return false;
  // A child shares the file: its writes would be the parent's.
  return madvise(backing, addresses.size(), MADV_DONTFORK) == 0;
}

Arena::~Arena() {
  window_.clear_backing(slice_);
  window_.give_slice(slice_);
}

std::optional<uint64_t> Arena::allocate(uint64_t size, uint64_t alignment) {
  std::unique_lock lock(mutex_);
  if (size > limit_ || charge_of(size) > limit_ - used_) return std::nullopt;
  const std::optional<uint64_t> address = take_locked(footprint(size), alignment);
  if (!address.has_value()) return std::nullopt;
  used_ += charge_of(size);
  // Others need not wait for the zeros: these pages are nobody else's any more.
  for (Interval rest = {*address, *address + charge_of(size)};;) {
    const Interval dirty = claim_dirty_locked(rest);
    if (dirty.size() == 0) return address;
    lock.unlock();
    clear(dirty);
    rest.begin = dirty.end;
    lock.lock();
  }
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
  alignment = std::max(alignment, kGranule);
  while (!given_.empty() && given_.back().size() >= addresses && given_.back().begin % alignment == 0) {
    const uint64_t begin = given_.back().begin;
    given_.pop_back();
    if (!free_.take_at({begin, begin + addresses})) continue;  // somebody has it
    count(Oddity::kReuse);
    return begin;
  }
  return free_.take(addresses, alignment);
}

void Arena::give(Interval addresses) {
  // Large ones without the lock: nobody else can have these pages before they are given back.
  const bool large = addresses.size() >= kLarge;
  const bool is_dirty = !large || !punch(addresses);
  const std::lock_guard lock(mutex_);
  mark_locked(addresses, is_dirty);
  free_.give(addresses);
  constexpr size_t kMostGiven = 64;
  if (gives_out_again_) {
    if (given_.size() == kMostGiven) given_.erase(given_.begin());
    given_.push_back(addresses);
  }
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
  const auto give_to_system = [&](Interval run) {
    if (run.size() != 0 && punch(run)) mark_locked(run, false);
  };
  Interval run;
  for (const Interval& interval : kept_) {
    if (!free_.has(interval)) continue;  // taken again: whoever has it gives it back one day
    if (interval.begin <= run.end && run.size() != 0) {
      run.end = std::max(run.end, interval.end);
      continue;
    }
    give_to_system(run);
    run = interval;
  }
  give_to_system(run);
  kept_.clear();
  kept_bytes_ = 0;
}

uint64_t Arena::used() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

uint64_t Arena::resident() const {
  struct stat status = {};
  return fstat(file(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

void Arena::wipe(Interval addresses) const {
  if (!punch(addresses)) set_to_zero(addresses);
}

// Small ones keep their pages, which costs less than new ones.
void Arena::clear(Interval addresses) const {
  if (addresses.size() < kLarge || !punch(addresses)) set_to_zero(addresses);
}

void Arena::set_to_zero(Interval addresses) const {
  std::memset(reinterpret_cast<void*>(addresses.begin + window_.distance()), 0, addresses.size());
}

void Arena::mark_locked(Interval addresses, bool is_dirty) {
  const uint64_t end = page_of(addresses.end);
  for (uint64_t page = page_of(addresses.begin); page < end;) {
    const uint64_t bits = bits_from(page, end);
    uint64_t& word = dirty_[page / kWordBits];
    word = is_dirty ? word | bits : word & ~bits;
    page = (page / kWordBits + 1) * kWordBits;
  }
}

Interval Arena::claim_dirty_locked(Interval addresses) {
  const uint64_t end = page_of(addresses.end);
  uint64_t first = end;
  for (uint64_t page = page_of(addresses.begin); page < end;) {
    const uint64_t found = dirty_[page / kWordBits] & bits_from(page, end);
    if (found != 0) {
      first = page / kWordBits * kWordBits + static_cast<uint64_t>(std::countr_zero(found));
      break;
    }
    page = (page / kWordBits + 1) * kWordBits;
  }
  uint64_t last = first;
  while (last < end && (dirty_[last / kWordBits] >> last % kWordBits & 1) != 0) ++last;
  const Interval dirty = {slice_.begin + first * kGranule, slice_.begin + last * kGranule};
  mark_locked(dirty, false);
  return dirty;
}

// When it fails the pages stay with the arena: more memory than needed, nothing wrong.
bool Arena::punch(Interval addresses) const {
  return fallocate(file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   static_cast<off_t>(addresses.begin - slice_.begin),
                   static_cast<off_t>(addresses.size())) == 0;
}

}  // namespace xhal::sim
