// SPDX-License-Identifier: Apache-2.0
#include "memory/address_table.hpp"

#include <algorithm>

namespace xhal::opencl {
namespace {

constexpr uint64_t kAddressBits = 48;

uint64_t pages_end(const Range& range) {
  return range.base + (range.size + AddressTable::kPage - 1) / AddressTable::kPage * AddressTable::kPage;
}

}  // namespace

AddressTable::~AddressTable() { destroy(root_, 0); }

void AddressTable::destroy(Table& table, int level) {
  for (Entry& entry : table.entries) {
    const uintptr_t value = entry.load(std::memory_order_relaxed);
    if (value == 0 || (value & kIsRecord) != 0) continue;
    auto* const next = reinterpret_cast<Table*>(value);
    destroy(*next, level + 1);
    delete next;
  }
}

// A reader that sees a new word sees the odd version as well, and looks again.
void AddressTable::write(Record& record, const Range& range) {
  record.version.fetch_add(1, std::memory_order_relaxed);
  record.base.store(range.base, std::memory_order_release);
  record.size.store(range.size, std::memory_order_release);
  record.kind.store(range.kind, std::memory_order_release);
  record.device.store(range.device, std::memory_order_release);
  record.id.store(range.id, std::memory_order_release);
  record.buffer.store(range.buffer, std::memory_order_release);
  record.version.fetch_add(1, std::memory_order_release);
}

bool AddressTable::read(const Record& record, Range& out) {
  const uint64_t before = record.version.load(std::memory_order_acquire);
  out = {record.base.load(std::memory_order_acquire), record.size.load(std::memory_order_acquire),
         record.kind.load(std::memory_order_acquire), record.device.load(std::memory_order_acquire),
         record.id.load(std::memory_order_acquire),   record.buffer.load(std::memory_order_acquire)};
  return (before & 1) == 0 && record.version.load(std::memory_order_relaxed) == before;
}

void AddressTable::prepare(Table& table, int level, uint64_t first, uint64_t begin, uint64_t end) {
  if (level == kLevels - 1) return;
  const uint64_t span = span_of(level);
  for (uint64_t i = (begin - first) / span; i < kEntries && first + i * span < end; ++i) {
    const uint64_t at = first + i * span;
    if (begin <= at && at + span <= end) continue;
    Entry& entry = table.entries[i];
    if (entry.load(std::memory_order_relaxed) == 0)
      entry.store(reinterpret_cast<uintptr_t>(new Table), std::memory_order_release);
    prepare(*reinterpret_cast<Table*>(entry.load(std::memory_order_relaxed)), level + 1, at,
            std::max(begin, at), std::min(end, at + span));
  }
}

void AddressTable::set(Table& table, int level, uint64_t first, uint64_t begin, uint64_t end,
                       uintptr_t value) {
  if (level == kLevels - 1) {
    const uint64_t from = (begin - first) / kPage;
    const uint64_t to = std::min((end - first) / kPage, kEntries);
    for (uint64_t i = from; i < to; ++i) table.entries[i].store(value, std::memory_order_release);
    return;
  }
  const uint64_t span = span_of(level);
  for (uint64_t i = (begin - first) / span; i < kEntries && first + i * span < end; ++i) {
    const uint64_t at = first + i * span;
    Entry& entry = table.entries[i];
    const uintptr_t there = entry.load(std::memory_order_relaxed);
    // A table that smaller ranges had once stays: somebody may be reading it.
    const bool is_table = there != 0 && (there & kIsRecord) == 0;
    if (!is_table && begin <= at && at + span <= end) {
      entry.store(value, std::memory_order_release);
    } else {
      set(*reinterpret_cast<Table*>(there), level + 1, at, std::max(begin, at), std::min(end, at + span),
          value);
    }
  }
}

void AddressTable::add(const Range& range) {
  const std::lock_guard lock(mutex_);
  prepare(root_, 0, 0, range.base, pages_end(range));
  if (free_records_.empty()) {
    free_records_.reserve(records_.size() + 1);
    free_records_.push_back(&records_.emplace_back());
  }
  Record* const record = free_records_.back();
  free_records_.pop_back();
  write(*record, range);
  set(root_, 0, 0, range.base, pages_end(range), reinterpret_cast<uintptr_t>(record) | kIsRecord);
}

void AddressTable::remove(const Range& range) {
  const std::lock_guard lock(mutex_);
  const Table* table = &root_;
  uintptr_t value = 0;
  for (int level = 0; level < kLevels; ++level) {
    value = table->entries[range.base / span_of(level) % kEntries].load(std::memory_order_relaxed);
    if (value == 0 || (value & kIsRecord) != 0) break;
    table = reinterpret_cast<const Table*>(value);
  }
  if ((value & kIsRecord) == 0) return;
  set(root_, 0, 0, range.base, pages_end(range), 0);
  auto* const record = reinterpret_cast<Record*>(value & ~kIsRecord);
  write(*record, {});
  free_records_.push_back(record);
}

const AddressTable::Record* AddressTable::record_at(uint64_t address) const {
  if (address >> kAddressBits != 0) return nullptr;
  const Table* table = &root_;
  for (int level = 0; level < kLevels; ++level) {
    const uintptr_t value =
        table->entries[address / span_of(level) % kEntries].load(std::memory_order_acquire);
    if ((value & kIsRecord) != 0) return reinterpret_cast<const Record*>(value & ~kIsRecord);
    if (value == 0) return nullptr;
    table = reinterpret_cast<const Table*>(value);
  }
  return nullptr;
}

Range AddressTable::find(const void* pointer) const {
  const auto address = reinterpret_cast<uint64_t>(pointer);
  for (;;) {
    const Record* const record = record_at(address);
    if (record == nullptr) return {};
    Range out;
    // A record that was given to another range meanwhile is not this address's any more: look again.
    if (!read(*record, out)) continue;
    if (address < out.base || address - out.base >= out.size) return {};
    return out;
  }
}

bool AddressTable::is_within(const void* pointer, uint64_t bytes, uint32_t device) const {
  const auto address = reinterpret_cast<uint64_t>(pointer);
  const Record* const record = record_at(address);
  if (record == nullptr) return false;
  const uint64_t before = record->version.load(std::memory_order_acquire);
  const uint64_t offset = address - record->base.load(std::memory_order_acquire);
  const uint64_t size = record->size.load(std::memory_order_acquire);
  const bool is_of_device = record->device.load(std::memory_order_acquire) == device;
  return offset < size && bytes <= size - offset && is_of_device && (before & 1) == 0 &&
         record->version.load(std::memory_order_relaxed) == before;
}

}  // namespace xhal::opencl
