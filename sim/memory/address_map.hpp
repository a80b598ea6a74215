// SPDX-License-Identifier: Apache-2.0
// Which allocation an address belongs to. Lookups take no lock and cost the same however many allocations there are.
//
// Addresses of the window and of its backing are looked up by page: each 2 MiB chunk tells the record of the one allocation that covers it,
// or sends on to its pages, each of which tells a record. Allocations there begin on a page and share none. Host memory that is not the
// simulator's, registered or imported, has ranges of any size in any place: those stand in a sorted array.
//
// A record is never unmapped. It is identified by the allocation's id, which is never used twice: a reader that finds the same id before
// and after it read the rest has read one allocation. Entries of chunks and pages are not cleared when an allocation goes: its record is,
// and a record that was given out again does not contain the old address. The sorted array is guarded by a version that is odd while it
// changes. Readers use acquire loads and writers release stores throughout, which order them without fences.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "memory/allocation.hpp"
#include "memory/free_space.hpp"

namespace xhal::sim {

class AddressMap {
 public:
  static constexpr uint64_t kPage = 4096;

  AddressMap() = default;
  AddressMap(const AddressMap&) = delete;
  AddressMap& operator=(const AddressMap&) = delete;
  ~AddressMap();

  // Once, before the first insert; further calls do nothing. `pages` are the addresses that are looked up by page, from a multiple of the
  // chunk size on. False when the system has no room for the tables.
  [[nodiscard]] bool open(Interval pages);

  // ---- Questions, by any thread at any time.

  // Kind UNMANAGED when the address lies in none.
  [[nodiscard]] Allocation find(uint64_t address) const;
  // The one with the lowest address that has a byte in the range.
  [[nodiscard]] Allocation first_in(uint64_t begin, uint64_t end) const;
  [[nodiscard]] bool is_paged(uint64_t address) const {
    return opened_.load(std::memory_order_acquire) && address - paged_.begin < paged_.size();
  }

  // Whose memory lies around an address of the window, as was said by set_owner: without a look at single allocations.
  static constexpr uint8_t kNobody = 0;
  static constexpr uint8_t kLookUp = UINT8_MAX;
  static constexpr uint8_t owner_of(uint32_t device) { return static_cast<uint8_t>(device + 1); }
  [[nodiscard]] uint8_t owner(uint64_t address) const {
    if (!is_paged(address)) return kNobody;
    return std::atomic_ref(owners_[(address - paged_.begin) / kChunk]).load(std::memory_order_acquire);
  }

  // ---- Changes.

  // `addresses` are whole chunks.
  void set_owner(Interval addresses, uint8_t owner);
  // The addresses are nobody's, or an allocation's that they cover until they are erased. Returns the record, by which erase() knows what
  // lies beneath. Throws std::bad_alloc.
  uint32_t insert(const Allocation& allocation);
  // For host memory: false, and nothing happens, when an allocation has one of the addresses.
  [[nodiscard]] bool insert_if_free(const Allocation& allocation);
  // Forgets the allocation of that base for which check(allocation) is true; its addresses are those of the record beneath again.
  // False when there is none. It is gone when this returns.
  template <class Check>
  [[nodiscard]] bool erase(uint64_t base, Allocation& out, Check&& check, uint32_t beneath = 0) {
    const std::lock_guard lock(mutex_);
    const uint32_t index = index_of(base);
    if (index == 0) return false;
    const Allocation found = read_own(index);
    if (found.base != base || !check(found)) return false;
    out = found;
    remove(index, found, beneath);
    return true;
  }
  // Changes what may change while it lives. False when nothing of that base lives.
  bool change_flags(uint64_t base, uint32_t set, uint32_t clear);
  bool set_access(uint64_t base, uint64_t readers, uint64_t writers);

  // ---- For tests.
  [[nodiscard]] size_t live() const;

 private:
  static constexpr uint64_t kPagesOfChunk = 512;
  static constexpr uint64_t kChunk = kPage * kPagesOfChunk;
  static constexpr uint32_t kByPage = UINT32_MAX;  // in place of a record's index

  // Plain words, because the system hands them out zeroed and by the page; used through std::atomic_ref alone.
  struct Record {
    uint64_t id;  // 0: nobody's
    uint64_t base;
    uint64_t size;
    uint64_t meta;
  };
  struct Access {
    uint64_t readers, writers;
  };
  struct HostRange {
    std::atomic<uint64_t> begin{0};
    std::atomic<uint64_t> end{0};
    std::atomic<uint32_t> index{0};
  };
  struct HostRanges {
    explicit HostRanges(size_t room) : capacity(room), ranges(std::make_unique<HostRange[]>(room)) {}
    const size_t capacity;
    std::atomic<size_t> count{0};
    std::unique_ptr<HostRange[]> ranges;
  };

  // False when the record was nobody's or changed meanwhile; `changed` tells which.
  bool read(uint32_t index, Allocation& out, bool& changed) const;
  [[nodiscard]] Allocation find_on_host(uint64_t address) const;
  [[nodiscard]] uint32_t page_entry(uint64_t address) const;

  // Under mutex_.
  [[nodiscard]] uint32_t index_of(uint64_t address) const;
  [[nodiscard]] Allocation read_own(uint32_t index) const;
  void write(uint32_t index, const Allocation& allocation);
  uint32_t insert_locked(const Allocation& allocation);
  void assign(uint64_t begin, uint64_t end, uint32_t index);
  void insert_on_host(const Allocation& allocation, uint32_t index);
  void erase_on_host(uint64_t base);
  void remove(uint32_t index, const Allocation& allocation, uint32_t beneath);
  uint32_t take_index();

  std::atomic<bool> opened_{false};
  // Constant from then on.
  Interval paged_;
  void* tables_ = nullptr;
  uint64_t tables_bytes_ = 0;
  uint32_t* chunks_ = nullptr;
  uint32_t* pages_ = nullptr;
  uint8_t* owners_ = nullptr;  // by chunk
  Record* records_ = nullptr;
  Access* access_ = nullptr;
  uint32_t capacity_ = 0;

  mutable std::mutex mutex_;
  std::vector<uint32_t> free_;
  uint32_t used_ = 0;  // records below it have been given out

  std::atomic<uint64_t> host_version_{0};
  std::atomic<HostRanges*> host_{nullptr};
  std::vector<std::unique_ptr<HostRanges>> all_host_;  // readers may still look at former ones
};

}  // namespace xhal::sim
