// SPDX-License-Identifier: Apache-2.0
// Which allocation an address lies in: a table of pages in four levels, as processors have, so that the answer takes the same time for any
// number of allocations. Asking takes no lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "api/calls.hpp"

namespace xhal::opencl {

struct Range {
  uint64_t base = 0;
  uint64_t size = 0;  // as asked for; less than the pages it has
  uint32_t kind = 0;  // XHAL_MEMORY_x; 0: nothing is there
  uint32_t device = 0;
  uint64_t id = 0;
  cl_mem buffer = nullptr;  // of devices with plain buffers

  // Whether `size` bytes from an address in the range on are all in it.
  [[nodiscard]] bool holds(const void* address, uint64_t bytes) const {
    return kind != 0 && bytes <= size - (reinterpret_cast<uint64_t>(address) - base);
  }
};

class AddressTable {
 public:
  static constexpr uint64_t kPage = 4096;  // no two ranges share one

  AddressTable() = default;
  AddressTable(const AddressTable&) = delete;
  AddressTable& operator=(const AddressTable&) = delete;
  ~AddressTable();

  // The base is aligned to a page. Throws bad_alloc with nothing changed.
  void add(const Range& range);
  void remove(const Range& range);
  // The range that the address lies in; kind 0 when none does, and between the end of a range and the end of its page.
  [[nodiscard]] Range find(const void* address) const;
  // Whether so many bytes from the address on are all in one range of the device: the usual question, in half the time.
  [[nodiscard]] bool is_within(const void* address, uint64_t bytes, uint32_t device) const;

 private:
  static constexpr int kLevels = 4;
  static constexpr uint64_t kBits = 9;
  static constexpr uint64_t kEntries = uint64_t{1} << kBits;

  // A range's words, read while they may change: the version is odd meanwhile. Never given back, used again.
  struct Record {
    std::atomic<uint64_t> version{0};
    std::atomic<uint64_t> base{0}, size{0}, id{0};
    std::atomic<uint32_t> kind{0}, device{0};
    std::atomic<cl_mem> buffer{nullptr};
  };
  struct Table;
  // Nothing, a table of the next level, or a record where one range has all of what the entry stands for.
  using Entry = std::atomic<uintptr_t>;
  static constexpr uintptr_t kIsRecord = 1;
  struct Table {
    std::array<Entry, kEntries> entries{};
  };

  static uint64_t span_of(int level) { return kPage << (kBits * static_cast<uint64_t>(kLevels - 1 - level)); }
  // Null when no range has the address's page.
  [[nodiscard]] const Record* record_at(uint64_t address) const;
  static void write(Record& record, const Range& range);
  static bool read(const Record& record, Range& out);
  // Makes what is missing on the way, so that set() cannot fail.
  void prepare(Table& table, int level, uint64_t first, uint64_t begin, uint64_t end);
  static void set(Table& table, int level, uint64_t first, uint64_t begin, uint64_t end, uintptr_t value);
  static void destroy(Table& table, int level);

  std::mutex mutex_;  // of changes
  Table root_;
  std::deque<Record> records_;
  std::vector<Record*> free_records_;
};

}  // namespace xhal::opencl
