// SPDX-License-Identifier: Apache-2.0
#include "ipc/shared_event.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "ipc/event_watcher.hpp"

namespace xhal::sim {
namespace {

constexpr uint64_t kMagic = 0x31746e6576656d73;  // "smevent1"

// A slot: the generation, its recorder's place among the owners, and what became of it.
constexpr uint32_t kGenerationShift = 16;
constexpr uint32_t kOwnerShift = 8;
constexpr uint64_t kByte = 255;
constexpr uint64_t kPending = 1;
constexpr uint64_t kDone = 2;
constexpr uint64_t kFailed = 128;  // and the code's amount

constexpr uint64_t slot_of(uint64_t generation, uint64_t owner, uint64_t state) {
  return generation << kGenerationShift | owner << kOwnerShift | state;
}
constexpr uint64_t generation_of(uint64_t slot) { return slot >> kGenerationShift; }
constexpr uint64_t owner_of(uint64_t slot) { return slot >> kOwnerShift & kByte; }
constexpr uint64_t state_of(uint64_t slot) { return slot & kByte; }

uint64_t state_for(xhal_result_t result) {
  if (result >= 0) return kDone;
  const auto amount = static_cast<uint64_t>(-static_cast<int64_t>(result));
  return kFailed | (amount < kFailed ? amount : static_cast<uint64_t>(-XHAL_ERROR_UNKNOWN));
}

std::string path_of(const Descriptor& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

// Locks belong to an open file, and what was received from another process is that one's. O_NONBLOCK: nor does a lease of that one's delay it.
Descriptor open_anew(const Descriptor& file) {
  return Descriptor(open(path_of(file).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
}

// A name that no file can have: those of files begin with a slash.
bool is_eventfd(const Descriptor& file) {
  constexpr std::string_view kName = "anon_inode:[eventfd]";
  char name[kName.size() + 1];
  const ssize_t length = readlink(path_of(file).c_str(), name, sizeof(name));
  return length > 0 && std::string_view(name, static_cast<size_t>(length)) == kName;
}

// ---- The bell: an eventfd that counts down, far from any end.
//
// Whether a write to an eventfd blocks is up to a flag of the open file, which all processes that have the bell may change, and so is its
// count. A read can be told not to, whatever the flag is; it wakes who polls for room to write.
constexpr uint64_t kRings = uint64_t{1} << 62;

Descriptor make_bell() {
  Descriptor bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE));
  if (bell && eventfd_write(bell.get(), kRings) != 0) bell.reset();
  return bell;
}

// Before Linux 5.8, and when somebody spoilt the count, it does not ring: watchers look now and then.
void ring(const Descriptor& bell) {
  uint64_t one = 0;
  const iovec place = {&one, sizeof(one)};
  static_cast<void>(preadv2(bell.get(), &place, 1, -1, RWF_NOWAIT));
}

struct flock byte_of(uint64_t owner, short type) {
  struct flock byte = {};
  byte.l_type = type;
  byte.l_whence = SEEK_SET;
  byte.l_start = static_cast<off_t>(owner);
  byte.l_len = 1;
  return byte;
}

}  // namespace

std::shared_ptr<SharedEvent> SharedEvent::map(EventWatcher& watcher, Descriptor file, Descriptor bell,
                                              std::string& why) {
  void* const page = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (page == MAP_FAILED) {
    why = std::string("the page of the event cannot be mapped: ") + std::strerror(errno);
    return nullptr;
  }
  madvise(page, sizeof(Page), MADV_DONTFORK);
  return std::shared_ptr<SharedEvent>(
      new SharedEvent(watcher, static_cast<Page*>(page), std::move(file), std::move(bell)));
}

std::shared_ptr<SharedEvent> SharedEvent::make(EventWatcher& watcher, std::string& why) {
  Descriptor file(memfd_create("xhal-sim-event", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  Descriptor bell = make_bell();
  if (!file || !bell || ftruncate(file.get(), sizeof(Page)) != 0 ||
      fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    why = std::string("the system gives no page for the event: ") + std::strerror(errno);
    return nullptr;
  }
  auto event = map(watcher, std::move(file), std::move(bell), why);
  if (event != nullptr) event->page_->magic.store(kMagic, std::memory_order_release);
  return event;
}

std::shared_ptr<SharedEvent> SharedEvent::adopt(EventWatcher& watcher, Descriptor file, Descriptor bell,
                                                std::string& why) {
  struct stat status = {};
  const int seals = fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(file.get(), &status) != 0 ||
      status.st_size != sizeof(Page)) {
    why = "what the exporter gave is no page of an event";
    return nullptr;
  }
  // Others may block who polls them, and reads of pipes and sockets wait for whoever else reads them.
  if (!is_eventfd(bell)) {
    why = "what the exporter gave is no bell of an event, or there is no /proc that tells";
    return nullptr;
  }
  auto event = map(watcher, std::move(file), std::move(bell), why);
  if (event != nullptr && event->page_->magic.load(std::memory_order_acquire) != kMagic) {
    why = "what the exporter gave is no page of an event";
    return nullptr;
  }
  return event;
}

SharedEvent::SharedEvent(EventWatcher& watcher, Page* page, Descriptor file, Descriptor bell)
    : watcher_(watcher),
      page_(page),
      file_(std::move(file)),
      bell_(std::move(bell)),
      claims_(open_anew(file_)),
      self_(ProcessId::own()) {}

SharedEvent::~SharedEvent() { munmap(page_, sizeof(Page)); }

// ---- Recording -----------------------------------------------------------------------------------------------------------------

void SharedEvent::cancel_all_of(uint64_t owner) {
  for (std::atomic<uint64_t>& place : page_->slots) {
    uint64_t slot = place.load(std::memory_order_acquire);
    if (owner_of(slot) != owner || state_of(slot) != kPending) continue;
    const uint64_t cancelled = slot_of(generation_of(slot), owner, state_for(XHAL_ERROR_CANCELLED));
    place.compare_exchange_strong(slot, cancelled, std::memory_order_acq_rel);
  }
}

void SharedEvent::claim(uint64_t owner, bool keep) const {
  struct flock byte = byte_of(owner, keep ? F_RDLCK : F_UNLCK);
  if (claims_) static_cast<void>(fcntl(claims_.get(), F_OFD_SETLK, &byte));
}

bool SharedEvent::is_claimed(uint64_t owner) const {
  if (!claims_ || owner == owner_.load(std::memory_order_relaxed)) return true;
  struct flock byte = byte_of(owner, F_WRLCK);
  return fcntl(claims_.get(), F_OFD_GETLK, &byte) != 0 || byte.l_type != F_UNLCK;
}

bool SharedEvent::is_alive(uint64_t owner) const {
  return ProcessId(page_->owners[owner].load(std::memory_order_acquire)).is_alive() && is_claimed(owner);
}

// A place is claimed before it is taken, so that nobody who has it looks dead.
uint64_t SharedEvent::take_owner() {
  const auto try_take = [&](uint64_t i, uint64_t former) {
    claim(i, true);
    if (former == self_.word() ||
        page_->owners[i].compare_exchange_strong(former, self_.word(), std::memory_order_acq_rel))
      return true;
    claim(i, false);
    return false;
  };
  for (uint64_t i = 0; i < kOwners; ++i) {
    const uint64_t word = page_->owners[i].load(std::memory_order_acquire);
    // Of another instance of this process's, or of the program that this process was before.
    if (word == self_.word() && !is_claimed(i)) cancel_all_of(i);
    if ((word == 0 || word == self_.word()) && try_take(i, word)) return i;
  }
  // All are taken: by processes that are gone, perhaps. What those left pending is over before the place is another's.
  for (uint64_t i = 0; i < kOwners; ++i) {
    const uint64_t word = page_->owners[i].load(std::memory_order_acquire);
    if (is_alive(i)) continue;
    cancel_all_of(i);
    if (try_take(i, word)) return i;
  }
  return kOwners;
}

uint64_t SharedEvent::record(Position position) {
  const std::lock_guard lock(mutex_);
  if (owner_.load(std::memory_order_relaxed) == kOwners) {
    owner_.store(take_owner(), std::memory_order_relaxed);
  }
  const uint64_t own = owner_.load(std::memory_order_relaxed);
  if (own == kOwners) return 0;
  for (;;) {
    uint64_t former = current();
    const uint64_t generation = former + 1;
    std::atomic<uint64_t>& place = page_->slots[generation % kSlots];
    uint64_t slot = place.load(std::memory_order_acquire);
    if (generation_of(slot) == generation) {
      // Another one's, who has not come to say so.
      page_->current.compare_exchange_strong(former, generation, std::memory_order_acq_rel);
      continue;
    }
    if (generation_of(slot) > generation && current() == former)
      return 0;  // nobody's doing who keeps the rules
    if (state_of(slot) == kPending) {
      const uint64_t owner = owner_of(slot);
      if (owner < kOwners && is_alive(owner)) return 0;
    }
    if (!place.compare_exchange_strong(slot, slot_of(generation, own, kPending), std::memory_order_acq_rel))
      continue;
    page_->current.compare_exchange_strong(former, generation, std::memory_order_acq_rel);
    recorded_ = generation;
    recorded_at_ = position;
    return generation;
  }
}

void SharedEvent::finish(uint64_t generation, xhal_result_t result) {
  const uint64_t owner = owner_.load(std::memory_order_relaxed);
  uint64_t pending = slot_of(generation, owner, kPending);
  page_->slots[generation % kSlots].compare_exchange_strong(
      pending, slot_of(generation, owner, state_for(result)), std::memory_order_acq_rel);
  ring(bell_);
}

// ---- Waiting -------------------------------------------------------------------------------------------------------------------

SharedEvent::State SharedEvent::state(uint64_t generation) const {
  const uint64_t slot = page_->slots[generation % kSlots].load(std::memory_order_acquire);
  if (generation == 0 || generation_of(slot) > generation) return {true, XHAL_SUCCESS, {}};
  const uint64_t state = state_of(slot);
  if (generation_of(slot) != generation || (state != kPending && state != kDone && state < kFailed))
    return {true, XHAL_ERROR_CANCELLED, {}};
  if (state == kDone) return {true, XHAL_SUCCESS, {}};
  if (state != kPending) return {true, -static_cast<xhal_result_t>(state & ~kFailed), {}};
  const uint64_t owner = owner_of(slot);
  if (owner >= kOwners) return {true, XHAL_ERROR_CANCELLED, {}};
  return {false, XHAL_SUCCESS, ProcessId(page_->owners[owner].load(std::memory_order_acquire))};
}

bool SharedEvent::is_abandoned(uint64_t generation) const {
  const uint64_t slot = page_->slots[generation % kSlots].load(std::memory_order_acquire);
  return generation_of(slot) == generation && state_of(slot) == kPending &&
         (owner_of(slot) >= kOwners || !is_alive(owner_of(slot)));
}

Position SharedEvent::position() {
  const uint64_t generation = current();
  if (generation == 0) return {};
  const std::lock_guard lock(mutex_);
  if (generation == recorded_) return recorded_at_;
  if (const State now = state(generation); now.is_over && now.result >= 0) return {};
  const auto known = std::ranges::find(watched_, generation, &Watched::generation);
  if (known != watched_.end()) return known->position;
  std::erase_if(watched_, [](const Watched& w) { return w.position.progress->reached(w.position.number); });
  watched_.reserve(watched_.size() + 1);
  const Position position = watcher_.watch(shared_from_this(), generation);
  watched_.push_back({generation, position});
  return position;
}

}  // namespace xhal::sim
