// SPDX-License-Identifier: Apache-2.0
#include "memory/address_map.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace xhal::sim {
namespace {

template <class T>
T get(const T& word) {
  return std::atomic_ref<T>(const_cast<T&>(word)).load(std::memory_order_acquire);
}
template <class T>
void put(T& word, T value) {
  std::atomic_ref<T>(word).store(value, std::memory_order_release);
}

constexpr uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

uint64_t pack(const Allocation& a) {
  return (uint64_t{a.epoch} << 32) | (uint64_t{a.flags & 0xffffu} << 16) | (uint64_t{a.device & 0xffu} << 8) |
         (a.kind & 0xffu);
}

void unpack(uint64_t meta, Allocation& out) {
  out.kind = static_cast<uint32_t>(meta & 0xff);
  out.device = static_cast<uint32_t>(meta >> 8 & 0xff);
  out.flags = static_cast<uint32_t>(meta >> 16 & 0xffff);
  out.epoch = static_cast<uint32_t>(meta >> 32);
}

// Position of the first range that begins behind the address.
template <class Ranges>
size_t behind(const Ranges& ranges, uint64_t address) {
  size_t low = 0;
  size_t high = ranges.count.load(std::memory_order_acquire);
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (ranges.ranges[middle].begin.load(std::memory_order_acquire) <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

AddressMap::~AddressMap() {
  if (tables_ != nullptr) munmap(tables_, tables_bytes_);
}

bool AddressMap::open(Interval pages) {
  const std::lock_guard lock(mutex_);
  if (opened_.load(std::memory_order_relaxed)) return true;
  const uint64_t page_count = pages.size() / kPage;
  const uint64_t chunk_count = page_count / kPagesOfChunk;
  // Half of the addresses are backing of the other half, and device memory has at least twice its size in addresses.
  const uint64_t records = std::min<uint64_t>(page_count / 4 + (uint64_t{1} << 16), kByPage);
  const uint64_t chunk_bytes = round_up(chunk_count * sizeof(uint32_t), kPage);
  const uint64_t page_bytes = round_up(page_count * sizeof(uint32_t), kPage);
  const uint64_t record_bytes = round_up(records * sizeof(Record), kPage);
  const uint64_t access_bytes = round_up(records * sizeof(Access), kPage);
  const uint64_t owner_bytes = round_up(chunk_count, kPage);
  tables_bytes_ = chunk_bytes + page_bytes + record_bytes + access_bytes + owner_bytes;
  // Address space; pages of it come when they are written.
  void* const tables = mmap(nullptr, tables_bytes_, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (tables == MAP_FAILED) return false;
  tables_ = tables;
  auto* bytes = static_cast<std::byte*>(tables);
  chunks_ = reinterpret_cast<uint32_t*>(bytes);
  pages_ = reinterpret_cast<uint32_t*>(bytes += chunk_bytes);
  records_ = reinterpret_cast<Record*>(bytes += page_bytes);
  access_ = reinterpret_cast<Access*>(bytes += record_bytes);
  owners_ = reinterpret_cast<uint8_t*>(bytes + access_bytes);
  // Large pages where the system has them: among many allocations a lookup's cost is the walk to small ones.
  static_cast<void>(madvise(pages_, page_bytes + record_bytes, MADV_HUGEPAGE));
  capacity_ = static_cast<uint32_t>(records);
  used_ = 1;  // 0 stands for none
  paged_ = pages;
  opened_.store(true, std::memory_order_release);
  return true;
}

// ---- Questions -----------------------------------------------------------------------------------------------------------------

bool AddressMap::read(uint32_t index, Allocation& out, bool& changed) const {
  const Record& record = records_[index];
  const uint64_t id = get(record.id);
  changed = false;
  if (id == 0) return false;
  out.id = id;
  out.base = get(record.base);
  out.size = get(record.size);
  unpack(get(record.meta), out);
  if (out.has(Allocation::kMapped)) {
    out.readers = get(access_[index].readers);
    out.writers = get(access_[index].writers);
  }
  changed = get(record.id) != id;
  return !changed;
}

uint32_t AddressMap::page_entry(uint64_t address) const {
  const uint64_t page = (address - paged_.begin) / kPage;
  const uint32_t entry = get(chunks_[page / kPagesOfChunk]);
  return entry == kByPage ? get(pages_[page]) : entry;
}

Allocation AddressMap::find(uint64_t address) const {
  if (!is_paged(address)) return find_on_host(address);
  for (;;) {
    const uint32_t index = page_entry(address);
    if (index == 0) return {};
    Allocation found;
    bool changed = false;
    if (read(index, found, changed) && found.contains(address)) return found;
    if (!changed) return {};
  }
}

Allocation AddressMap::find_on_host(uint64_t address) const {
  for (;;) {
    const HostRanges* const ranges = host_.load(std::memory_order_acquire);
    if (ranges == nullptr) return {};
    const uint64_t version = host_version_.load(std::memory_order_acquire);
    Allocation found;
    bool changed = (version & 1) != 0;
    if (!changed) {
      const size_t position = behind(*ranges, address);
      if (position != 0) {
        const HostRange& range = ranges->ranges[position - 1];
        const uint32_t index = range.index.load(std::memory_order_acquire);
        if (index == 0 || !read(index, found, changed) || !found.contains(address)) found = {};
      }
    }
    if (!changed && host_.load(std::memory_order_acquire) == ranges &&
        host_version_.load(std::memory_order_acquire) == version)
      return found;
  }
}

Allocation AddressMap::first_in(uint64_t begin, uint64_t end) const {
  if (const Allocation around = find(begin); around.kind != XHAL_MEMORY_UNMANAGED) return around;
  if (!opened_.load(std::memory_order_acquire)) return {};
  // Behind `begin` allocations begin, and the first of each kind of address is found by its beginning.
  Allocation first;
  for (;;) {
    const HostRanges* const ranges = host_.load(std::memory_order_acquire);
    if (ranges == nullptr) break;
    const uint64_t version = host_version_.load(std::memory_order_acquire);
    const size_t position = behind(*ranges, begin);
    uint64_t next = UINT64_MAX;
    if (position < ranges->count.load(std::memory_order_acquire))
      next = ranges->ranges[position].begin.load(std::memory_order_acquire);
    if ((version & 1) != 0 || host_version_.load(std::memory_order_acquire) != version) continue;
    if (next < end) first = find(next);
    break;
  }
  const uint64_t from = std::max(round_up(begin, kPage), paged_.begin);
  const uint64_t to = std::min(end, paged_.end);
  for (uint64_t address = from; address < to;) {
    const uint64_t page = (address - paged_.begin) / kPage;
    const uint32_t entry = get(chunks_[page / kPagesOfChunk]);
    if (entry == 0) {
      address = (address - paged_.begin) / kChunk * kChunk + kChunk + paged_.begin;
      continue;
    }
    const Allocation found = find(address);
    if (found.kind != XHAL_MEMORY_UNMANAGED)
      return first.kind != XHAL_MEMORY_UNMANAGED && first.base < found.base ? first : found;
    address += kPage;
  }
  return first;
}

// ---- Changes -------------------------------------------------------------------------------------------------------------------

void AddressMap::set_owner(Interval addresses, uint8_t owner) {
  for (uint64_t address = addresses.begin; address < addresses.end; address += kChunk)
    put(owners_[(address - paged_.begin) / kChunk], owner);
}

uint32_t AddressMap::index_of(uint64_t address) const {
  if (is_paged(address)) return page_entry(address);
  const HostRanges* const ranges = host_.load(std::memory_order_relaxed);
  if (ranges == nullptr) return 0;
  const size_t position = behind(*ranges, address);
  return position == 0 ? 0 : ranges->ranges[position - 1].index.load(std::memory_order_relaxed);
}

Allocation AddressMap::read_own(uint32_t index) const {
  Allocation out;
  bool changed = false;
  return read(index, out, changed) ? out : Allocation{};
}

void AddressMap::write(uint32_t index, const Allocation& allocation) {
  Record& record = records_[index];
  put(record.base, allocation.base);
  put(record.size, allocation.size);
  put(record.meta, pack(allocation));
  if (allocation.has(Allocation::kMapped)) {
    put(access_[index].readers, allocation.readers);
    put(access_[index].writers, allocation.writers);
  }
  put(record.id, allocation.id);
}

uint32_t AddressMap::take_index() {
  if (!free_.empty()) {
    const uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  if (used_ == capacity_) throw std::bad_alloc();
  if (free_.capacity() <= used_) free_.reserve(size_t{2} * used_);  // so that giving back never fails
  return used_++;
}

void AddressMap::assign(uint64_t begin, uint64_t end, uint32_t index) {
  const uint64_t last = round_up(end - paged_.begin, kPage) / kPage;
  for (uint64_t page = (begin - paged_.begin) / kPage; page < last;) {
    const uint64_t chunk = page / kPagesOfChunk;
    const uint64_t next = (chunk + 1) * kPagesOfChunk;
    if (page % kPagesOfChunk == 0 && next <= last) {
      put(chunks_[chunk], index);
      page = next;
      continue;
    }
    const uint32_t former = get(chunks_[chunk]);
    // What covered the whole chunk keeps the other pages, unless it is gone.
    if (former != kByPage && former != 0 && read_own(former).contains(paged_.begin + page * kPage)) {
      for (uint64_t other = chunk * kPagesOfChunk; other < next; ++other) put(pages_[other], former);
    }
    for (; page < std::min(next, last); ++page) put(pages_[page], index);
    put(chunks_[chunk], kByPage);
  }
}

uint32_t AddressMap::insert(const Allocation& allocation) {
  const std::lock_guard lock(mutex_);
  return insert_locked(allocation);
}

bool AddressMap::insert_if_free(const Allocation& allocation) {
  const std::lock_guard lock(mutex_);
  if (first_in(allocation.base, allocation.end()).kind != XHAL_MEMORY_UNMANAGED) return false;
  insert_locked(allocation);
  return true;
}

uint32_t AddressMap::insert_locked(const Allocation& allocation) {
  const uint32_t index = take_index();
  if (is_paged(allocation.base)) {
    // Readers find the record as soon as an entry tells it, so it stands first.
    write(index, allocation);
    assign(allocation.base, allocation.end(), index);
    return index;
  }
  try {
    insert_on_host(allocation, index);
  } catch (...) {
    free_.push_back(index);
    throw;
  }
  return index;
}

void AddressMap::insert_on_host(const Allocation& allocation, uint32_t index) {
  HostRanges* ranges = host_.load(std::memory_order_relaxed);
  const size_t count = ranges == nullptr ? 0 : ranges->count.load(std::memory_order_relaxed);
  if (ranges == nullptr || count == ranges->capacity) {
    auto larger = std::make_unique<HostRanges>(count == 0 ? 16 : 2 * count);
    for (size_t i = 0; i < count; ++i) {
      larger->ranges[i].begin = ranges->ranges[i].begin.load(std::memory_order_relaxed);
      larger->ranges[i].end = ranges->ranges[i].end.load(std::memory_order_relaxed);
      larger->ranges[i].index = ranges->ranges[i].index.load(std::memory_order_relaxed);
    }
    larger->count = count;
    all_host_.push_back(std::move(larger));
    ranges = all_host_.back().get();
    host_.store(ranges, std::memory_order_release);
  }
  write(index, allocation);
  const uint64_t version = host_version_.load(std::memory_order_relaxed);
  host_version_.store(version + 1, std::memory_order_release);
  size_t place = count;
  for (; place != 0; --place) {
    const HostRange& before = ranges->ranges[place - 1];
    const uint64_t begin = before.begin.load(std::memory_order_relaxed);
    if (begin < allocation.base) break;
    HostRange& to = ranges->ranges[place];
    to.begin.store(begin, std::memory_order_release);
    to.end.store(before.end.load(std::memory_order_relaxed), std::memory_order_release);
    to.index.store(before.index.load(std::memory_order_relaxed), std::memory_order_release);
  }
  ranges->ranges[place].begin.store(allocation.base, std::memory_order_release);
  ranges->ranges[place].end.store(allocation.end(), std::memory_order_release);
  ranges->ranges[place].index.store(index, std::memory_order_release);
  ranges->count.store(count + 1, std::memory_order_release);
  host_version_.store(version + 2, std::memory_order_release);
}

void AddressMap::erase_on_host(uint64_t base) {
  HostRanges& ranges = *host_.load(std::memory_order_relaxed);
  const size_t count = ranges.count.load(std::memory_order_relaxed);
  const uint64_t version = host_version_.load(std::memory_order_relaxed);
  host_version_.store(version + 1, std::memory_order_release);
  for (size_t place = behind(ranges, base); place < count; ++place) {
    const HostRange& next = ranges.ranges[place];
    HostRange& to = ranges.ranges[place - 1];
    to.begin.store(next.begin.load(std::memory_order_relaxed), std::memory_order_release);
    to.end.store(next.end.load(std::memory_order_relaxed), std::memory_order_release);
    to.index.store(next.index.load(std::memory_order_relaxed), std::memory_order_release);
  }
  ranges.count.store(count - 1, std::memory_order_release);
  host_version_.store(version + 2, std::memory_order_release);
}

void AddressMap::remove(uint32_t index, const Allocation& allocation, uint32_t beneath) {
  if (!is_paged(allocation.base)) {
    erase_on_host(allocation.base);
  } else if (beneath != 0) {
    assign(allocation.base, allocation.end(), beneath);
  }
  put(records_[index].id, uint64_t{0});
  free_.push_back(index);
}

bool AddressMap::change_flags(uint64_t base, uint32_t set, uint32_t clear) {
  const std::lock_guard lock(mutex_);
  const uint32_t index = index_of(base);
  Allocation found = index == 0 ? Allocation{} : read_own(index);
  if (found.kind == XHAL_MEMORY_UNMANAGED || found.base != base) return false;
  found.flags = (found.flags | set) & ~clear;
  put(records_[index].meta, pack(found));
  return true;
}

bool AddressMap::set_access(uint64_t base, uint64_t readers, uint64_t writers) {
  const std::lock_guard lock(mutex_);
  const uint32_t index = index_of(base);
  const Allocation found = index == 0 ? Allocation{} : read_own(index);
  if (found.kind == XHAL_MEMORY_UNMANAGED || found.base != base) return false;
  put(access_[index].readers, readers);
  put(access_[index].writers, writers);
  return true;
}

size_t AddressMap::live() const {
  const std::lock_guard lock(mutex_);
  return used_ == 0 ? 0 : used_ - 1 - free_.size();
}

}  // namespace xhal::sim
